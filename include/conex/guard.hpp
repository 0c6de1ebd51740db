// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::guard`: a session over many operations on one thread.
#ifndef CONEX_GUARD_HPP
#define CONEX_GUARD_HPP

#include <conex/domain.hpp>

namespace conex {

/// While a guard lives, nothing that was retired to its domain after it began is freed.
///
/// It serves two purposes: many container operations inside its scope share one entry into the domain and get cheaper,
/// and references from `map::find` stay valid. A guard belongs to the thread that made it and must be destroyed there,
/// so it can be neither copied nor moved. Guards nest. The memory that it holds back grows while it lives: keep it
/// short, or `refresh` it.
/// \code
/// conex::guard session;
/// for (auto const& word : words) counts.fetch_add(word, 1);
/// \endcode
class [[nodiscard]] guard {
public:
    /// Enters the default domain.
    ///
    /// Lock-free if the allocator is; allocates. Throws `std::bad_alloc`.
    explicit guard() : guard(conex_domain_default()) {}

    /// Enters the given domain, which must outlive the guard.
    ///
    /// Lock-free if the allocator is; allocates. Throws `std::bad_alloc`.
    explicit guard(domain& home) : guard(detail::named(&home)) {}

    /// Enters a domain of the C API; null means the default domain.
    ///
    /// Lock-free if the allocator is; allocates. Throws `std::bad_alloc`, and `std::logic_error` for what is not a domain.
    explicit guard(conex_domain* home) : home_(home) { detail::check(conex_guard_enter(home, &handle_)); }

    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;

    /// Leaves the domain. References that were got under this guard end here.
    ///
    /// Lock-free if the deleters of retired objects are; some of them may run now, on this thread.
    ~guard() {
        detail::tsan_release(home_);
        detail::require_ok(conex_guard_leave(handle_), "a guard was left");
    }

    /// Leaves and enters at once: ends the validity of references and lets memory go. No effect on a guard nested in
    /// another of the same thread and domain.
    ///
    /// Lock-free if the deleters of retired objects are; allocates nothing.
    void refresh() {
        detail::tsan_release(home_);
        detail::check(conex_guard_refresh(handle_));
    }

    /// The guard of the C API, still owned by this object.
    [[nodiscard]] conex_guard* native_handle() const noexcept { return handle_; }

private:
    const conex_domain* home_;
    conex_guard* handle_ = nullptr;
};

}  // namespace conex

#endif
