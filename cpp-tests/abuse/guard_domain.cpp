// SPDX-License-Identifier: MIT OR Apache-2.0
// Bad input to every function of guards and domains: the documented status, and nothing changed.
#include <thread>

#include "abuse/bad_input.hpp"

namespace {

void count(void* ptr, void*) { ++*static_cast<int*>(ptr); }

}  // namespace

TEST("domain: bad handles") {
    const abuse::zoo all;
    conex_domain* gone = nullptr;
    CHECK(conex_domain_new(nullptr, &gone) == CONEX_OK);
    CHECK(conex_domain_destroy(gone) == CONEX_OK);
    int called = 0;
    conex_guard* guard = nullptr;
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    // Null is the default domain everywhere, and allowed.
    abuse::refuse_bad_handles<conex_domain>(
        all, all.domain, gone,
        {
            {"conex_domain_destroy", [](conex_domain* d) { return conex_domain_destroy(d); }, false},
            {"conex_domain_retire", [&](conex_domain* d) { return conex_domain_retire(d, &called, 1, count, nullptr); },
             false},
            {"conex_domain_flush", [](conex_domain* d) { return conex_domain_flush(d); }, false},
            {"conex_domain_barrier", [](conex_domain* d) { return conex_domain_barrier(d, 1000); }, false},
            {"conex_domain_stats_get", [&](conex_domain* d) { return conex_domain_stats_get(d, &stats); }, false},
            {"conex_domain_lock", [](conex_domain* d) { return conex_domain_lock(d); }, false},
            {"conex_domain_unlock", [](conex_domain* d) { return conex_domain_unlock(d); }, false},
            {"conex_guard_enter", [&](conex_domain* d) { return conex_guard_enter(d, &guard); }, false},
        });
    CHECK(called == 0 && guard == nullptr && stats.guards == 0);
}

TEST("domain: null arguments, bad options, bad sizes") {
    const abuse::zoo all;
    using abuse::expect;
    int called = 0;
    const conex_domain_options defaults = CONEX_DOMAIN_OPTIONS_INIT;
    abuse::refuse_bad_options(all, defaults, conex_domain_new, conex_domain_destroy, "conex_domain_new");
    expect(conex_domain_retire(all.domain, &called, 1, nullptr, nullptr), CONEX_ERR_NULL, "conex_domain_retire",
           "a null function");
    expect(conex_domain_stats_get(all.domain, nullptr), CONEX_ERR_NULL, "conex_domain_stats_get", "null stats");
    expect(conex_guard_enter(all.domain, nullptr), CONEX_ERR_NULL, "conex_guard_enter", "a null out");
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{8}, sizeof stats - 1, SIZE_MAX}) {
        stats.struct_size = size;
        expect(conex_domain_stats_get(all.domain, &stats), CONEX_ERR_INVALID, "conex_domain_stats_get",
               "a struct_size that cannot be");
        CHECK(stats.guards == 0);
    }
    stats = CONEX_DOMAIN_STATS_INIT;
    CHECK(conex_domain_stats_get(all.domain, &stats) == CONEX_OK);
    CHECK(stats.guards == 1 && stats.pending_objects == 0);
    expect(conex_domain_destroy(conex_domain_default()), CONEX_ERR_INVALID, "conex_domain_destroy",
           "the default domain");
    CHECK(conex_domain_flush(nullptr) == CONEX_OK);
    expect(conex_domain_unlock(all.domain), CONEX_ERR_INVALID, "conex_domain_unlock", "a domain that is not locked");
    CHECK(conex_domain_lock(all.domain) == CONEX_OK);
    std::thread([&] {
        expect(conex_domain_unlock(all.domain), CONEX_ERR_INVALID, "conex_domain_unlock", "the lock of another thread");
    }).join();
    expect(conex_domain_destroy(all.domain), CONEX_BUSY, "conex_domain_destroy", "a domain that is locked");
    expect(conex_domain_barrier(all.domain, 1000), CONEX_ERR_STALLED, "conex_domain_barrier", "a domain that is locked");
    CHECK(conex_domain_unlock(all.domain) == CONEX_OK);
}

TEST("domain: destroyed while in use") {
    conex_domain* d = nullptr;
    CHECK(conex_domain_new(nullptr, &d) == CONEX_OK);
    conex_stack_options so = CONEX_STACK_OPTIONS_INIT;
    conex_queue_options qo = CONEX_QUEUE_OPTIONS_INIT;
    conex_map_options mo = CONEX_MAP_OPTIONS_INIT;
    so.domain = qo.domain = mo.domain = d;
    conex_stack* s = nullptr;
    conex_queue* q = nullptr;
    conex_map* m = nullptr;
    conex_guard* g = nullptr;
    const auto busy = [&] {
        abuse::expect(conex_domain_destroy(d), CONEX_BUSY, "conex_domain_destroy", "a domain in use");
    };
    CHECK(conex_stack_new(&so, &s) == CONEX_OK);
    busy();
    CHECK(conex_stack_destroy(s) == CONEX_OK);
    CHECK(conex_queue_new(&qo, &q) == CONEX_OK);
    busy();
    CHECK(conex_queue_destroy(q) == CONEX_OK);
    CHECK(conex_map_new(&mo, &m) == CONEX_OK);
    busy();
    std::uint64_t k = 1;
    CHECK(conex_map_insert(m, &k, 8, &k, nullptr) == CONEX_OK);  // it still works
    CHECK(conex_map_destroy(m) == CONEX_OK);
    CHECK(conex_guard_enter(d, &g) == CONEX_OK);
    busy();
    std::thread([&] { busy(); }).join();
    CHECK(conex_guard_leave(g) == CONEX_OK);
    CHECK(conex_domain_destroy(d) == CONEX_OK);
    abuse::expect(conex_domain_destroy(d), CONEX_ERR_HANDLE, "conex_domain_destroy",
                  "a domain that was destroyed twice");
}

