// dlopen and dlclose of the shared library, again and again, while threads that have used it live on: they go on using it,
// and end after it was closed.
#include <dlfcn.h>

#include <thread>
#include <vector>

#include "life.hpp"

namespace {

template <typename F>
F* symbol(void* library, const char* name, F*) {
    void* const found = dlsym(library, name);
    CHECK(found != nullptr);
    return reinterpret_cast<F*>(found);
}
#define SYMBOL(library, name) symbol(library, #name, static_cast<decltype(name)*>(nullptr))

} // namespace

int main(int argc, char** argv) {
    CHECK(argc > 1);
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 50;
    for (int round = 0; round < rounds; ++round) {
        void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) std::fprintf(stderr, "%s\n", dlerror());
        CHECK(library != nullptr);
        const auto make = SYMBOL(library, conex_stack_new);
        const auto push = SYMBOL(library, conex_stack_push);
        const auto pop = SYMBOL(library, conex_stack_pop);
        conex_stack* stack = nullptr;
        CHECK(make(nullptr, &stack) == CONEX_OK);
        std::atomic<int> used{0};
        std::atomic<bool> closed{false};
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t)
            threads.emplace_back([&] {
                const auto use = [&] {
                    for (std::uint64_t i = 0; i < 200; ++i) {
                        std::uint64_t out;
                        CHECK(push(stack, &i) == CONEX_OK);
                        CHECK(pop(stack, &out) == CONEX_OK);
                    }
                };
                use();
                ++used;
                while (!closed) std::this_thread::yield();
                use(); // the library must not have been unmapped
            });
        while (used < 3) std::this_thread::yield();
        const auto destroy = SYMBOL(library, conex_stack_destroy);
        CHECK(dlclose(library) == 0);
        closed = true;
        for (auto& thread : threads) thread.join(); // runs the library's own thread-exit code
        CHECK(destroy(stack) == CONEX_OK);
    }
    std::printf("unload: opened and closed %d times\n", rounds);
}
