// SPDX-License-Identifier: MIT OR Apache-2.0
// Callbacks of a map that answer what they must not, and those that use other containers.
#include "abuse/map.hpp"

TEST("map: callbacks that answer nonsense") {
    const abuse::zoo all;
    abuse::fill(all.map);
    std::uint64_t k = 1;
    for (const std::int32_t nonsense : {3, 4, 100, INT32_MAX}) {
        const conex_update_fn update = [](const void*, std::size_t, const void*, void*, void* ctx) {
            return *static_cast<std::int32_t*>(ctx);
        };
        std::int32_t answer = nonsense;
        abuse::expect(conex_map_update(all.map, &k, 8, update, &answer, nullptr), CONEX_ERR_INVALID, "conex_map_update",
                      "a callback that answers nonsense");
    }
    // A negative status is passed on; a negative number that is no status is nonsense too.
    for (const std::int32_t negative : {-1, -3, -6, -7, -100, INT32_MIN}) {
        std::int32_t answer = negative;
        const auto passed_on = negative >= -6 ? static_cast<conex_status>(negative) : CONEX_ERR_INVALID;
        const conex_update_fn update = [](const void*, std::size_t, const void*, void*, void* ctx) {
            return *static_cast<std::int32_t*>(ctx);
        };
        const conex_visit_fn visit = [](const void*, std::size_t, const void*, void* ctx) {
            return *static_cast<std::int32_t*>(ctx);
        };
        const conex_make_fn make = [](void*, void* ctx) { return *static_cast<std::int32_t*>(ctx); };
        std::uint64_t absent = 99;
        std::uint64_t cursor = 0;
        abuse::expect(conex_map_update(all.map, &k, 8, update, &answer, nullptr), passed_on, "conex_map_update",
                      "a negative answer");
        abuse::expect(conex_map_for_each(all.map, visit, &answer), passed_on, "conex_map_for_each",
                      "a negative answer");
        abuse::expect(conex_map_scan(all.map, &cursor, 1, visit, &answer), passed_on, "conex_map_scan",
                      "a negative answer");
        abuse::expect(conex_map_retain(all.map, visit, &answer, nullptr), passed_on, "conex_map_retain",
                      "a negative answer");
        abuse::expect(conex_map_get_or_insert(all.map, &absent, 8, make, &answer, nullptr), passed_on,
                      "conex_map_get_or_insert", "a negative answer");
    }
    abuse::verify(all.map);
}

TEST("map: drop and clone that use other containers and the domain") {
    const abuse::zoo all;
    conex_map_options o = CONEX_MAP_OPTIONS_INIT;
    o.domain = nullptr;
    o.value.drop = [](void* element, void* ctx) {
        const abuse::zoo& z = *static_cast<const abuse::zoo*>(ctx);
        CHECK(conex_queue_push(z.queue, element) == CONEX_OK);
        CHECK(conex_domain_flush(conex_domain_default()) == CONEX_OK);
        std::uint64_t k = 1;
        std::uint64_t v = 1;
        conex_map_upsert(z.map, &k, 8, &v, nullptr);
        conex_map_remove(z.map, &k, 8, nullptr);
    };
    o.value.clone = [](void* to, const void* from, void* ctx) -> std::int32_t {
        const abuse::zoo& z = *static_cast<const abuse::zoo*>(ctx);
        std::memcpy(to, from, 8);
        return conex_stack_push(z.stack, from);
    };
    o.value.ctx = const_cast<abuse::zoo*>(&all);
    conex_map* m = nullptr;
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    for (std::uint64_t k = 0; k < 500; ++k) {
        std::uint64_t old = 0;
        CHECK(conex_map_insert(m, &k, 8, &k, nullptr) == CONEX_OK);
        CHECK(conex_map_upsert(m, &k, 8, &k, &old) == CONEX_EXISTS && old == k);
    }
    std::size_t n = 0;
    CHECK(conex_stack_len(all.stack, &n) == CONEX_OK && n >= 500);
    CHECK(conex_map_destroy(m) == CONEX_OK);
    CHECK(conex_queue_len(all.queue, &n) == CONEX_OK && n == 1000);  // each value dropped once
}
