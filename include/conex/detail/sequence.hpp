// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// What the stack and the queue have in common: elements pushed and popped through a C handle.
#ifndef CONEX_DETAIL_SEQUENCE_HPP
#define CONEX_DETAIL_SEQUENCE_HPP

#include <conex/detail/batch.hpp>
#include <conex/domain.hpp>

#include <optional>

namespace conex::detail {

/// \tparam Api names the C functions of one noun: see `stack_api`, `queue_api`.
template <class Api, class T>
class sequence {
public:
    using handle = typename Api::handle;

    /// `settings` has everything but the element.
    explicit sequence(typename Api::options settings) {
        static_assert(element_requirements<T>::met);
        const conex_domain* home = settings.domain != nullptr ? settings.domain : conex_domain_default();
        if constexpr (!is_plain<T>) memory_ = make_memory<memory>(settings.allocator, home);
        settings.element = describe<T>(memory_.get());
        check(Api::create(&settings, &handle_));
    }

    sequence(sequence&& other) noexcept
        : memory_(std::move(other.memory_)), handle_(std::exchange(other.handle_, nullptr)) {}

    sequence& operator=(sequence&& other) noexcept {
        sequence taken(std::move(other));
        std::swap(memory_, taken.memory_);
        std::swap(handle_, taken.handle_);
        return *this;
    }

    ~sequence() {
        tsan_acquire(handle_);
        require_ok(Api::destroy(handle_), "a container was destroyed");
    }

    [[nodiscard]] handle* native() const noexcept { return handle_; }

    void push(const T& value) {
        if constexpr (is_plain<T>) {
            check(push_image(std::addressof(value)));
        } else {
            emplace(value);
        }
    }

    void push(T&& value) {
        if constexpr (is_plain<T>) {
            check(push_image(std::addressof(value)));
        } else {
            check(push_offer(value));
        }
    }

    [[nodiscard]] bool try_push(T&& value) noexcept {
        static_assert(std::is_nothrow_move_constructible_v<T>,
                      "conex: try_push cannot promise not to throw for a type whose move constructor may");
        conex_status status = CONEX_OK;
        if constexpr (is_plain<T>) {
            status = push_image(std::addressof(value));
        } else {
            status = push_offer(value);
        }
        if (status == CONEX_OK) return true;
        if (status != CONEX_ERR_NO_MEMORY) fail("try_push", status);
        return false;
    }

    template <class... A>
    void emplace(A&&... args) {
        element<T> made(memory_.get());
        made.emplace(std::forward<A>(args)...);
        check(push_image(made.address()));
        made.taken();
    }

    /// \return how many went in: all, or fewer with `status` saying why.
    template <class It>
    std::size_t push_range(It first, It last, conex_status& status) {
        static_assert(
            std::is_constructible_v<T, decltype(*first)>,
            "conex: the range's elements cannot be copied; pass std::make_move_iterator of both ends to move them");
        std::size_t count = 0;
        if constexpr (is_plain<T> && std::is_pointer_v<It> &&
                      std::is_same_v<std::remove_cv_t<std::remove_pointer_t<It>>, T>) {
            tsan_release(handle_);
            status = Api::push_n(handle_, first, static_cast<std::size_t>(last - first), &count);
        } else {
            batch<T> row(memory_.get());
            batch_offer<T, It> lent(first, row);
            for (; first != last; ++first) row.emplace_back(*first);
            tsan_release(handle_);
            status = Api::push_n(handle_, row.data(), row.size(), &count);
            lent.taken(count);
        }
        return count;
    }

    bool try_pop(T& out) {
        if constexpr (is_plain<T> && std::is_copy_assignable_v<T>) {
            return pop_image(std::addressof(out));
        } else {
            element<T> got(memory_.get());
            if (!pop_image(got.address())) return false;
            got.filled();
            out = std::move(*got);
            return true;
        }
    }

    std::optional<T> try_pop() {
        element<T> got(memory_.get());
        if (!pop_image(got.address())) return std::nullopt;
        got.filled();
        return std::optional<T>(std::in_place, std::move(*got));
    }

    /// Up to `max` elements, by one call of the C function, to `out`.
    template <class Out>
    std::size_t pop_into(Out& out, std::size_t max) {
        std::size_t count = 0;
        if constexpr (is_plain<T> && std::is_same_v<Out, T*>) {
            check(Api::pop_n(handle_, out, max, &count));
            tsan_acquire(handle_);
            out += count;
        } else {
            batch<T> row(memory_.get());
            row.reserve(max);
            check(Api::pop_n(handle_, row.data(), max, &count));
            tsan_acquire(handle_);
            for (row.filled(count); !row.empty(); row.drop_front()) {
                *out = std::move(row.front());
                ++out;
            }
        }
        return count;
    }

    [[nodiscard]] std::size_t size_approx() const {
        std::size_t length = 0;
        check(Api::len(handle_, &length));
        return length;
    }

    [[nodiscard]] bool empty() const {
        bool empty = true;
        check(Api::is_empty(handle_, &empty));
        tsan_acquire(handle_);
        return empty;
    }

    [[nodiscard]] memory* owner() const noexcept { return memory_.get(); }

private:
    conex_status push_image(const void* image) noexcept {
        tsan_release(handle_);
        return Api::push(handle_, image);
    }

    bool pop_image(void* image) {
        const conex_status status = Api::pop(handle_, image);
        if (status == CONEX_OK) {
            tsan_acquire(handle_);
            return true;
        }
        check(status);
        return false;
    }

    conex_status push_offer(T& value) {
        offer<T> lent(memory_.get(), value);
        if (!lent.prepare()) return CONEX_ERR_NO_MEMORY;
        const conex_status status = push_image(lent.address());
        if (status == CONEX_OK) lent.taken();
        return status;
    }

    memory_ptr<memory> memory_;
    handle* handle_ = nullptr;
};

}  // namespace conex::detail

#endif
