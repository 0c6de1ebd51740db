// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::shared_ptr` and `conex::atomic_shared_ptr`: a value that outlives the place it was found in.
#ifndef CONEX_SHARED_HPP
#define CONEX_SHARED_HPP

#include <conex/detail/stash.hpp>
#include <conex/domain.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace conex {

template <class T>
class atomic_shared_ptr;

/// A counted reference to a `T`, or none, in the shape of `std::shared_ptr`, for use with `atomic_shared_ptr`.
///
/// The value lies in the counted block itself. It is destroyed with its last reference, at once and on the thread that
/// gives it up; the block's memory is freed a little later, by its domain. Different objects may be used by different
/// threads at the same time, one object by one thread.
///
/// Differences from the standard's: made by `make_shared` only; no `weak_ptr`, no aliasing, no conversion but that of
/// `shared_ptr<T>` to `shared_ptr<const T>`.
template <class T>
class shared_ptr {
public:
    using element_type = T;

    /// No reference.
    constexpr shared_ptr() noexcept = default;
    constexpr shared_ptr(std::nullptr_t) noexcept {}

    /// One more reference to the other's value. Wait-free; throws nothing.
    shared_ptr(const shared_ptr& other) noexcept : shared_ptr(other.ref_, other.value_) { retain(); }

    /// The other's reference; the other has none then.
    shared_ptr(shared_ptr&& other) noexcept
        : shared_ptr(std::exchange(other.ref_, nullptr), std::exchange(other.value_, nullptr)) {}

    /// A reference through which the value cannot be changed.
    template <class U, class = std::enable_if_t<!std::is_same_v<U, T> && std::is_same_v<const U, T>>>
    shared_ptr(const shared_ptr<U>& other) noexcept : shared_ptr(other.ref_, other.value_) {
        retain();
    }
    template <class U, class = std::enable_if_t<!std::is_same_v<U, T> && std::is_same_v<const U, T>>>
    shared_ptr(shared_ptr<U>&& other) noexcept
        : shared_ptr(std::exchange(other.ref_, nullptr), std::exchange(other.value_, nullptr)) {}

    shared_ptr& operator=(shared_ptr other) noexcept {
        swap(other);
        return *this;
    }

    /// Gives up the reference, and destroys the value if that was the last one.
    ~shared_ptr() {
        if (ref_ == nullptr) return;
        detail::tsan_release(value_);
        detail::require_ok(conex_ref_release(ref_), "a reference was released");
    }

    /// Gives up the reference.
    void reset() noexcept { shared_ptr().swap(*this); }

    void swap(shared_ptr& other) noexcept {
        std::swap(ref_, other.ref_);
        std::swap(value_, other.value_);
    }

    [[nodiscard]] T* get() const noexcept { return value_; }
    [[nodiscard]] T& operator*() const noexcept { return *value_; }
    [[nodiscard]] T* operator->() const noexcept { return value_; }
    [[nodiscard]] explicit operator bool() const noexcept { return value_ != nullptr; }

    /// How many references to the value there are, those in `atomic_shared_ptr`s included; 0 for none. An estimate while
    /// others are at work.
    [[nodiscard]] long use_count() const noexcept {
        std::size_t count = 0;
        if (ref_ != nullptr) static_cast<void>(conex_ref_count(ref_, &count));
        return static_cast<long>(count);
    }

    friend bool operator==(const shared_ptr& a, const shared_ptr& b) noexcept { return a.value_ == b.value_; }
    friend bool operator!=(const shared_ptr& a, const shared_ptr& b) noexcept { return a.value_ != b.value_; }
    friend bool operator==(const shared_ptr& a, std::nullptr_t) noexcept { return a.value_ == nullptr; }
    friend bool operator!=(const shared_ptr& a, std::nullptr_t) noexcept { return a.value_ != nullptr; }
    friend void swap(shared_ptr& a, shared_ptr& b) noexcept { a.swap(b); }

    /// The reference of the C API, still owned by this object; null for none.
    [[nodiscard]] conex_ref* native_handle() const noexcept { return ref_; }

private:
    template <class U>
    friend class shared_ptr;
    friend class atomic_shared_ptr<T>;
    template <class U, class... A>
    friend shared_ptr<U> make_shared_in(domain& home, A&&... args);
    template <class U, class... A>
    friend shared_ptr<U> make_shared(A&&... args);

    shared_ptr(conex_ref* ref, T* value) noexcept : ref_(ref), value_(value) {}

    /// Takes over a reference that a C function gave out.
    explicit shared_ptr(conex_ref* taken) noexcept
        : ref_(taken), value_(taken == nullptr ? nullptr : static_cast<T*>(conex_ref_value(taken))) {
        if (value_ != nullptr) detail::tsan_acquire(value_);
    }

    void retain() const noexcept {
        if (ref_ != nullptr) detail::require_ok(conex_ref_retain(ref_), "a reference was copied");
    }

    /// The reference is somebody else's from now on.
    conex_ref* give() noexcept {
        value_ = nullptr;
        return std::exchange(ref_, nullptr);
    }

    template <class... A>
    static shared_ptr make(conex_domain* home, A&&... args) {
        static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>,
                      "conex: make_shared makes one object of a type that is not const");
        static_assert(alignof(T) <= 4096, "conex: a value's alignment must not exceed 4096");
        struct call {
            std::tuple<A&&...> args;
            detail::stash thrown;
        } now{std::tuple<A&&...>(std::forward<A>(args)...), {}};
        const conex_ref_make_fn construct = [](void* to, void* ctx) -> std::int32_t {
            call& mine = *static_cast<call*>(ctx);
            return mine.thrown.template run<std::int32_t>(detail::callback_threw, [&]() -> std::int32_t {
                std::apply([to](auto&&... each) { ::new (to) T(std::forward<decltype(each)>(each)...); },
                           std::move(mine.args));
                return 0;
            });
        };
        conex_element element = CONEX_ELEMENT_WORD;
        element.size = sizeof(T);
        element.align = alignof(T);
        element.drop = [](void* value, void*) noexcept {
            detail::tsan_acquire(value);
            static_cast<T*>(value)->~T();
        };
        conex_ref* made = nullptr;
        now.thrown.check(conex_ref_make(home, &element, construct, &now, &made));
        return shared_ptr(made);
    }

    conex_ref* ref_ = nullptr;
    T* value_ = nullptr;
};

