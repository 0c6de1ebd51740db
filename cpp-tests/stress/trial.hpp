// SPDX-License-Identifier: MIT OR Apache-2.0
// What a stress test is made of, whatever it tests.
#ifndef CONEX_TESTS_STRESS_TRIAL_HPP
#define CONEX_TESTS_STRESS_TRIAL_HPP

#include <chrono>

#include "support/threads.hpp"
#include "support/types.hpp"

namespace stress {

inline constexpr std::chrono::seconds patience(120);

/// The first object of a stress test: threads are to go on while it is `running`, it ends the program when one of them does
/// not come back, and when all that the test made is gone, it looks whether every element was destroyed once.
struct trial {
    types::balance balance;
    support::watchdog dog{patience};
    support::timer time;

    [[nodiscard]] bool running() const { return time.running(); }
};

}  // namespace stress

#endif
