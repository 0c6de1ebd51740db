// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that start together, seeded randomness, and a clock for tests that run for a time.
//
//   CONEX_STRESS_SECONDS   how long a stress case runs with each number of threads (default 0.5)
//   CONEX_SEED             the seed, to repeat a run; it is printed by every test that uses it
#ifndef CONEX_TESTS_THREADS_HPP
#define CONEX_TESTS_THREADS_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "support/check.hpp"

namespace support {

inline double stress_seconds() {
    const char* const text = std::getenv("CONEX_STRESS_SECONDS");
    const double seconds = text != nullptr ? std::atof(text) : 0.5;
    return seconds > 0.0 ? seconds : 0.5;
}

inline std::uint64_t seed() {
    static const std::uint64_t chosen = [] {
        const char* const text = std::getenv("CONEX_SEED");
        const std::uint64_t value = text != nullptr ? std::strtoull(text, nullptr, 0) : std::random_device{}();
        std::printf("CONEX_SEED=%llu\n", static_cast<unsigned long long>(value));
        std::fflush(stdout);
        return value;
    }();
    return chosen;
}

/// A small fast generator (splitmix64); each thread has its own, all derived from the one seed.
class dice {
public:
    explicit dice(std::uint64_t stream) : state_(seed() + stream * 0x9e3779b97f4a7c15U) {}
    std::uint64_t roll() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    /// 0 to bound - 1.
    std::uint64_t below(std::uint64_t bound) noexcept { return roll() % bound; }

private:
    std::uint64_t state_;
};

/// Tells the threads of a case when the time is up. Every thread gets one turn at least, however late it comes.
class timer {
public:
    explicit timer(double seconds = stress_seconds())
        : end_(std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                      std::chrono::duration<double>(seconds))) {
        static std::atomic<std::uint64_t> made{0};
        identity_ = made.fetch_add(1) + 1;
    }
    [[nodiscard]] bool running() const {
        static thread_local std::uint64_t met = 0;
        if (met != identity_) {
            met = identity_;
            return true;
        }
        return std::chrono::steady_clock::now() < end_;
    }

private:
    std::chrono::steady_clock::time_point end_;
    std::uint64_t identity_;
};

/// Runs `body(index)` on `count` threads that start together, and waits for them.
template <class F>
void on_threads(unsigned count, F body) {
    std::atomic<unsigned> ready{0};
    std::vector<std::thread> threads;
    threads.reserve(count);
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&ready, &body, count, i] {
            ready.fetch_add(1);
            while (ready.load() < count) std::this_thread::yield();
            body(i);
        });
    }
    for (std::thread& each : threads) each.join();
}

/// Every stress case runs with these numbers of threads: the machine's own, and more than it has.
constexpr unsigned thread_counts[] = {2, 4, 16};

/// Runs `body(index, generation)` on `count` threads at a time until the time is up. Each body should be short: when its
/// thread has ended, a new one takes its place.
template <class F>
void on_passing_threads(unsigned count, const timer& time, F body) {
    on_threads(count, [&](unsigned index) {
        for (std::uint64_t generation = 0; time.running(); ++generation) {
            std::thread([&] { body(index, generation); }).join();
        }
    });
}

/// Ends the program with a message when a test takes longer than any working library would need.
class watchdog {
public:
    explicit watchdog(std::chrono::seconds limit)
        : thread_([this, limit] {
              for (auto waited = std::chrono::milliseconds(0); waited < limit;
                   waited += std::chrono::milliseconds(10)) {
                  if (done_.load()) return;
                  std::this_thread::sleep_for(std::chrono::milliseconds(10));
              }
              if (done_.load()) return;
              std::fprintf(stderr, "watchdog: a thread has not come back\n");
              std::abort();
          }) {}
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog() {
        done_.store(true);
        thread_.join();
    }

private:
    std::atomic<bool> done_{false};
    std::thread thread_;
};

}  // namespace support

#endif
