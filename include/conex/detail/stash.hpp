// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// How an exception crosses the C functions.
///
/// An exception must not unwind through the library. A trampoline (the C callback that calls the user's function) runs
/// it inside `stash::run`, which keeps the exception and answers a failure instead; when the C function has returned,
/// `stash::check` throws it on to the caller of the operation.
#ifndef CONEX_DETAIL_STASH_HPP
#define CONEX_DETAIL_STASH_HPP

#include <conex/detail/raise.hpp>

#if CONEX_DETAIL_EXCEPTIONS
#include <exception>
#include <utility>
#endif

namespace conex::detail {

class stash {
public:
    /// `call()`, or `failed` when it throws.
    template <class R, class F>
    R run([[maybe_unused]] R failed, F&& call) noexcept {
#if CONEX_DETAIL_EXCEPTIONS
        try {
            return call();
        } catch (...) {
            caught_ = std::current_exception();
            return failed;
        }
#else
        return call();
#endif
    }

    [[nodiscard]] bool full() const noexcept {
#if CONEX_DETAIL_EXCEPTIONS
        return caught_ != nullptr;
#else
        return false;
#endif
    }

    /// After the C function: throws what was caught, else what the status says.
    conex_status check(conex_status status) {
#if CONEX_DETAIL_EXCEPTIONS
        if (caught_ != nullptr) std::rethrow_exception(std::exchange(caught_, nullptr));
#endif
        return detail::check(status);
    }

private:
#if CONEX_DETAIL_EXCEPTIONS
    std::exception_ptr caught_;
#endif
};

/// What a trampoline answers when the user's function threw. The stash knows better than this number.
constexpr std::int32_t callback_threw = CONEX_ERR_PANIC;

}  // namespace conex::detail

#endif
