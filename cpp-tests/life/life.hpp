// What the programs of this folder share: one of each container, in use.
#pragma once

#include <conex/conex.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// Of programs that are built to measure which lines they run: writes down what was run so far.
extern "C" int __llvm_profile_write_file() __attribute__((weak));

namespace life {

// The end of a child that has found nothing wrong: no destructors run.
[[noreturn]] inline void end_child() {
    if (__llvm_profile_write_file != nullptr) __llvm_profile_write_file();
    _exit(0);
}

// Ends at once, without destructors: also right in a child of fork.
#define CHECK(condition)                                                                             \
    do {                                                                                             \
        if (!(condition)) {                                                                          \
            std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);      \
            std::fflush(stderr);                                                                     \
            _exit(1);                                                                                \
        }                                                                                            \
    } while (0)

struct Containers {
    conex_stack* stack = nullptr;
    conex_queue* queue = nullptr;
    conex_map* map = nullptr;

    Containers() {
        CHECK(conex_stack_new(nullptr, &stack) == CONEX_OK);
        CHECK(conex_queue_new(nullptr, &queue) == CONEX_OK);
        CHECK(conex_map_new(nullptr, &map) == CONEX_OK);
    }
    void destroy() {
        CHECK(conex_stack_destroy(stack) == CONEX_OK);
        CHECK(conex_queue_destroy(queue) == CONEX_OK);
        CHECK(conex_map_destroy(map) == CONEX_OK);
    }

    // In and out again, `n` times, with keys that are this caller's.
    void use(std::uint64_t base, std::uint64_t n) const {
        for (std::uint64_t i = base; i < base + n; ++i) {
            std::uint64_t out = 0;
            CHECK(conex_stack_push(stack, &i) == CONEX_OK);
            CHECK(conex_stack_pop(stack, &out) == CONEX_OK);
            CHECK(conex_queue_push(queue, &i) == CONEX_OK);
            CHECK(conex_queue_pop(queue, &out) == CONEX_OK);
            CHECK(conex_map_insert(map, &i, 8, &i, nullptr) == CONEX_OK);
            CHECK(conex_map_get(map, &i, 8, &out) == CONEX_OK && out == i);
            CHECK(conex_map_remove(map, &i, 8, nullptr) == CONEX_OK);
        }
    }
};

} // namespace life
