// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::status` and the version of the library that is loaded.
#ifndef CONEX_STATUS_HPP
#define CONEX_STATUS_HPP

#include <conex/conex.h>
#include <conex/detail/config.hpp>

#include <cstdint>

namespace conex {

/// What a C function answered; the values are those of `conex_status`.
///
/// The C++ layer turns statuses into `bool`, `std::optional` and exceptions, so a program meets this type only when it
/// calls the C functions through a `native_handle()`.
enum class status : std::int32_t {
    ok = CONEX_OK,                        ///< done
    empty = CONEX_EMPTY,                  ///< nothing to take
    full = CONEX_FULL,                    ///< no room
    closed = CONEX_CLOSED,                ///< closed, and nothing left
    busy = CONEX_BUSY,                    ///< still in use
    timeout = CONEX_TIMEOUT,              ///< the time given was not enough
    not_found = CONEX_NOT_FOUND,          ///< no such key
    exists = CONEX_EXISTS,                ///< the key is there already
    mismatch = CONEX_MISMATCH,            ///< the value is not the expected one
    err_null = CONEX_ERR_NULL,            ///< a pointer that must not be null was
    err_invalid = CONEX_ERR_INVALID,      ///< an argument outside what is allowed
    err_no_memory = CONEX_ERR_NO_MEMORY,  ///< the allocator had no memory; nothing was changed
    err_handle = CONEX_ERR_HANDLE,        ///< not a live handle of the right kind
    err_stalled = CONEX_ERR_STALLED,      ///< waiting could never end: the caller itself holds it up
    err_panic = CONEX_ERR_PANIC,          ///< a fault inside the library or a callback that failed
};

/// The meaning of a status as a sentence: what was wrong and what is allowed.
///
/// \return static text, never null, also for values that are no status.
/// Wait-free; allocates nothing; throws nothing.
[[nodiscard]] inline const char* to_string(status value) noexcept {
    return conex_status_string(static_cast<std::int32_t>(value));
}

/// The version of the library that is loaded, as `CONEX_VERSION_NUMBER` is written.
///
/// It differs from the macro when the program runs with another shared library than it was compiled for.
/// Wait-free; allocates nothing; throws nothing.
[[nodiscard]] inline std::uint32_t version() noexcept { return conex_version(); }

/// The version of the library that is loaded, as text ("0.1.0"). Static text, never null.
/// Wait-free; allocates nothing; throws nothing.
[[nodiscard]] inline const char* version_string() noexcept { return conex_version_string(); }

}  // namespace conex

#endif
