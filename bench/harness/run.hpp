// One run of one contestant: threads that are pinned, warmed up, started and stopped together, and what they report.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdarg>
#include <memory>
#include <string>
#include <thread>

#include "platform.hpp"

namespace bench {

// What the conductor decides for a run.
struct params {
    int ms = 100;            // measured time of a timed run
    int warm_ms = 15;        // run in and thrown away before it
    bool quick = false;      // smaller sizes where a run is bound by size and not by time
    double loops_per_ns = 0; // length of a `spin` round, measured once for the whole benchmark
    std::uint64_t seed = 1;
};

// Prints figures and failures; the conductor reads them. `failed` sticks: a contestant whose result is wrong has no figure.
class report {
public:
    void figure(const std::string& name, const char* metric, const char* unit, bool more_is_better, double value) {
        if (failed_ || !std::isfinite(value)) return;  // not finite: the run saw no operation
        std::printf("figure\t%s\t%s\t%s\t%s\t%.6g\n", name.c_str(), metric, unit, more_is_better ? "more" : "less", value);
    }
    void fail(const std::string& name, const char* format, ...) __attribute__((format(printf, 3, 4))) {
        char text[256];
        va_list args;
        va_start(args, format);
        std::vsnprintf(text, sizeof text, format, args);
        va_end(args);
        std::printf("failed\t%s\t%s\n", name.c_str(), text);
        failed_ = true;
    }
    bool failed() const { return failed_; }
    void next_case() { failed_ = false; }

private:
    bool failed_ = false;
};

enum class phase : int { hold, warm, measure, stop };

struct alignas(2 * cache_line) thread_count {
    std::uint64_t warm = 0;  // operations before the measured time
    std::uint64_t ops = 0;   // all operations
    std::uint64_t measured() const { return ops - warm; }
};

// Shared by the threads of a timed run. Read-mostly: the line stays in every cache until the phase changes.
struct alignas(2 * cache_line) starter {
    std::atomic<phase> now{phase::hold};
    alignas(2 * cache_line) std::atomic<int> ready{0};

    void wait_for_start() {
        ready.fetch_add(1);
        while (now.load(std::memory_order_acquire) == phase::hold) sched_yield();
    }
};

// Calls `step()`, which returns how many operations it did, until the run is over. The operations done before the
// measured time are noted, so that only the others count.
template <class Step>
void loop(starter& s, thread_count& c, Step&& step) {
    s.wait_for_start();
    std::uint64_t ops = 0;
    while (s.now.load(std::memory_order_relaxed) == phase::warm) ops += step();
    c.warm = ops;
    while (s.now.load(std::memory_order_relaxed) == phase::measure) ops += step();
    c.ops = ops;
}

// Runs `body(thread, starter, count)` on pinned threads and returns the measured seconds.
template <class Body>
double timed(const params& p, int threads, thread_count* counts, Body&& body) {
    starter s;
    std::vector<std::thread> pool;
    pool.reserve(static_cast<std::size_t>(threads));
    for (int t = 0; t < threads; ++t)
        pool.emplace_back([&, t] {
            pin(t);
            body(t, s, counts[t]);
        });
    while (s.ready.load() != threads) usleep(50);
    s.now.store(phase::warm, std::memory_order_release);
    usleep(static_cast<useconds_t>(p.warm_ms) * 1000);
    const std::uint64_t t0 = now_ns();
    s.now.store(phase::measure, std::memory_order_release);
    usleep(static_cast<useconds_t>(p.ms) * 1000);
    s.now.store(phase::stop, std::memory_order_release);
    const std::uint64_t t1 = now_ns();
    for (auto& t : pool) t.join();
    return static_cast<double>(t1 - t0) * 1e-9;
}

// Runs `body(thread)` on pinned threads that start together, until all return; the seconds of the slowest.
template <class Body>
double whole(int threads, Body&& body) {
    starter s;
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
        pool.emplace_back([&, t] {
            pin(t);
            s.wait_for_start();
            body(t);
        });
    while (s.ready.load() != threads) usleep(50);
    const std::uint64_t t0 = now_ns();
    s.now.store(phase::measure, std::memory_order_release);
    for (auto& t : pool) t.join();
    return static_cast<double>(now_ns() - t0) * 1e-9;
}

// Least over most operations of a thread: 1 = all got the same.
inline double fairness(const thread_count* c, int n) {
    std::uint64_t least = ~std::uint64_t{0}, most = 0;
    for (int i = 0; i < n; ++i) {
        const std::uint64_t m = c[i].measured();
        if (m < least) least = m;
        if (m > most) most = m;
    }
    return most == 0 ? 0.0 : static_cast<double>(least) / static_cast<double>(most);
}

}  // namespace bench
