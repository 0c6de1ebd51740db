// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::domain`: where removed memory waits until no thread can be reading it.
#ifndef CONEX_DOMAIN_HPP
#define CONEX_DOMAIN_HPP

#include <conex/detail/raise.hpp>
#include <conex/detail/tsan.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace conex {

/// A snapshot of a domain; see `domain::stats`.
struct domain_stats {
    std::size_t pending_objects;            ///< retired and not yet freed
    std::size_t pending_bytes;              ///< their size, as it was given when they were retired
    std::size_t guards;                     ///< guards held now, on any thread
    std::chrono::nanoseconds oldest_guard;  ///< how long the oldest of them has been held since its last refresh
};

namespace detail {
/// Hands over `object`, which `deleter(object)` ends when no guard can see it.
template <class T, class D>
void retire(conex_domain* home, T* object, D deleter) {
    static_assert(std::is_object_v<T>, "conex: retire needs a pointer to an object, not to void or a function");
    static_assert(sizeof(T) != 0, "conex: retire needs a complete type: its destructor runs later");
    static_assert(std::is_invocable_v<D&, T*>, "conex: the deleter must be callable with the pointer");
    if (object == nullptr) raise(CONEX_ERR_NULL);
    tsan_release(home);
    void* const raw = const_cast<std::remove_cv_t<T>*>(object);
    if constexpr (std::is_empty_v<D> && std::is_default_constructible_v<D>) {
        const conex_retire_fn run = [](void* ptr, void* ctx) noexcept {
            tsan_acquire(ctx);
            D()(static_cast<T*>(ptr));
        };
        check(conex_domain_retire(home, raw, sizeof(T), run, home));
    } else {
        struct parcel {
            D deleter;
            conex_domain* origin;
        };
        const conex_retire_fn run = [](void* ptr, void* ctx) noexcept {
            tsan_acquire(ctx);
            const std::unique_ptr<parcel> opened(static_cast<parcel*>(ctx));
            tsan_acquire(opened->origin);
            opened->deleter(static_cast<T*>(ptr));
        };
        std::unique_ptr<parcel> packed(new parcel{std::move(deleter), home});
        tsan_release(packed.get());
        check(conex_domain_retire(home, raw, sizeof(T), run, packed.get()));
        static_cast<void>(packed.release());
    }
}
}  // namespace detail

/// A reclamation domain: memory retired to it is freed when every guard that could still see it is gone.
///
/// Containers that name no domain share the default one. A domain of one's own keeps a subsystem whose guards are held
/// for long from holding back the memory of the others.
///
/// Move-only. A domain that was moved from may only be destroyed or assigned to; other uses throw `std::logic_error`.
/// Every other member function may be called from any number of threads at once.
class domain {
public:
    /// A new, empty domain.
    ///
    /// Allocates. Throws `std::bad_alloc` for want of memory.
    domain() { detail::check(conex_domain_new(nullptr, &handle_)); }

