// The machine's yardsticks, measured in the same run as everything else: what no container can beat.
#include <cmath>
#include <memory>
#include <numeric>

#include "registry.hpp"

namespace {

using namespace bench;

struct alignas(2 * cache_line) line {
    std::atomic<std::uint64_t> v{0};
};

double fetch_add_ns(const params& p, int threads) {
    auto shared = std::make_unique<line>();
    thread_count counts[8];
    const double seconds = timed(p, threads, counts, [&](int, starter& s, thread_count& c) {
        loop(s, c, [&]() -> std::uint64_t {
            for (int i = 0; i < 16; ++i) shared->v.fetch_add(1, std::memory_order_acq_rel);
            return 16;
        });
    });
    std::uint64_t ops = 0;
    for (int i = 0; i < threads; ++i) ops += counts[i].measured();
    return seconds * 1e9 / static_cast<double>(ops);  // of the machine, not of a thread
}

void atomics(const params& p, report& r) {
    r.figure("limits/atomics", "fetch_add, 1 thread", "ns", false, fetch_add_ns(p, 1));
    r.figure("limits/atomics", "fetch_add, 2 threads on one line", "ns", false, fetch_add_ns(p, 2));
    auto word = std::make_unique<line>();
    thread_count count;
    const double seconds = timed(p, 1, &count, [&](int, starter& s, thread_count& c) {
        std::uint64_t seen = 0;
        loop(s, c, [&]() -> std::uint64_t {
            for (int i = 0; i < 16; ++i) {
                word->v.compare_exchange_strong(seen, seen + 1, std::memory_order_acq_rel);
                ++seen;
            }
            return 16;
        });
    });
    r.figure("limits/atomics", "compare_exchange, 1 thread", "ns", false, seconds * 1e9 / static_cast<double>(count.measured()));
}

// Two threads write one line in turn.
void round_trip(const params& p, report& r) {
    if (cpus().size() < 2) return r.fail("limits/line", "one processor only");
    auto ball = std::make_unique<line>();
    thread_count counts[2];
    std::atomic<bool> over{false};
    const double seconds = timed(p, 2, counts, [&](int id, starter& s, thread_count& c) {
        if (id == 0) {
            std::uint64_t n = 0;
            loop(s, c, [&]() -> std::uint64_t {
                ball->v.store(++n, std::memory_order_release);
                ++n;
                while (ball->v.load(std::memory_order_acquire) != n) relax();
                return 1;
            });
            over.store(true);
        } else {
            std::uint64_t n = 1;
            s.wait_for_start();
            while (!over.load(std::memory_order_relaxed)) {
                if (ball->v.load(std::memory_order_acquire) != n) {
                    relax();
                    continue;
                }
                ball->v.store(n + 1, std::memory_order_release);
                n += 2;
            }
        }
    });
    r.figure("limits/line", "cache line there and back", "ns", false, seconds * 1e9 / static_cast<double>(counts[0].measured()));
}

void allocator(const params& p, report& r) {
    for (const std::size_t bytes : {16, 64}) {
        thread_count count;
        const double seconds = timed(p, 1, &count, [&](int, starter& s, thread_count& c) {
            loop(s, c, [&]() -> std::uint64_t {
                for (int i = 0; i < 16; ++i) {
                    void* m = std::malloc(bytes);
                    asm volatile("" : "+r"(m)::"memory");
                    std::free(m);
                }
                return 16;
            });
        });
        char metric[48];
        std::snprintf(metric, sizeof metric, "malloc and free, %zu bytes", bytes);
        r.figure("limits/allocator", metric, "ns", false, seconds * 1e9 / static_cast<double>(count.measured()));
    }
}

// A chain of loads in random order over a table: each waits for the one before.
void memory(const params& p, report& r) {
    for (const std::size_t mib : {1, 16, 256}) {
        const std::size_t n = mib * 1024 * 1024 / cache_line;
        struct alignas(cache_line) node {
            node* next;
        };
        std::vector<node> nodes(n);
        std::vector<std::uint32_t> order(n);
        std::iota(order.begin(), order.end(), 0u);
        rng random(7);
        for (std::size_t i = n - 1; i > 0; --i) std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i + 1))]);
        for (std::size_t i = 0; i < n; ++i) nodes[order[i]].next = &nodes[order[(i + 1) % n]];
        thread_count count;
        const double seconds = timed(p, 1, &count, [&](int, starter& s, thread_count& c) {
            const node* at = &nodes[0];
            loop(s, c, [&]() -> std::uint64_t {
                for (int i = 0; i < 64; ++i) at = at->next;
                asm volatile("" ::"r"(at));
                return 64;
            });
        });
        char metric[48];
        std::snprintf(metric, sizeof metric, "random load in %zu MiB", mib);
        r.figure("limits/memory", metric, "ns", false, seconds * 1e9 / static_cast<double>(count.measured()));
    }
}

// Also what the conductor needs of the machine: the length of a round of local work.
void calibration(const params&, report& r) {
    pin(0);
    r.figure("limits/calibration", "spin rounds", "1/ns", true, measure_loops_per_ns());
}

const registration all([] {
    contestants().push_back({"limits",
                             "machine",
                             "",
                             {"", "", "", "", ""},
                             {{"calibration", calibration},
                              {"atomics", atomics},
                              {"line", round_trip},
                              {"allocator", allocator},
                              {"memory", memory}}});
});

}  // namespace
