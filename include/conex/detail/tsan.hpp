// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// ThreadSanitizer annotations.
///
/// The shipped library is not instrumented, so the tool cannot see that a push happens before the pop that returns the
/// element. These two calls tell it, with the address of the container (publication) or of the domain (reclamation) as
/// the name of the edge. They are coarser than the truth: they may hide a race, they never invent one.
#ifndef CONEX_DETAIL_TSAN_HPP
#define CONEX_DETAIL_TSAN_HPP

#include <conex/detail/config.hpp>

#if CONEX_DETAIL_TSAN && CONEX_TSAN_ANNOTATE
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace conex::detail {

/// All that this thread did so far happens before a later `tsan_acquire` of the same address.
inline void tsan_release([[maybe_unused]] const void* address) noexcept {
#if CONEX_DETAIL_TSAN && CONEX_TSAN_ANNOTATE
    __tsan_release(const_cast<void*>(address));
#endif
}

/// All that was released to this address happens before what this thread does next.
inline void tsan_acquire([[maybe_unused]] const void* address) noexcept {
#if CONEX_DETAIL_TSAN && CONEX_TSAN_ANNOTATE
    __tsan_acquire(const_cast<void*>(address));
#endif
}

}  // namespace conex::detail

#endif