    /// A new domain that calls `told` when at least `limit` bytes wait in it, and again each time that twice as much waits;
    /// when less than half of `limit` waits, it begins anew.
    ///
    /// \param limit not 0.
    /// \param told  called by a thread that retires, inside that operation, by several at the same time perhaps; it must
    ///        not throw, and may use containers and domains, but not this one's `barrier`. It gets the pending bytes and
    ///        the age of the oldest guard; `stats` has the other numbers.
    ///
    /// Allocates. Throws `std::bad_alloc`; `std::logic_error` for a limit of 0 or an empty function.
    domain(std::size_t limit, std::function<void(const domain_stats&)> told)
        : told_(std::make_unique<std::function<void(const domain_stats&)>>(std::move(told))) {
        if (limit == 0 || !*told_) detail::raise(CONEX_ERR_INVALID);
        conex_domain_options options = CONEX_DOMAIN_OPTIONS_INIT;
        options.limit_bytes = limit;
        options.limit_ctx = told_.get();
        options.on_limit = [](std::size_t bytes, std::uint64_t age, void* ctx) noexcept {
            const auto oldest = std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(age));
            (*static_cast<const std::function<void(const domain_stats&)>*>(ctx))({0, bytes, 0, oldest});
        };
        detail::check(conex_domain_new(&options, &handle_));
    }

    /// Takes the other's domain. The containers and guards that use it go on using it.
    domain(domain&& other) noexcept : told_(std::move(other.told_)), handle_(std::exchange(other.handle_, nullptr)) {}

    /// Destroys this domain as the destructor would and takes the other's.
    domain& operator=(domain&& other) noexcept {
        domain taken(std::move(other));
        std::swap(told_, taken.told_);
        std::swap(handle_, taken.handle_);
        return *this;
    }

    domain(const domain&) = delete;
    domain& operator=(const domain&) = delete;

    /// Frees what is pending, running its deleters on this thread, then the domain.
    ///
    /// No container and no guard may use it any more: that is a bug which ends the program with a message.
    ~domain() {
        if (handle_ != nullptr && handle_ != conex_domain_default()) {
            detail::tsan_acquire(handle_);
            detail::require_ok(conex_domain_destroy(handle_), "a domain was destroyed while in use");
        }
    }

    /// The domain of the containers and guards that name none. It lives as long as the process.
    ///
    /// Allocates at its first use in the process; throws `std::bad_alloc` if there is no memory for it then.
    [[nodiscard]] static domain& default_domain() {
        // Never destroyed: static destructors may still use it.
        alignas(domain) static unsigned char place[sizeof(domain)];
        static domain* const instance = ::new (static_cast<void*>(place)) domain(conex_domain_default());
        if (instance->handle_ == nullptr) detail::raise(CONEX_ERR_NO_MEMORY);
        return *instance;
    }

    /// Hands over an object that other threads may still be reading under a guard; `delete`s it when none can be.
    ///
    /// \param object from `new`, already unreachable for threads that come later; not null. Owned by the domain when the
    ///        call returns, still by the caller when it throws.
    ///
    /// Lock-free if the allocator is. The destructor runs once, later, on any thread that uses the domain; it may use
    /// containers and domains and must not throw. Throws `std::bad_alloc`; `std::logic_error` for a null object.
    template <class T>
    void retire(T* object) {
        retire(object, std::default_delete<T>());
    }

    /// As above, with `deleter(object)` in place of `delete`.
    ///
    /// \param deleter callable as `deleter(object)`; must not throw. If it has no state nothing is allocated for it.
    template <class T, class D>
    void retire(T* object, D deleter) {
        detail::retire(handle(), object, std::move(deleter));
    }

    /// One step towards freeing what is pending; never waits. Deleters may run on this thread.
    ///
    /// Lock-free if the deleters are.
    void flush() { detail::check(conex_domain_flush(handle())); }

    /// Waits until everything that any thread retired before the call has been freed.
    ///
    /// \param timeout how long to wait at most, on a clock that only goes forward; negative counts as zero, which makes
    ///        one attempt.
    /// \return false when the time ran out, most often because another thread held a guard throughout.
    ///
    /// May block; allocates nothing. Deleters may run on this thread. Throws `std::logic_error` when the calling thread
    /// itself holds a guard of the domain, since the wait could never end.
    template <class Rep, class Period>
    [[nodiscard]] bool barrier(std::chrono::duration<Rep, Period> timeout) {
        return detail::check(conex_domain_barrier(handle(), nanoseconds(timeout))) == CONEX_OK;
    }

    /// Figures of this moment; other threads change them meanwhile.
    ///
    /// Lock-free; allocates nothing.
    [[nodiscard]] domain_stats stats() const {
        conex_domain_stats now = CONEX_DOMAIN_STATS_INIT;
        detail::check(conex_domain_stats_get(handle(), &now));
        return {now.pending_objects, now.pending_bytes, now.guards,
                std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(now.oldest_guard_ns))};
    }

    /// The domain of the C API, still owned by this object; null after a move.
    [[nodiscard]] conex_domain* native_handle() const noexcept { return handle_; }

private:
    explicit domain(conex_domain* adopted) noexcept : handle_(adopted) {}

    /// To the C functions a null domain is the default one; here it is one that was moved from.
    [[nodiscard]] conex_domain* handle() const {
        if (handle_ == nullptr) detail::raise(CONEX_ERR_NULL);
        return handle_;
    }

    template <class Rep, class Period>
    static std::uint64_t nanoseconds(std::chrono::duration<Rep, Period> time) noexcept {
        using limit = std::chrono::duration<double, std::nano>;
        if (time <= time.zero()) return 0;
        if (limit(time) >= limit(9.0e18)) return UINT64_MAX;
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
    }

    std::unique_ptr<std::function<void(const domain_stats&)>> told_;
    conex_domain* handle_ = nullptr;
};

namespace detail {
/// The domain that an option or an argument names; null, for the default one, if it names none.
inline conex_domain* named(const domain* wanted) {
    if (wanted == nullptr) return nullptr;
    if (wanted->native_handle() == nullptr) raise(CONEX_ERR_NULL);  // it was moved from
    return wanted->native_handle();
}
}  // namespace detail

}  // namespace conex

#endif