TEST("guard: bad handles") {
    const abuse::zoo all;
    conex_guard* gone = nullptr;
    CHECK(conex_guard_enter(all.domain, &gone) == CONEX_OK);
    CHECK(conex_guard_leave(gone) == CONEX_OK);
    abuse::refuse_bad_handles<conex_guard>(
        all, all.guard, gone,
        {
            {"conex_guard_leave", [](conex_guard* g) { return conex_guard_leave(g); }, false},
            {"conex_guard_refresh", [](conex_guard* g) { return conex_guard_refresh(g); }},
        });
}

TEST("guard: used on another thread") {
    const abuse::zoo all;
    std::thread([&] {
        abuse::expect(conex_guard_refresh(all.guard), CONEX_ERR_INVALID, "conex_guard_refresh",
                      "a guard of another thread");
        abuse::expect(conex_guard_leave(all.guard), CONEX_ERR_INVALID, "conex_guard_leave",
                      "a guard of another thread");
        conex_map_options o = CONEX_MAP_OPTIONS_INIT;
        o.domain = all.domain;
        conex_map* m = nullptr;
        std::uint64_t k = 1;
        const void* ref = nullptr;
        CHECK(conex_map_new(&o, &m) == CONEX_OK);
        CHECK(conex_map_insert(m, &k, 8, &k, nullptr) == CONEX_OK);
        abuse::expect(conex_map_get_ref(m, all.guard, &k, 8, &ref), CONEX_ERR_INVALID, "conex_map_get_ref",
                      "a guard of another thread");
        CHECK(conex_map_destroy(m) == CONEX_OK);
    }).join();
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    CHECK(conex_domain_stats_get(all.domain, &stats) == CONEX_OK && stats.guards == 1);
}

TEST("guards left in any order") {
    conex_domain* d = nullptr;
    CHECK(conex_domain_new(nullptr, &d) == CONEX_OK);
    conex_guard* g[5] = {};
    static int called;
    called = 0;
    for (conex_guard*& each : g) CHECK(conex_guard_enter(d, &each) == CONEX_OK);
    CHECK(conex_domain_retire(d, &called, 1, count, nullptr) == CONEX_OK);
    for (const int i : {0, 3, 1, 4}) {
        CHECK(conex_guard_leave(g[i]) == CONEX_OK);
        CHECK(conex_domain_flush(d) == CONEX_OK);
        CHECK(conex_domain_flush(d) == CONEX_OK);
        CHECK(conex_domain_flush(d) == CONEX_OK);
        CHECK(called == 0);
    }
    CHECK(conex_domain_barrier(d, 1000) == CONEX_ERR_STALLED);
    CHECK(conex_guard_leave(g[2]) == CONEX_OK);
    CHECK(conex_domain_barrier(d, UINT64_MAX) == CONEX_OK);
    CHECK(called == 1);
    CHECK(conex_domain_destroy(d) == CONEX_OK);
}

TEST("retired functions that use the domain again") {
    static conex_domain* d;
    static int depth;
    depth = 0;
    d = nullptr;
    CHECK(conex_domain_new(nullptr, &d) == CONEX_OK);
    static const conex_retire_fn again = [](void* ptr, void* ctx) {
        ++depth;
        conex_guard* g = nullptr;
        CHECK(conex_guard_enter(d, &g) == CONEX_OK);
        CHECK(conex_guard_leave(g) == CONEX_OK);
        CHECK(conex_domain_flush(d) == CONEX_OK);
        if (depth < 1000)
            CHECK(conex_domain_retire(d, ptr, 1, *static_cast<const conex_retire_fn*>(ctx), ctx) == CONEX_OK);
    };
    CHECK(conex_domain_retire(d, &depth, 1, again, const_cast<conex_retire_fn*>(&again)) == CONEX_OK);
    for (int i = 0; i < 100000 && depth < 1000; ++i) CHECK(conex_domain_barrier(d, UINT64_MAX) == CONEX_OK);
    CHECK(depth == 1000);
    // and in the destruction of the domain
    depth = 990;
    CHECK(conex_domain_retire(d, &depth, 1, [](void*, void*) { ++depth; }, nullptr) == CONEX_OK);
    CHECK(conex_domain_destroy(d) == CONEX_OK);
    CHECK(depth == 991);
}
