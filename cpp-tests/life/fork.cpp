// fork in the middle of operations, again and again: the child, in which the other threads no longer exist, uses the
// containers as they stood, makes new ones and destroys them.
#include <sys/wait.h>

#include <thread>
#include <vector>

#include "life.hpp"

int main(int argc, char** argv) {
    const int forks = argc > 1 ? std::atoi(argv[1]) : 100;
    const life::Containers shared;
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 1; t <= 3; ++t)
        threads.emplace_back([&, t] {
            for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) shared.use(t << 40 | i << 8, 50);
        });
    for (int i = 0; i < forks; ++i) {
        usleep(1000);
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(60); // a child that hangs is killed, which the parent sees
            shared.use(std::uint64_t{9} << 40, 3000);
            std::thread([&] { shared.use(std::uint64_t{10} << 40, 1000); }).join();
            life::Containers own;
            own.use(0, 1000);
            own.destroy();
            // Much was retired, and threads of the parent may be pinned for ever in this process; it must not block.
            CHECK(conex_domain_flush(nullptr) == CONEX_OK);
            const auto status = conex_domain_barrier(nullptr, 1000);
            CHECK(status == CONEX_OK || status == CONEX_TIMEOUT);
            _exit(0);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    std::printf("fork: %d children used the containers\n", forks);
}
