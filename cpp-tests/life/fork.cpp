// fork in the middle of operations, again and again: the child, in which the other threads no longer exist, uses the
// containers as they stood, with memory that stays flat, frees what it retires, and destroys them; the parent goes on.
#include <sys/wait.h>

#include <thread>
#include <vector>

#include "life.hpp"

namespace {

constexpr std::uint64_t kMark = std::uint64_t{0xC4} << 56;
std::atomic<long long> g_bytes{0}, g_marked{0}, g_called{0};

void* alloc(std::size_t size, std::size_t align, void*) {
    g_bytes += static_cast<long long>(size);
    return aligned_alloc(align < 16 ? 16 : align, (size + 63) / 64 * 64);
}
void release(void* block, std::size_t size, std::size_t, void*) {
    g_bytes -= static_cast<long long>(size);
    free(block);
}
// Counts the ends of elements that a child has put in and left.
void drop(void* element, void*) {
    if (*static_cast<std::uint64_t*>(element) >> 56 == kMark >> 56) ++g_marked;
}
void called(void*, void*) { ++g_called; }

// A stack, a queue, a map of words, and one of byte strings, whose entries are retired one by one.
struct All {
    conex_stack* stack = nullptr;
    conex_queue* queue = nullptr;
    conex_map *words = nullptr, *bytes = nullptr;

