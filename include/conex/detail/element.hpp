// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// How a `T` becomes the bytes that the C layer moves about, and back.
///
///     plain      trivially copyable              the T itself            nothing to end
///     relocated  is_trivially_relocatable<T>     the T itself            drop = ~T
///     boxed      every other type                a pointer to a T        drop = ~T, then the box is freed
#ifndef CONEX_DETAIL_ELEMENT_HPP
#define CONEX_DETAIL_ELEMENT_HPP

#include <conex/detail/memory.hpp>
#include <conex/relocatable.hpp>

#include <cstring>
#include <type_traits>

namespace conex::detail {

/// Asked where a class is named, when `T` may still be incomplete.
template <class T>
struct object_type {
    static_assert(
        std::is_object_v<T> && !std::is_array_v<T> && std::is_same_v<T, std::remove_cv_t<T>>,
        "conex: an element type must be an object type: no reference, no array, no const; wrap it in a struct");
    static constexpr bool met = true;
};

/// Asked by the constructors.
template <class T>
struct element_requirements {
    static_assert(std::is_nothrow_destructible_v<T>, "conex: an element's destructor must not throw");
    static_assert(std::is_move_constructible_v<T>, "conex: an element type must be movable or copyable");
    static_assert(alignof(T) <= 4096, "conex: an element's alignment must not exceed 4096");
    static_assert(sizeof(T) <= (std::size_t{1} << 30),
                  "conex: an element must not be larger than 1 GiB; store a pointer");
    static constexpr bool met = true;
};

enum class storage { plain, relocated, boxed };

template <class T>
constexpr storage storage_of = std::is_trivially_copyable_v<T>      ? storage::plain
                               : is_trivially_relocatable<T>::value ? storage::relocated
                                                                    : storage::boxed;

template <class T>
constexpr bool is_plain = storage_of<T> == storage::plain;

template <class T>
constexpr bool is_boxed = storage_of<T> == storage::boxed;

/// What the C layer stores for a `T`.
template <class T>
using image = std::conditional_t<is_boxed<T>, T*, T>;

/// The `T` of a stored image.
template <class T>
T& object_at(void* stored) noexcept {
    if constexpr (is_boxed<T>) {
        return **static_cast<T**>(stored);
    } else {
        return *std::launder(static_cast<T*>(stored));
    }
}

template <class T>
const T& object_at(const void* stored) noexcept {
    return object_at<T>(const_cast<void*>(stored));
}

/// Constructs a `T` and writes its image to `place`. False when there is no memory for the box; then nothing was done.
template <class T, class... A>
bool try_construct(memory* owner, void* place, A&&... args) {
    if constexpr (is_boxed<T>) {
        if (owner == nullptr) raise(CONEX_ERR_NULL);  // the container was moved from
        block<T> box(owner->hooks());
        if (!box.allocated()) return false;
        ::new (place) image<T>(box.construct(std::forward<A>(args)...));
    } else {
        static_cast<void>(owner);
        ::new (place) T(std::forward<A>(args)...);
    }
    return true;
}

/// Ends the `T` whose image is at `place`.
template <class T>
void end(memory* owner, void* place) noexcept {
    if constexpr (is_boxed<T>) {
        dispose(owner->hooks(), *static_cast<T**>(place));
    } else {
        static_cast<void>(owner);
        object_at<T>(place).~T();
    }
}

template <class T>
void drop(void* place, void* ctx) noexcept {
    memory* owner = static_cast<memory*>(ctx);
    owner->tsan_acquire_all();
    end<T>(owner, place);
}

template <class T>
conex_element describe(memory* owner) noexcept {
    conex_element described = CONEX_ELEMENT_WORD;
    described.size = sizeof(image<T>);
    described.align = alignof(image<T>);
    if constexpr (!is_plain<T>) {
        described.drop = &drop<T>;
        described.ctx = owner;
    }
    return described;
}

/// One image on its way in or out of a container; ends its object unless the container took it.
template <class T>
class element {
public:
    explicit element(memory* owner) noexcept : owner_(owner) {}
    element(const element&) = delete;
    element& operator=(const element&) = delete;
    ~element() {
        if (live_) end<T>(owner_, bytes_);
    }

    template <class... A>
    bool try_emplace(A&&... args) {
        live_ = try_construct<T>(owner_, bytes_, std::forward<A>(args)...);
        return live_;
    }

    template <class... A>
    void emplace(A&&... args) {
        if (!try_emplace(std::forward<A>(args)...)) raise(CONEX_ERR_NO_MEMORY);
    }

    [[nodiscard]] void* address() noexcept { return bytes_; }
    [[nodiscard]] T& operator*() noexcept { return object_at<T>(bytes_); }
    [[nodiscard]] bool live() const noexcept { return live_; }

    /// The C function has written an image to `address()`.
    void filled() noexcept { live_ = true; }
    /// The C function has taken the image at `address()`.
    void taken() noexcept { live_ = false; }

private:
    alignas(image<T>) unsigned char bytes_[sizeof(image<T>)];
    memory* owner_;
    bool live_ = false;
};

/// Puts the value of a moved-from object back.
template <class T>
void restore(T& moved_from, T& value) noexcept {
    static_assert(std::is_nothrow_move_constructible_v<T>);
    moved_from.~T();
    ::new (static_cast<void*>(std::addressof(moved_from))) T(std::move(value));
}

/// A caller's object offered to a container: copied if `Lender` is const, moved if not. Unless it is taken, the caller
/// gets the value back: it was moved only if its move cannot throw, so it can be moved back; otherwise it was copied.
template <class T, class Lender = T>
class offer {
public:
    explicit offer(memory* owner, Lender& lender) noexcept : lender_(lender), element_(owner) {}
    offer(const offer&) = delete;
    offer& operator=(const offer&) = delete;
    ~offer() {
        if constexpr (!std::is_const_v<Lender> && std::is_nothrow_move_constructible_v<T>) {
            if (element_.live()) restore(lender_, *element_);
        }
    }

    /// False when there is no memory; throws what the constructor of `T` throws.
    bool prepare() { return element_.try_emplace(std::move_if_noexcept(lender_)); }

    [[nodiscard]] void* address() noexcept { return element_.address(); }
    void taken() noexcept { element_.taken(); }

private:
    Lender& lender_;
    element<T> element_;
};

}  // namespace conex::detail

#endif