/// A new value, `T(args...)`, for places of the default domain.
///
/// Lock-free if the allocator is; allocates one block. Throws `std::bad_alloc` and what the constructor throws.
template <class T, class... A>
[[nodiscard]] shared_ptr<T> make_shared(A&&... args) {
    return shared_ptr<T>::make(nullptr, std::forward<A>(args)...);
}

/// A new value, `T(args...)`, for places of the given domain, which must outlive it.
///
/// As `make_shared`; throws `std::logic_error` for a domain that was moved from.
template <class T, class... A>
[[nodiscard]] shared_ptr<T> make_shared_in(domain& home, A&&... args) {
    return shared_ptr<T>::make(detail::named(&home), std::forward<A>(args)...);
}

/// A place that holds a `shared_ptr`, in the shape of `std::atomic<std::shared_ptr<T>>`: any thread may read and write it
/// at any time, without a lock inside.
///
/// Neither copied nor moved. Every operation is acquire and release at once; there is no parameter for the order.
/// \code
/// conex::atomic_shared_ptr<const config> current(conex::make_shared<config>(...));
/// auto seen = current.load();          // a reference of one's own, for as long as one likes
/// current.store(conex::make_shared<config>(...));
/// \endcode
template <class T>
class atomic_shared_ptr {
public:
    using value_type = shared_ptr<T>;
    static constexpr bool is_always_lock_free = true;

    /// A place of the default domain. Allocates; throws `std::bad_alloc`.
    atomic_shared_ptr() : atomic_shared_ptr(static_cast<conex_domain*>(nullptr), nullptr) {}

    /// A place of the default domain that holds `first`. Allocates; throws `std::bad_alloc`, and `std::logic_error` if
    /// `first` is of another domain.
    atomic_shared_ptr(shared_ptr<T> first) : atomic_shared_ptr(static_cast<conex_domain*>(nullptr), std::move(first)) {}

    /// A place of the given domain, which must outlive it. Throws as above.
    explicit atomic_shared_ptr(domain& home, shared_ptr<T> first = nullptr)
        : atomic_shared_ptr(detail::named(&home), std::move(first)) {}

    atomic_shared_ptr(const atomic_shared_ptr&) = delete;
    atomic_shared_ptr& operator=(const atomic_shared_ptr&) = delete;

    /// Releases what it holds. Nobody uses the place any more.
    ~atomic_shared_ptr() { detail::require_ok(conex_shared_destroy(handle_), "a shared place was destroyed"); }

    [[nodiscard]] bool is_lock_free() const noexcept { return true; }

    /// A reference to what the place holds. Lock-free; allocates nothing; throws nothing.
    [[nodiscard]] shared_ptr<T> load() const noexcept {
        conex_ref* seen = nullptr;
        detail::require_ok(conex_shared_load(handle_, &seen), "a shared place was read");
        return shared_ptr<T>(seen);
    }
    operator shared_ptr<T>() const noexcept { return load(); }

    /// Puts a reference into the place and gives up what was there, which destroys it if that was its last reference.
    ///
    /// Wait-free but for that. Throws `std::logic_error` if `next` is of another domain than the place.
    void store(shared_ptr<T> next) {
        static_cast<void>(exchange(std::move(next)));
    }
    void operator=(shared_ptr<T> next) { store(std::move(next)); }

    /// Puts a reference into the place and returns what was there. Wait-free; throws as `store`.
    shared_ptr<T> exchange(shared_ptr<T> next) {
        published(next);
        conex_ref* old = nullptr;
        detail::check(conex_shared_exchange(handle_, next.native_handle(), &old));
        static_cast<void>(next.give());
        return shared_ptr<T>(old);
    }

    /// Puts `next` into the place if that holds `expected`, the same value and not an equal one; else `expected` becomes
    /// what the place holds.
    ///
    /// Lock-free; allocates nothing; throws as `store`.
    bool compare_exchange_strong(shared_ptr<T>& expected, shared_ptr<T> next) {
        published(next);
        conex_ref* actual = nullptr;
        const conex_status status = detail::check(
            conex_shared_compare_exchange(handle_, expected.native_handle(), next.native_handle(), &actual));
        if (status == CONEX_OK) {
            static_cast<void>(next.give());
            return true;
        }
        expected = shared_ptr<T>(actual);
        return false;
    }

    /// The same: it does not fail without a reason.
    bool compare_exchange_weak(shared_ptr<T>& expected, shared_ptr<T> next) {
        return compare_exchange_strong(expected, std::move(next));
    }

    /// The place of the C API, still owned by this object.
    [[nodiscard]] conex_shared* native_handle() const noexcept { return handle_; }

private:
    atomic_shared_ptr(conex_domain* home, shared_ptr<T> first) {
        published(first);
        detail::check(conex_shared_new(home, first.native_handle(), &handle_));
        static_cast<void>(first.give());
    }

    static void published(const shared_ptr<T>& next) noexcept {
        if (next != nullptr) detail::tsan_release(next.get());
    }

    conex_shared* handle_ = nullptr;
};

}  // namespace conex

#endif
