// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::rcu_domain` and its functions: read-copy-update in the shape of C++26's `<rcu>` (P2545), over domains and guards.
#ifndef CONEX_RCU_HPP
#define CONEX_RCU_HPP

#include <conex/detail/deleter_room.hpp>
#include <conex/domain.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <thread>
#include <type_traits>
#include <utility>

namespace conex {

class rcu_domain;
rcu_domain& rcu_default_domain() noexcept;

/// Where readers and writers of read-copy-update meet. A *region of RCU protection* lasts from `lock` to `unlock`: objects
/// that were reachable when it began are not ended before it ends. Meets the requirements of a lock, for
/// `std::scoped_lock region(conex::rcu_default_domain());`.
///
/// Differences from the standard's: there may be several, each over a `conex::domain`; `lock` and `unlock` may run the
/// deleters of retired objects, as every use of a domain may; a thread's first region in a domain allocates, and without
/// memory for that the program ends.
class rcu_domain {
public:
    /// Over a domain, whose containers' guards it shares. The domain must outlive it.
    explicit rcu_domain(domain& home) : home_(detail::named(&home)) {}
    rcu_domain(const rcu_domain&) = delete;
    rcu_domain& operator=(const rcu_domain&) = delete;

    /// Begins a region on the calling thread. Regions nest, also in those of other domains.
    ///
    /// Lock-free; throws nothing. Allocates on the thread's first use of the domain.
    void lock() noexcept {
        detail::require_ok(conex_domain_lock(home_), "a region of RCU protection was begun");
    }

    /// As `lock`, which never waits.
    bool try_lock() noexcept {
        lock();
        return true;
    }

    /// Ends the region that the calling thread began last in this domain. May run deleters.
    ///
    /// Lock-free if they are; throws nothing.
    void unlock() noexcept {
        detail::tsan_release(home_);
        detail::require_ok(conex_domain_unlock(home_), "a region of RCU protection was ended");
    }

    /// The domain of the C API.
    [[nodiscard]] conex_domain* native_handle() const noexcept { return home_; }

private:
    friend rcu_domain& rcu_default_domain() noexcept;

    explicit rcu_domain(conex_domain* home) noexcept : home_(home) {}

    conex_domain* home_;
};

/// The domain that is used where none is named: over the default domain. Lives as long as the process.
[[nodiscard]] inline rcu_domain& rcu_default_domain() noexcept {
    // Never destroyed: static destructors may still use it.
    alignas(rcu_domain) static unsigned char place[sizeof(rcu_domain)];
    static rcu_domain* const instance = ::new (static_cast<void*>(place)) rcu_domain(conex_domain_default());
    return *instance;
}

/// The base of objects that are retired without memory of their own for it, shaped like `std::rcu_obj_base`.
///
/// \tparam T the class that derives from it.
/// \tparam D what ends an object: callable as `d(object)`, default constructible, movable, and neither its move nor its
///         call throws.
template <class T, class D = std::default_delete<T>>
class rcu_obj_base : private detail::deleter_room<D> {
public:
    /// Hands the object over; `deleter(object)` ends it when every region that had begun by now has ended.
    ///
    /// The object is unreachable for regions that begin later, and retired once. Lock-free; allocates nothing; throws
    /// nothing. The deleter runs once, later, on any thread that uses the domain, and those of others may run now, here.
    void retire(D deleter = D(), rcu_domain& home = rcu_default_domain()) noexcept {
        static_assert(std::is_base_of_v<rcu_obj_base, T>, "conex: rcu_obj_base<T> is a base of T");
        static_assert(std::is_invocable_v<D&, T*>, "conex: the deleter must be callable with the pointer");
        this->kept() = std::move(deleter);
        const conex_retire_fn run = [](void* ptr, void* ctx) noexcept {
            detail::tsan_acquire(ctx);
            T* const object = static_cast<T*>(ptr);
            D last(std::move(static_cast<rcu_obj_base&>(*object).kept()));
            last(object);
        };
        conex_domain* const where = home.native_handle();
        detail::tsan_release(where);
        detail::require_ok(
            conex_domain_retire_node(where, &node_, static_cast<T*>(this), sizeof(T), run, where),
            "an object could not be retired");
    }

protected:
    rcu_obj_base() = default;
    rcu_obj_base(const rcu_obj_base&) noexcept {}
    rcu_obj_base(rcu_obj_base&&) noexcept {}
    rcu_obj_base& operator=(const rcu_obj_base&) noexcept { return *this; }
    rcu_obj_base& operator=(rcu_obj_base&&) noexcept { return *this; }
    ~rcu_obj_base() = default;

private:
    conex_retire_node node_;
};

/// Waits until every region that had begun by now has ended.
///
/// Not inside a region of the calling thread or in a deleter: that ends the program with a message, for it could never
/// return. May run deleters.
inline void rcu_synchronize(rcu_domain& home = rcu_default_domain()) noexcept {
    conex_domain* const where = home.native_handle();
    detail::require_ok(conex_domain_barrier(where, 0) == CONEX_ERR_STALLED ? CONEX_ERR_STALLED : CONEX_OK,
                       "rcu_synchronize inside a region of RCU protection or a deleter");
    // What is retired now is ended when those regions have ended.
    std::atomic<bool> ended{false};
    const conex_retire_fn note = [](void*, void* ctx) noexcept { static_cast<std::atomic<bool>*>(ctx)->store(true); };
    conex_retire_node node;
    detail::tsan_release(where);
    detail::require_ok(conex_domain_retire_node(where, &node, &ended, 0, note, &ended), "rcu_synchronize");
    for (int round = 0; !ended.load(); ++round) {
        detail::require_ok(conex_domain_flush(where), "rcu_synchronize");
        if (round < 16) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    }
    detail::tsan_acquire(where);
}

/// Waits until every object that was retired by now has been ended. As `rcu_synchronize`, not inside a region or a deleter.
///
/// It waits for objects that hazard pointers of the domain protect, too, if they have been retired.
inline void rcu_barrier(rcu_domain& home = rcu_default_domain()) noexcept {
    detail::require_ok(conex_domain_barrier(home.native_handle(), UINT64_MAX), "rcu_barrier");
    detail::tsan_acquire(home.native_handle());
}

/// Ends `object` by `deleter(object)` when every region that had begun by now has ended.
///
/// As `rcu_obj_base::retire`, for objects of any class; allocates one small block, and one for a deleter with state. Throws
/// `std::bad_alloc`, and then the object is still the caller's; `std::logic_error` for a null object.
template <class T, class D = std::default_delete<T>>
void rcu_retire(T* object, D deleter = D(), rcu_domain& home = rcu_default_domain()) {
    detail::retire(home.native_handle(), object, std::move(deleter));
}

}  // namespace conex

#endif
