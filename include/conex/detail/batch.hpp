// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// A row of images, for the operations that move many elements at once.
#ifndef CONEX_DETAIL_BATCH_HPP
#define CONEX_DETAIL_BATCH_HPP

#include <conex/detail/element.hpp>

#include <iterator>

namespace conex::detail {

/// Elements on their way in or out. Images are relocatable by definition, so the row grows by copying bytes. Whatever
/// is left in it at the end is destroyed. A short row lives in the object itself.
template <class T>
class batch {
public:
    /// Elements that need no allocation: about 1 KiB of them.
    static constexpr std::size_t inline_capacity = sizeof(image<T>) >= 1024 ? 1 : 1024 / sizeof(image<T>);

    explicit batch(memory* owner) noexcept : owner_(owner) {}
    batch(const batch&) = delete;
    batch& operator=(const batch&) = delete;
    ~batch() {
        while (!empty()) drop_front();
        if (row_ != inline_) ::operator delete(row_, std::align_val_t(alignof(image<T>)));
    }

    [[nodiscard]] bool empty() const noexcept { return first_ == last_; }
    [[nodiscard]] std::size_t size() const noexcept { return last_ - first_; }
    [[nodiscard]] T& front() noexcept { return object_at<T>(slot(first_)); }

    /// The address of the first image.
    [[nodiscard]] void* data() noexcept { return slot(first_); }

    /// Room for `count` images at `data()`. The row must be empty.
    void reserve(std::size_t count) {
        if (count > capacity_) grow_to(count);
        first_ = last_ = 0;
    }

    template <class... A>
    void emplace_back(A&&... args) {
        if (last_ == capacity_) grow_to(capacity_ * 2);
        if (!try_construct<T>(owner_, slot(last_), std::forward<A>(args)...)) raise(CONEX_ERR_NO_MEMORY);
        ++last_;
    }

    /// A C function has written `count` images to `data()`.
    void filled(std::size_t count) noexcept { last_ = first_ + count; }
    /// A C function has taken the first `count` images.
    void taken(std::size_t count) noexcept { first_ += count; }

    void drop_front() noexcept {
        end<T>(owner_, slot(first_));
        ++first_;
    }

private:
    unsigned char* slot(std::size_t index) noexcept { return row_ + index * sizeof(image<T>); }

    void grow_to(std::size_t count) {
        if (count > static_cast<std::size_t>(-1) / 2 / sizeof(image<T>)) raise(CONEX_ERR_NO_MEMORY);
        const std::align_val_t align{alignof(image<T>)};
        void* grown = ::operator new(count * sizeof(image<T>), align, std::nothrow);
        if (grown == nullptr) raise(CONEX_ERR_NO_MEMORY);
        std::memcpy(grown, row_, last_ * sizeof(image<T>));
        if (row_ != inline_) ::operator delete(row_, align);
        row_ = static_cast<unsigned char*>(grown);
        capacity_ = count;
    }

    memory* owner_;
    std::size_t first_ = 0;
    std::size_t last_ = 0;
    std::size_t capacity_ = inline_capacity;
    alignas(image<T>) unsigned char inline_[inline_capacity * sizeof(image<T>)];
    unsigned char* row_ = inline_;
};

/// Gives a row that was gathered from rvalues (`std::move_iterator`) back to its source when it was not taken.
template <class T, class It>
class batch_offer {
public:
    batch_offer(It first, batch<T>& row) : source_(first), row_(row) {}
    batch_offer(const batch_offer&) = delete;
    batch_offer& operator=(const batch_offer&) = delete;
    ~batch_offer() {
        if constexpr (gives_back) {
            for (; !row_.empty(); ++source_) {
                T&& place = *source_;
                restore(place, row_.front());
                row_.drop_front();
            }
        }
    }

    void taken(std::size_t count) {
        row_.taken(count);
        if constexpr (gives_back) std::advance(source_, static_cast<std::ptrdiff_t>(count));
    }

private:
    using category = typename std::iterator_traits<It>::iterator_category;
    static constexpr bool gives_back = std::is_base_of_v<std::forward_iterator_tag, category> &&
                                       std::is_same_v<typename std::iterator_traits<It>::reference, T&&> &&
                                       std::is_nothrow_move_constructible_v<T>;
    It source_;
    batch<T>& row_;
};

}  // namespace conex::detail

#endif
