// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// From a negative `conex_status` to an exception, or to a message and `std::abort` where there are no exceptions.
#ifndef CONEX_DETAIL_RAISE_HPP
#define CONEX_DETAIL_RAISE_HPP

#include <conex/conex.h>
#include <conex/detail/config.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#if CONEX_DETAIL_EXCEPTIONS
#include <stdexcept>
#endif

namespace conex::detail {

[[noreturn]] inline void fail(const char* what, conex_status status) noexcept {
    std::fprintf(stderr, "conex: %s: %s\n", what, conex_status_string(static_cast<std::int32_t>(status)));
    std::abort();
}

/// `std::bad_alloc` for want of memory, `std::logic_error` with the status' text for everything else.
[[noreturn]] inline void raise(conex_status status) {
#if CONEX_DETAIL_EXCEPTIONS
    if (status == CONEX_ERR_NO_MEMORY) throw std::bad_alloc();
    throw std::logic_error(conex_status_string(static_cast<std::int32_t>(status)));
#else
    fail("error in a program without exceptions", status);
#endif
}

/// Passes ordinary outcomes on, raises errors.
inline conex_status check(conex_status status) {
    if (status < 0) raise(status);
    return status;
}

/// For destructors, which cannot report: an error here is a bug of the program that must not pass in silence.
inline void require_ok(conex_status status, const char* what) noexcept {
    if (status != CONEX_OK) fail(what, status);
}

}  // namespace conex::detail

#endif
