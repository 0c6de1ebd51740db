// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// Where boxes come from.
///
/// A container whose elements need work at the end of their lives owns one `memory` object. Its address is the `ctx` of
/// the element callbacks, so it stays where it is while the container is moved, and it outlives the C container.
#ifndef CONEX_DETAIL_MEMORY_HPP
#define CONEX_DETAIL_MEMORY_HPP

#include <conex/detail/raise.hpp>
#include <conex/detail/tsan.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace conex::detail {

/// Null when there is no memory. Half a pair of hooks counts as none; the C constructor refuses it later.
inline void* allocate(const conex_allocator& hooks, std::size_t size, std::size_t align) noexcept {
    if (hooks.alloc != nullptr && hooks.free != nullptr) return hooks.alloc(size, align, hooks.ctx);
    return ::operator new(size, std::align_val_t(align), std::nothrow);
}

inline void release(const conex_allocator& hooks, void* block, std::size_t size, std::size_t align) noexcept {
    if (hooks.alloc != nullptr && hooks.free != nullptr) {
        hooks.free(block, size, align, hooks.ctx);
    } else {
        ::operator delete(block, std::align_val_t(align));
    }
}

/// An allocated, not yet constructed `T`: freed again when the constructor throws.
template <class T>
class block {
public:
    explicit block(const conex_allocator& hooks) noexcept
        : hooks_(hooks), place_(allocate(hooks, sizeof(T), alignof(T))) {}
    block(const block&) = delete;
    block& operator=(const block&) = delete;
    ~block() {
        if (place_ != nullptr) release(hooks_, place_, sizeof(T), alignof(T));
    }

    [[nodiscard]] bool allocated() const noexcept { return place_ != nullptr; }

    template <class... A>
    T* construct(A&&... args) {
        T* made = ::new (place_) T(std::forward<A>(args)...);
        place_ = nullptr;
        return made;
    }

private:
    const conex_allocator& hooks_;
    void* place_;
};

/// Ends a `T` that a `block` constructed with the same hooks.
template <class T>
void dispose(const conex_allocator& hooks, T* object) noexcept {
    object->~T();
    release(hooks, object, sizeof(T), alignof(T));
}

class memory {
public:
    memory(const conex_allocator& hooks, const conex_domain* domain) noexcept : hooks_(hooks), domain_(domain) {}

    [[nodiscard]] const conex_allocator& hooks() const noexcept { return hooks_; }

    /// Constructions by other threads, and reads of this container under their guards, happen before what follows.
    void tsan_acquire_all() const noexcept {
        tsan_acquire(this);
        tsan_acquire(domain_);
    }

private:
    conex_allocator hooks_;
    const conex_domain* domain_;
};

struct memory_delete {
    template <class M>
    void operator()(M* owned) const noexcept {
        const conex_allocator hooks = owned->hooks();
        dispose(hooks, owned);
    }
};

/// Owns the `memory` (or a class derived from it) of a container, which comes from the container's own hooks.
template <class M>
using memory_ptr = std::unique_ptr<M, memory_delete>;

template <class M, class... A>
memory_ptr<M> make_memory(const conex_allocator& hooks, const conex_domain* domain, A&&... args) {
    block<M> place(hooks);
    if (!place.allocated()) raise(CONEX_ERR_NO_MEMORY);
    return memory_ptr<M>(place.construct(hooks, domain, std::forward<A>(args)...));
}

}  // namespace conex::detail

#endif
