// What the harness needs of the machine: a cheap clock, pinning, a pause, local work of a known length, memory in use.
#pragma once

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace bench {

inline constexpr std::size_t cache_line = 64;

inline std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
}

// A time stamp that costs a few nanoseconds; `ns_per_tick` turns differences into time.
inline std::uint64_t ticks() {
#if defined(__x86_64__)
    unsigned lo, hi;
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (static_cast<std::uint64_t>(hi) << 32) | lo;
#elif defined(__aarch64__)
    std::uint64_t v;
    asm volatile("mrs %0, cntvct_el0" : "=r"(v));
    return v;
#else
    return now_ns();
#endif
}

inline double measure_ns_per_tick() {
    const std::uint64_t t0 = now_ns(), c0 = ticks();
    while (now_ns() - t0 < 3'000'000) {
    }
    const std::uint64_t c1 = ticks(), t1 = now_ns();
    return static_cast<double>(t1 - t0) / static_cast<double>(c1 - c0);
}

inline void relax() {
#if defined(__x86_64__)
    asm volatile("pause" ::: "memory");
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

// `loops` rounds of a dependent countdown: about one cycle each, the same machine code under every compiler.
inline void spin(std::uint64_t loops) {
    if (loops == 0) return;
#if defined(__x86_64__)
    asm volatile("1: dec %0\n\tjnz 1b" : "+r"(loops)::"cc");
#elif defined(__aarch64__)
    asm volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(loops)::"cc");
#else
    for (volatile std::uint64_t i = loops; i != 0; i = i - 1) {
    }
#endif
}

// Rounds of `spin` in a nanosecond: the best of a few short trials, so that a preempted trial does not count.
inline double measure_loops_per_ns() {
    std::uint64_t best = ~std::uint64_t{0};
    constexpr std::uint64_t loops = 200'000;
    for (int i = 0; i < 8; ++i) {
        const std::uint64_t t0 = now_ns();
        spin(loops);
        const std::uint64_t t = now_ns() - t0;
        if (t < best) best = t;
    }
    return static_cast<double>(loops) / static_cast<double>(best == 0 ? 1 : best);
}

inline const std::vector<int>& cpus() {
    static const std::vector<int> list = [] {
        std::vector<int> v;
        cpu_set_t set;
        CPU_ZERO(&set);
        if (sched_getaffinity(0, sizeof set, &set) == 0)
            for (int c = 0; c < CPU_SETSIZE; ++c)
                if (CPU_ISSET(c, &set)) v.push_back(c);
        if (v.empty()) v.push_back(0);
        return v;
    }();
    return list;
}

inline void pin(int thread) {
    const auto& list = cpus();
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(list[static_cast<std::size_t>(thread) % list.size()], &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

inline bool oversubscribed(int threads) { return static_cast<std::size_t>(threads) > cpus().size(); }

// What a thread does while it waits for another one: pauses, and on an oversubscribed machine gives the processor away.
class waiter {
public:
    explicit waiter(bool may_yield) : may_yield_(may_yield) {}
    void wait() {
        if (may_yield_ && ++rounds_ >= 16) {
            sched_yield();
        } else {
            relax();
        }
    }
    void reset() { rounds_ = 0; }

private:
    bool may_yield_;
    unsigned rounds_ = 0;
};

// Resident bytes of this process, exact to the page.
inline std::size_t resident_bytes() {
    std::size_t kib = 0;
    if (std::FILE* f = std::fopen("/proc/self/smaps_rollup", "r")) {
        char line[256];
        while (std::fgets(line, sizeof line, f))
            if (std::sscanf(line, "Rss: %zu kB", &kib) == 1) break;
        std::fclose(f);
    }
    return kib * 1024;
}

// Resident bytes after the process allocator has given back what nobody holds: what is left is held by the container.
inline std::size_t held_bytes() {
    usleep(20'000);  // threads that free on behalf of a peer (call_rcu) get their chance
    malloc_trim(0);
    return resident_bytes();
}

inline std::uint64_t splitmix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// xorshift64*: the harness's random numbers inside timed loops.
class rng {
public:
    explicit rng(std::uint64_t seed) : s_(splitmix(seed) | 1) {}
    std::uint64_t next() {
        s_ ^= s_ >> 12;
        s_ ^= s_ << 25;
        s_ ^= s_ >> 27;
        return s_ * 0x2545f4914f6cdd1du;
    }
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

private:
    std::uint64_t s_;
};

}  // namespace bench
