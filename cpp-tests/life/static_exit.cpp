// Containers in static objects, destroyed after main; a function registered with atexit; and a thread that is still at work
// when the process ends.
#include <thread>

#include "life.hpp"

namespace {

struct Static {
    life::Containers containers;
    ~Static() {
        containers.use(1'000, 1'000);
        CHECK(conex_domain_flush(nullptr) == CONEX_OK);
        containers.destroy();
        std::puts("static_exit: destroyed after main");
    }
} g_static;

life::Containers* const g_for_ever = new life::Containers; // used by a detached thread until the very end

} // namespace

int main() {
    std::atexit([] { g_static.containers.use(5'000, 100); });
    std::thread([] {
        for (std::uint64_t i = 0;; ++i) g_for_ever->use(i << 10, 100);
    }).detach();
    usleep(20'000);
    g_static.containers.use(0, 100);
}
