// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::hazard_pointer`: protects one object, however long that takes, and holds back nothing else.
#ifndef CONEX_HAZARD_HPP
#define CONEX_HAZARD_HPP

#include <conex/detail/deleter_room.hpp>
#include <conex/domain.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace conex {

/// The base of objects that hazard pointers protect, shaped like C++26's `std::hazard_pointer_obj_base`.
///
/// \tparam T the class that derives from it.
/// \tparam D what ends an object: callable as `d(object)`, default constructible, movable, and neither its move nor its call throws.
///
/// Differences from the standard's: an object can be retired to a domain of one's own, and must be if the hazard pointers
/// are of that domain.
template <class T, class D = std::default_delete<T>>
class hazard_pointer_obj_base : private detail::deleter_room<D> {
public:
    /// Hands the object over; `deleter(object)` ends it when no hazard pointer of the default domain protects it.
    ///
    /// The object was unlinked from every pointer that it can be protected through, and is retired once. Lock-free;
    /// allocates nothing; throws nothing. The deleter runs once, later, on any thread that uses the domain, and those of
    /// other objects may run now, on this one; it may use containers and domains.
    void retire(D deleter = D()) noexcept { retire_to(conex_domain_default(), std::move(deleter)); }

    /// As above, for the hazard pointers of the given domain. Throws `std::logic_error` for a domain that was moved from.
    void retire(domain& home, D deleter = D()) { retire_to(detail::named(&home), std::move(deleter)); }

protected:
    hazard_pointer_obj_base() = default;
    hazard_pointer_obj_base(const hazard_pointer_obj_base&) noexcept {}
    hazard_pointer_obj_base(hazard_pointer_obj_base&&) noexcept {}
    hazard_pointer_obj_base& operator=(const hazard_pointer_obj_base&) noexcept { return *this; }
    hazard_pointer_obj_base& operator=(hazard_pointer_obj_base&&) noexcept { return *this; }
    ~hazard_pointer_obj_base() = default;

private:
    void retire_to(conex_domain* home, D&& deleter) noexcept {
        static_assert(std::is_base_of_v<hazard_pointer_obj_base, T>,
                      "conex: hazard_pointer_obj_base<T> is a base of T");
        static_assert(std::is_invocable_v<D&, T*>, "conex: the deleter must be callable with the pointer");
        this->kept() = std::move(deleter);
        const conex_retire_fn run = [](void* ptr, void* ctx) noexcept {
            detail::tsan_acquire(ctx);
            T* const object = static_cast<T*>(ptr);
            D last(std::move(static_cast<hazard_pointer_obj_base&>(*object).kept()));
            last(object);
        };
        detail::tsan_release(home);
        detail::require_ok(conex_hazard_retire_node(home, &node_, static_cast<T*>(this), sizeof(T), run, home),
                           "an object could not be retired");
    }

    conex_retire_node node_;
};

/// Protects one object at a time, shaped like C++26's `std::hazard_pointer`: while it does, the object is not ended by its
/// `retire`.
///
/// Move-only. An empty one (made without arguments, or moved from) may be destroyed, assigned to, swapped and asked whether
/// it is `empty`; nothing else. One thread at a time uses it, not always the same. Make one and use it again and again.
///
/// Differences from the standard's: an object of any class can be protected, if it is retired by
/// `hazard_pointer_obj_base::retire` or `conex_hazard_retire`; and there are domains.
/// \code
/// struct config : conex::hazard_pointer_obj_base<config> { std::string text; };
/// std::atomic<config*> current;
/// conex::hazard_pointer hp = conex::make_hazard_pointer();
/// const config* seen = hp.protect(current);   // stays until hp protects something else, is reset or destroyed
/// current.exchange(next)->retire();
/// \endcode
class hazard_pointer {
public:
    /// An empty one.
    hazard_pointer() noexcept = default;

    /// Takes over the other's protection; the other is empty then.
    hazard_pointer(hazard_pointer&& other) noexcept
        : home_(other.home_), handle_(std::exchange(other.handle_, nullptr)) {}

    /// Ends this one's protection and takes over the other's; the other is empty then.
    hazard_pointer& operator=(hazard_pointer&& other) noexcept {
        hazard_pointer taken(std::move(other));
        swap(taken);
        return *this;
    }

