// The spinlock of the baselines: test and test-and-set, pauses, and yields once the holder is probably not running.
#pragma once

#include <atomic>

#include "../harness/platform.hpp"

namespace bench {

class spinlock {
public:
    void lock() {
        for (unsigned rounds = 0;; ++rounds) {
            if (!held_.load(std::memory_order_relaxed) && !held_.exchange(true, std::memory_order_acquire)) return;
            if (rounds < 64) relax();
            else sched_yield();
        }
    }
    void unlock() { held_.store(false, std::memory_order_release); }

private:
    std::atomic<bool> held_{false};
};

}  // namespace bench
