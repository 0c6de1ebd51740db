// C++ thread_local objects whose destructors call the library, made before and after the thread's first use of it: whichever
// side's thread-local storage ends first, the calls work and nothing is lost.
#include <thread>

#include "life.hpp"

namespace {

const life::Containers* g_containers;
std::atomic<int> g_destroyed{0};

struct AtExit {
    std::uint64_t number = 0;
    ~AtExit() {
        conex_guard* guard = nullptr;
        CHECK(conex_guard_enter(nullptr, &guard) == CONEX_OK);
        g_containers->use(number << 32, 20);
        CHECK(conex_guard_leave(guard) == CONEX_OK);
        CHECK(conex_stack_push(g_containers->stack, &number) == CONEX_OK);
        CHECK(conex_domain_retire(nullptr, &g_destroyed, 8, [](void* p, void*) { ++*static_cast<std::atomic<int>*>(p); }, nullptr) == CONEX_OK);
    }
};

thread_local AtExit t_early, t_late;

} // namespace

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 500;
    life::Containers containers;
    g_containers = &containers;
    for (int i = 0; i < threads; ++i)
        std::thread([i] {
            t_early.number = std::uint64_t(i) * 2 + 1; // its destructor is registered first, and runs last
            g_containers->use(std::uint64_t(i) << 32 | 1u << 31, 20);
            t_late.number = std::uint64_t(i) * 2 + 2;
        }).join();
    std::size_t left = 0;
    CHECK(conex_stack_len(containers.stack, &left) == CONEX_OK);
    CHECK(left == std::size_t(threads) * 2);
    CHECK(conex_domain_barrier(nullptr, 60'000'000'000u) == CONEX_OK);
    CHECK(g_destroyed == threads * 2);
    containers.destroy();
    std::printf("thread_exit: %d threads called in from their destructors\n", threads);
}