    hazard_pointer(const hazard_pointer&) = delete;
    hazard_pointer& operator=(const hazard_pointer&) = delete;

    /// Ends the protection.
    ~hazard_pointer() {
        if (handle_ == nullptr) return;
        detail::tsan_release(home_);
        detail::require_ok(conex_hazard_destroy(handle_), "a hazard pointer was destroyed");
    }

    /// Whether it can protect nothing.
    [[nodiscard]] bool empty() const noexcept { return handle_ == nullptr; }

    /// Loads `source` and protects what it points to, in place of what was protected before.
    ///
    /// \param source from which objects are unlinked before they are retired.
    /// \return what `source` held, which may be null; not ended before this hazard pointer protects something else, is
    ///         reset or destroyed.
    ///
    /// Lock-free: repeats only when `source` has changed; allocates nothing; throws nothing.
    template <class T>
    [[nodiscard]] T* protect(const std::atomic<T*>& source) noexcept {
        while (true) {
            // Not left to the library alone: ThreadSanitizer sees this load.
            T* const seen = source.load(std::memory_order_acquire);
            T* wanted = seen;
            if (try_protect(wanted, source)) return seen;
        }
    }

    /// Protects `ptr` if `source` still holds it, in place of what was protected before; else protects nothing.
    ///
    /// \param ptr in: what `source` was seen to hold; out: what it holds, if that is something else.
    /// \return whether `ptr` is protected.
    ///
    /// Wait-free; allocates nothing; throws nothing.
    template <class T>
    bool try_protect(T*& ptr, const std::atomic<T*>& source) noexcept {
        static_assert(sizeof(std::atomic<T*>) == sizeof(void*) && std::atomic<T*>::is_always_lock_free,
                      "conex: an atomic pointer is more than a pointer here");
        detail::tsan_release(home_);
        void* wanted = const_cast<std::remove_cv_t<T>*>(ptr);
        const conex_status status = conex_hazard_try_protect(handle_, &wanted, &source);
        if (status == CONEX_OK) {
            // Another object may have come to the same address since the caller's load.
            detail::tsan_acquire(&source);
            return true;
        }
        if (status != CONEX_MISMATCH) detail::fail("an empty hazard pointer was used", status);
        ptr = static_cast<T*>(wanted);
        return false;
    }

    /// Protects `ptr`, in place of what was protected before. Right only for an object that cannot be retired before the
    /// call returns; `protect` is for all others.
    ///
    /// Wait-free; allocates nothing; throws nothing.
    template <class T>
    void reset_protection(const T* ptr) noexcept {
        detail::tsan_release(home_);
        detail::require_ok(conex_hazard_reset(handle_, ptr), "an empty hazard pointer was used");
    }

    /// Protects nothing any more. Wait-free; allocates nothing; throws nothing.
    void reset_protection(std::nullptr_t = nullptr) noexcept { reset_protection<void>(nullptr); }

    /// Exchanges the two, and with them what they protect.
    void swap(hazard_pointer& other) noexcept {
        std::swap(home_, other.home_);
        std::swap(handle_, other.handle_);
    }

    /// The hazard pointer of the C API, still owned by this object; null if empty.
    [[nodiscard]] conex_hazard* native_handle() const noexcept { return handle_; }

private:
    friend hazard_pointer make_hazard_pointer();
    friend hazard_pointer make_hazard_pointer(domain& home);

    explicit hazard_pointer(conex_domain* home) : home_(home) { detail::check(conex_hazard_new(home, &handle_)); }

    const conex_domain* home_ = nullptr;
    conex_hazard* handle_ = nullptr;
};

/// A hazard pointer that is not empty, of the default domain.
///
/// Lock-free if the allocator is; allocates. Throws `std::bad_alloc`.
[[nodiscard]] inline hazard_pointer make_hazard_pointer() { return hazard_pointer(conex_domain_default()); }

/// A hazard pointer that is not empty, of the given domain, which must outlive it.
///
/// Lock-free if the allocator is; allocates. Throws `std::bad_alloc`, and `std::logic_error` for a domain that was moved
/// from.
[[nodiscard]] inline hazard_pointer make_hazard_pointer(domain& home) { return hazard_pointer(detail::named(&home)); }

/// Exchanges the two.
inline void swap(hazard_pointer& a, hazard_pointer& b) noexcept { a.swap(b); }

}  // namespace conex

#endif
