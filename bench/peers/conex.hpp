// What the conex adapters share: the name of the form, and how a session pins.
#pragma once

#include <conex/conex.h>

#include "../harness/registry.hpp"

// One driver is built from the same adapters for each form of the library: static, shared, xlto.
#ifndef BENCH_FORM
#define BENCH_FORM "static"
#endif

namespace bench {

inline void check(conex_status s) {
    if (s != CONEX_OK) {
        std::fprintf(stderr, "%s\n", conex_status_string(s));
        std::abort();
    }
}

// Every operation pins for itself.
struct each_operation {
    void renew() {}
};

// One pin for many operations.
class one_guard {
public:
    one_guard() { check(conex_guard_enter(nullptr, &g_)); }
    one_guard(const one_guard&) = delete;
    ~one_guard() { conex_guard_leave(g_); }
    void renew() { conex_guard_refresh(g_); }

private:
    conex_guard* g_ = nullptr;
};

// To keep the tables readable, each form shows what is new in it: the shared library the plain C interface, the static one
// also the guard and the C++ layer, cross-language LTO the C++ layer under a guard.
inline bool is_form(const char* form) { return std::string(BENCH_FORM) == form; }

}  // namespace bench