    explicit All(conex_domain* domain) {
        const conex_allocator allocator = {alloc, release, nullptr};
        conex_stack_options s = CONEX_STACK_OPTIONS_INIT;
        s.domain = domain, s.allocator = allocator, s.element.drop = drop;
        CHECK(conex_stack_new(&s, &stack) == CONEX_OK);
        conex_queue_options q = CONEX_QUEUE_OPTIONS_INIT;
        q.domain = domain, q.allocator = allocator, q.element.drop = drop;
        CHECK(conex_queue_new(&q, &queue) == CONEX_OK);
        conex_map_options m = CONEX_MAP_OPTIONS_INIT;
        m.domain = domain, m.allocator = allocator;
        CHECK(conex_map_new(&m, &words) == CONEX_OK);
        m.key = CONEX_KEY_BYTES, m.value.drop = drop;
        CHECK(conex_map_new(&m, &bytes) == CONEX_OK);
    }
    void destroy() {
        CHECK(conex_stack_destroy(stack) == CONEX_OK);
        CHECK(conex_queue_destroy(queue) == CONEX_OK);
        CHECK(conex_map_destroy(words) == CONEX_OK);
        CHECK(conex_map_destroy(bytes) == CONEX_OK);
    }
    void put(std::uint64_t i) {
        CHECK(conex_stack_push(stack, &i) == CONEX_OK);
        CHECK(conex_queue_push(queue, &i) == CONEX_OK);
        CHECK(conex_map_insert(words, &i, 8, &i, nullptr) == CONEX_OK);
        CHECK(conex_map_insert(bytes, &i, 8, &i, nullptr) == CONEX_OK);
    }
    // In and out again, with keys that are this caller's; ten operations each.
    void use(conex_domain* domain, std::uint64_t base, std::uint64_t n) {
        for (std::uint64_t i = base; i < base + n; ++i) {
            std::uint64_t out = 0;
            put(i);
            CHECK(conex_stack_pop(stack, &out) == CONEX_OK);
            CHECK(conex_queue_pop(queue, &out) == CONEX_OK);
            CHECK(conex_map_get(words, &i, 8, &out) == CONEX_OK && out == i);
            CHECK(conex_map_remove(words, &i, 8, nullptr) == CONEX_OK);
            bool found = false;
            CHECK(conex_map_contains(bytes, &i, 8, &found) == CONEX_OK && found);
            CHECK(conex_map_remove(bytes, &i, 8, nullptr) == CONEX_OK);
            if (i % 16 == 0) {
                conex_guard* guard = nullptr;
                CHECK(conex_guard_enter(domain, &guard) == CONEX_OK);
                CHECK(conex_domain_retire(domain, nullptr, 64, called, nullptr) == CONEX_OK);
                CHECK(conex_hazard_retire(domain, nullptr, 64, called, nullptr) == CONEX_OK);
                CHECK(conex_guard_leave(guard) == CONEX_OK);
            }
            if (i % 1024 == 0) CHECK(conex_domain_flush(domain) == CONEX_OK);
        }
    }
};

conex_domain_stats stats(conex_domain* domain) {
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    CHECK(conex_domain_stats_get(domain, &stats) == CONEX_OK);
    return stats;
}

[[noreturn]] void child(conex_domain* domain, All& shared) {
    alarm(30); // a child that hangs is killed, which the parent sees
    CHECK(stats(domain).guards == 0);
    shared.use(domain, std::uint64_t{9} << 40, 1'000);
    // What the parent's threads held back is given up; from now on memory is flat.
    CHECK(conex_domain_barrier(domain, 60'000'000'000u) == CONEX_OK);
    CHECK(stats(domain).pending_objects == 0);
    const long long before = g_bytes;
    long long peak = 0;
    for (std::uint64_t i = 0; i < 90; ++i) {
        shared.use(domain, std::uint64_t{9} << 40 | (i + 1) << 16, 100);
        if (g_bytes > peak) peak = g_bytes;
    }
    std::thread([&] { shared.use(domain, std::uint64_t{10} << 40, 100); }).join();
    if (peak - before > 512 * 1024) std::fprintf(stderr, "fork: %lld bytes more in the child\n", peak - before);
    CHECK(peak - before <= 512 * 1024);
    // What is retired is called back, once.
    g_called = 0;
    for (int i = 0; i < 1'000; ++i) CHECK(conex_domain_retire(domain, nullptr, 64, called, nullptr) == CONEX_OK);
    CHECK(conex_domain_flush(domain) == CONEX_OK);
    CHECK(conex_domain_barrier(domain, 60'000'000'000u) == CONEX_OK);
    CHECK(g_called >= 1'000); // those of `use` may be among them
    CHECK(stats(domain).pending_objects == 0);
    // Destroy runs every drop, also of what is retired and not freed.
    g_marked = 0;
    for (std::uint64_t i = 0; i < 200; ++i) shared.put(kMark | i);
    for (std::uint64_t i = 0; i < 100; ++i) {
        const std::uint64_t key = kMark | i;
        CHECK(conex_map_remove(shared.bytes, &key, 8, nullptr) == CONEX_OK);
    }
    shared.destroy();
    CHECK(g_marked == 3 * 200);
    CHECK(conex_domain_barrier(domain, 60'000'000'000u) == CONEX_OK);
    // New ones, in the old domain and in a new one.
    conex_domain* own_domain = nullptr;
    CHECK(conex_domain_new(nullptr, &own_domain) == CONEX_OK);
    for (conex_domain* of : {domain, own_domain}) {
        All own(of);
        own.use(of, 0, 100);
        own.destroy();
        CHECK(conex_domain_barrier(of, 60'000'000'000u) == CONEX_OK);
    }
    CHECK(conex_domain_destroy(own_domain) == CONEX_OK);
    life::end_child();
}

} // namespace

int main(int argc, char** argv) {
    const int forks = argc > 1 ? std::atoi(argv[1]) : 100;
    conex_domain* domain = nullptr;
    CHECK(conex_domain_new(nullptr, &domain) == CONEX_OK);
    All shared(domain);
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> rounds{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 1; t <= 3; ++t)
        threads.emplace_back([&, t] {
            for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i, ++rounds)
                shared.use(domain, t << 40 | i << 8, 50);
        });
    // Every other child is the child of a child.
    for (int i = 0; i < forks; ++i) {
        usleep(static_cast<useconds_t>(100 + i * 37 % 1000));
        const pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            if (i % 2 == 0) child(domain, shared);
            std::atomic<bool> enough{false};
            std::thread beside([&] {
                for (std::uint64_t n = 0; !enough; ++n) shared.use(domain, std::uint64_t{8} << 40 | n << 8, 10);
            });
            usleep(500);
            const pid_t grandchild = fork();
            CHECK(grandchild >= 0);
            if (grandchild == 0) child(domain, shared);
            int status = 0;
            CHECK(waitpid(grandchild, &status, 0) == grandchild);
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            enough = true;
            beside.join();
            life::end_child();
        }
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    const std::uint64_t before = rounds;
    while (rounds < before + 10) std::this_thread::yield();
    stop = true;
    for (auto& thread : threads) thread.join();
    CHECK(conex_domain_barrier(domain, 60'000'000'000u) == CONEX_OK);
    CHECK(stats(domain).pending_objects == 0);
    shared.destroy();
    CHECK(g_bytes == 0);
    CHECK(conex_domain_destroy(domain) == CONEX_OK);
    std::printf("fork: %d children used and destroyed the containers\n", forks);
}
