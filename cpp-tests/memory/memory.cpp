// The memory promise (G4), measured: every allocation of the process is counted.
//
//   memory [--operations N] [stack|queue|map ...]    N operations for each churn, 2 million unless told
//
// Each case prints what it measured and the bound that docs/GUARANTEES.md states.
#include <conex/conex.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "../suspend/freeze.hpp"

// Counted by cpp-tests/suspend/malloc.cpp, which has no lock: a thread frozen in malloc must not stop the others.
extern std::atomic<long long> g_live_bytes, g_live_blocks;

namespace memory {
namespace {

#define MUST(call)                                                                      \
    do {                                                                                \
        const auto must_status = (call);                                                \
        if (must_status < 0) {                                                          \
            std::fprintf(stderr, "memory: %s answered %d\n", #call, int(must_status));  \
            std::exit(1);                                                               \
        }                                                                               \
    } while (0)

constexpr std::uint64_t kSecond = 1'000'000'000;
std::uint64_t g_operations = 2'000'000;
int g_cases = 0, g_failures = 0;

void expect(const char* container, const char* what, long long measured, long long bound) {
    ++g_cases;
    const bool fine = measured <= bound;
    if (!fine) ++g_failures;
    std::printf("  %-6s %-58s %12lld  bound %12lld  %s\n", container, what, measured, bound, fine ? "holds" : "BROKEN");
    std::fflush(stdout);
}

long long live() { return g_live_bytes.load(); }

// Counts what a container asks of its allocator hooks.
struct Hooks {
    std::atomic<long long> bytes{0};
    static void* alloc(std::size_t size, std::size_t align, void* ctx) {
        static_cast<Hooks*>(ctx)->bytes += static_cast<long long>(size);
        return aligned_alloc(align < 16 ? 16 : align, size);
    }
    static void release(void* block, std::size_t size, std::size_t, void* ctx) {
        static_cast<Hooks*>(ctx)->bytes -= static_cast<long long>(size);
        free(block);
    }
    conex_allocator allocator() { return {alloc, release, this}; }
};

// An element that is counted: its drop must run exactly once if it stays in the container.
std::atomic<long long> g_dropped{0};
void drop_element(void*, void*) { g_dropped.fetch_add(1); }

// One shape for all containers: put something in, take something out, by number.
struct Stack {
    static constexpr const char* kName = "stack";
    static constexpr long long kNode = 17;              // a word's node and its share of a chunk
    static constexpr bool kGuardHolds = false;          // a guard holds back nothing of it
    static constexpr long long kKept = 8 * 4096 + 1'000'000 / 254 * 24 + 4096; // some chunks, and the headers of the others
    static constexpr long long kFull = 16'500'000;      // for 10^6 words
    conex_stack* handle = nullptr;
    void make(conex_domain* domain, Hooks* hooks, bool counted) {
        conex_stack_options o = CONEX_STACK_OPTIONS_INIT;
        o.domain = domain;
        if (hooks != nullptr) o.allocator = hooks->allocator();
        if (counted) o.element.drop = drop_element;
        MUST(conex_stack_new(&o, &handle));
    }
    void put(std::uint64_t n) { MUST(conex_stack_push(handle, &n)); }
    void take(std::uint64_t) {
        std::uint64_t out;
        MUST(conex_stack_pop(handle, &out));
    }
    void batch(std::size_t n) {
        std::vector<std::uint64_t> elements(n);
        std::size_t count = 0;
        MUST(conex_stack_push_n(handle, elements.data(), n, &count));
        MUST(conex_stack_pop_n(handle, elements.data(), n, &count));
    }
    void destroy() { MUST(conex_stack_destroy(handle)); }
};

struct Queue {
    static constexpr const char* kName = "queue";
    static constexpr long long kNode = 16;
    static constexpr bool kGuardHolds = false;          // a guard holds back nothing of it
    static constexpr long long kKept = 64 * 1024;
    static constexpr long long kFull = 10'500'000;
    conex_queue* handle = nullptr;
    void make(conex_domain* domain, Hooks* hooks, bool counted) {
        conex_queue_options o = CONEX_QUEUE_OPTIONS_INIT;
        o.domain = domain;
        if (hooks != nullptr) o.allocator = hooks->allocator();
        if (counted) o.element.drop = drop_element;
        MUST(conex_queue_new(&o, &handle));
    }
    void put(std::uint64_t n) { MUST(conex_queue_push(handle, &n)); }
    void take(std::uint64_t) {
        std::uint64_t out;
        MUST(conex_queue_pop(handle, &out));
    }
    void batch(std::size_t n) {
        std::vector<std::uint64_t> elements(n);
        std::size_t count = 0;
        MUST(conex_queue_push_n(handle, elements.data(), n, &count));
        MUST(conex_queue_pop_n(handle, elements.data(), n, &count));
    }
    void destroy() { MUST(conex_queue_destroy(handle)); }
};

template <bool Bytes>
struct Map {
    static constexpr const char* kName = Bytes ? "bytes" : "map";
    static constexpr long long kNode = Bytes ? 96 : 64; // an entry, or the node of a bucket that overflowed
    static constexpr bool kGuardHolds = true;           // what is removed while a guard is held waits for it
    static constexpr long long kKept = 64 * 1024;
    static constexpr long long kFull = 200'000'000;
    conex_map* handle = nullptr;
    void make(conex_domain* domain, Hooks* hooks, bool counted) {
        conex_map_options o = CONEX_MAP_OPTIONS_INIT;
        if (Bytes) o.key = CONEX_KEY_BYTES;
        o.domain = domain;
        if (hooks != nullptr) o.allocator = hooks->allocator();
        if (counted) o.value.drop = drop_element;
        MUST(conex_map_new(&o, &handle));
    }
    void put(std::uint64_t n) { MUST(conex_map_insert(handle, &n, 8, &n, nullptr)); }
    void take(std::uint64_t n) { MUST(conex_map_remove(handle, &n, 8, nullptr)); }
    void batch(std::size_t n) {
        for (std::uint64_t i = 0; i < n; ++i) put(i);
        MUST(conex_map_clear(handle));
        MUST(conex_map_shrink(handle));
    }
    void destroy() { MUST(conex_map_destroy(handle)); }
};

conex_domain* new_domain() {
    conex_domain* domain = nullptr;
    MUST(conex_domain_new(nullptr, &domain));
    return domain;
}

void barrier(conex_domain* domain) {
    const auto status = conex_domain_barrier(domain, 60 * kSecond);
    if (status != CONEX_OK) std::fprintf(stderr, "memory: the barrier answered %d\n", int(status)), std::exit(1);
}

std::size_t pending(conex_domain* domain) {
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    MUST(conex_domain_stats_get(domain, &stats));
    return stats.pending_objects;
}

// `threads` threads put in and take out in turn, `n` times together; a sample of the live bytes every so often.
template <typename C>
long long churn(C& container, unsigned threads, std::uint64_t n) {
    std::atomic<long long> peak{0};
    std::vector<std::thread> running;
    for (unsigned t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            const std::uint64_t base = std::uint64_t{t + 1} << 32;
            for (std::uint64_t i = 0; i < n / threads; ++i) {
                container.put(base + i);
                container.take(base + i);
                if (i % 512 == 0) {
                    const long long now = live();
                    long long seen = peak.load();
                    while (seen < now && !peak.compare_exchange_weak(seen, now)) {}
                }
            }
        });
    for (auto& thread : running) thread.join();
    return peak.load();
}

// A thread that stops in the middle of its work, and goes on when told.
template <typename Work>
class Stalled {
public:
    explicit Stalled(Work work) : thread_([this, work] {
        work();
        at_.store(true);
        while (!go_.load()) std::this_thread::yield();
        done();
    }) {
        while (!at_.load()) std::this_thread::yield();
    }
    std::function<void()> done = [] {};
    void release() {
        go_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> at_{false}, go_{false};
    std::thread thread_;
};

template <typename C>
void cases() {
    const char* const name = C::kName;
    conex_domain* const domain = new_domain();
    C c;

    { // A drained container has given its memory back.
        Hooks hooks;
        c.make(domain, &hooks, false);
        const long long empty = hooks.bytes.load();
        for (std::uint64_t i = 0; i < 1'000'000; ++i) c.put(i);
        const long long full = hooks.bytes.load();
        for (std::uint64_t i = 0; i < 1'000'000; ++i) c.take(i);
        barrier(domain);
        expect(name, "10^6 elements: bytes", full, C::kFull);
        expect(name, "drained of 10^6 elements, bytes beyond the empty one's", hooks.bytes.load() - empty, C::kKept);
        if (full < 8'000'000) ++g_failures, std::printf("  the hooks counted %lld bytes for 10^6 words: they are not used\n", full);
        c.destroy();
        expect(name, "destroyed: bytes not given back to the hooks", hooks.bytes.load(), 0);
    }
    { // Constant size, for ever. Alone, the peak is exact. With three threads on few processors one is interrupted in the
      // middle of an operation now and then, for as long as the kernel likes, and holds back what the others retire in
      // that time; so the bound only says that it is not everything.
        c.make(domain, nullptr, false);
        for (std::uint64_t i = 0; i < 64; ++i) c.put(i);
        barrier(domain);
        const long long before = live();
        expect(name, "churn at constant size, one thread: peak", churn(c, 1, g_operations / 2) - before, 512 * 1024);
        expect(name, "churn at constant size, three threads: peak", churn(c, 3, g_operations) - before,
               C::kGuardHolds ? 48 << 20 : 1 << 20);
        barrier(domain);
        expect(name, "after the barrier: objects pending", static_cast<long long>(pending(domain)), 0);
        expect(name, "after the barrier: bytes", live() - before, 256 * 1024);
        c.destroy();
    }
    { // More retired than pinned: batches under one pin.
        c.make(domain, nullptr, false);
        c.batch(10'000);
        barrier(domain);
        const long long before = live();
        long long peak = 0;
        for (int i = 0; i < 200; ++i) {
            c.batch(10'000);
            peak = std::max(peak, live() - before);
        }
        expect(name, "200 batches of 10^4 under one pin each: peak of live bytes", peak, 10'000 * (C::kNode + 16) * 8 + (4 << 20));
        barrier(domain);
        expect(name, "and after the barrier", live() - before, 256 * 1024);
        c.destroy();
    }
    { // A thread that has used the container and sleeps outside of it holds nothing back.
        c.make(domain, nullptr, false);
        for (std::uint64_t i = 0; i < 64; ++i) c.put(i);
        barrier(domain);
        const long long before = live();
        Stalled sleeper([&] { c.put(1'000), c.take(1'000); });
        expect(name, "a thread sleeps outside of operations: peak", churn(c, 1, g_operations / 4) - before, 512 * 1024);
        sleeper.release();
        c.destroy();
    }
    { // One that holds a guard holds back what is retired meanwhile, and no more.
        c.make(domain, nullptr, false);
        for (std::uint64_t i = 0; i < 64; ++i) c.put(i);
        barrier(domain);
        const long long before = live();
        conex_guard* guard = nullptr;
        Stalled sleeper([&] { MUST(conex_guard_enter(domain, &guard)); });
        sleeper.done = [&] { MUST(conex_guard_leave(guard)); };
        const std::uint64_t n = 200'000;
        const long long peak = churn(c, 2, n) - before;
        expect(name, "a thread sleeps in a guard: bytes held back by 2*10^5 removals", peak,
               (C::kGuardHolds ? static_cast<long long>(n) * C::kNode : 0) + (1 << 20));
        sleeper.release();
        barrier(domain);
        expect(name, "and after it left", live() - before, 256 * 1024);
        c.destroy();
    }
    { // One that stands still in the middle of an operation, at an instruction that nobody chose.
        long long worst = 0, worst_drained = 0;
        for (int go = 0; go < 20; ++go) {
            c.make(domain, nullptr, false);
            for (std::uint64_t i = 0; i < 64; ++i) c.put(i);
            suspend::Freezable frozen;
            std::atomic<bool> stop{false};
            std::thread victim([&] {
                // Its first use, which registers the end of the thread with the C library, is over: that takes a lock of the
                // library's, which all other newcomers would wait for.
                c.put(9ull << 32), c.take(9ull << 32);
                frozen.enlist();
                for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) c.put((9ull << 32) + i), c.take((9ull << 32) + i);
            });
            while (!frozen.enlisted()) std::this_thread::yield();
            frozen.freeze();
            while (!frozen.frozen()) std::this_thread::yield();
            const long long before = live();
            worst = std::max(worst, churn(c, 2, 40'000) - before);
            for (std::uint64_t i = 0; i < 100'000; ++i) c.put((8ull << 32) + i);
            for (std::uint64_t i = 0; i < 100'000; ++i) c.take((8ull << 32) + i);
            worst_drained = std::max(worst_drained, live() - before);
            frozen.release();
            stop = true;
            victim.join();
            c.destroy();
        }
        expect(name, "frozen in an operation (20 times): held back by 4*10^4 removals", worst,
               (C::kGuardHolds ? 40'000 * C::kNode : 0) + (1 << 20));
        expect(name, "and after 10^5 elements more came and went", worst_drained, C::kGuardHolds ? 24 << 20 : 1 << 20);
    }
    { // Threads come and go.
        c.make(domain, nullptr, false);
        const auto threads = [&](int n) {
            for (int i = 0; i < n; ++i) std::thread([&, i] { c.put(static_cast<std::uint64_t>(i)), c.take(static_cast<std::uint64_t>(i)); }).join();
            barrier(domain);
        };
        threads(100);
        const long long before = live(), blocks = g_live_blocks.load();
        threads(10'000);
        expect(name, "10^4 short-lived threads: bytes they left", live() - before, 64 * 1024);
        expect(name, "10^4 short-lived threads: blocks they left", g_live_blocks.load() - blocks, 64);
        c.destroy();
    }
    { // Destroy runs every drop, also while somebody holds a guard of the domain.
        Hooks hooks;
        c.make(domain, &hooks, true);
        for (std::uint64_t i = 0; i < 10'000; ++i) c.put(i);
        g_dropped = 0;
        conex_guard* guard = nullptr;
        Stalled sleeper([&] { MUST(conex_guard_enter(domain, &guard)); });
        sleeper.done = [&] { MUST(conex_guard_leave(guard)); };
        c.destroy();
        expect(name, "destroyed beside a guard: drops missing of 10^4", std::llabs(10'000 - g_dropped.load()), 0);
        expect(name, "destroyed beside a guard: bytes not given back", hooks.bytes.load(), 0);
        sleeper.release();
    }
    MUST(conex_domain_destroy(domain));
}

// Retired pointers of the user: all called back by the barrier, once each, also those retired by threads that have ended.
void retirement() {
    static std::atomic<long long> called{0};
    conex_domain* const domain = new_domain();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) MUST(conex_domain_retire(domain, nullptr, 100, [](void*, void*) { called.fetch_add(1); }, nullptr));
        });
    for (auto& thread : threads) thread.join();
    barrier(domain);
    expect("domain", "retired by four threads, after the barrier: calls missing", std::llabs(80'000 - called.load()), 0);
    expect("domain", "objects pending", static_cast<long long>(pending(domain)), 0);
    MUST(conex_domain_destroy(domain));
}

} // namespace
} // namespace memory

int main(int argc, char** argv) {
    using namespace memory;
    suspend::Freezable::install();
    std::vector<std::string> groups;
    for (int i = 1; i < argc; ++i) {
        if (!std::strcmp(argv[i], "--operations") && i + 1 < argc) g_operations = std::strtoull(argv[++i], nullptr, 0);
        else groups.emplace_back(argv[i]);
    }
    const auto wanted = [&](const char* group) { return groups.empty() || std::find(groups.begin(), groups.end(), group) != groups.end(); };
    retirement();
    if (wanted("stack")) cases<Stack>();
    if (wanted("queue")) cases<Queue>();
    if (wanted("map")) cases<Map<false>>();
    if (wanted("map")) cases<Map<true>>();
    std::printf("memory: %d cases, %d broken\n", g_cases, g_failures);
    return g_failures == 0 ? 0 : 1;
}
