// SPDX-License-Identifier: MIT OR Apache-2.0
// Bad options of a map, and the operations that good ones rule out.
#include "abuse/map.hpp"

namespace {

using abuse::never_make;
using abuse::untouched;

std::uint64_t some_hash(const void*, std::size_t, std::uint64_t, void*) { return 1; }
bool some_equal(const void*, std::size_t, const void*, std::size_t, void*) { return true; }

}  // namespace

TEST("map: bad options") {
    const abuse::zoo all;
    const conex_map_options defaults = CONEX_MAP_OPTIONS_INIT;
    abuse::refuse_bad_options(all, defaults, conex_map_new, conex_map_destroy, "conex_map_new");
    const auto refuse = [](const conex_map_options& o, const char* what) {
        conex_map* m = nullptr;
        abuse::expect(conex_map_new(&o, &m), CONEX_ERR_INVALID, "conex_map_new", what);
        CHECK(m == nullptr);
    };
    for (const auto& [what, element] : abuse::bad_elements()) {
        conex_map_options o = defaults;
        o.value = element;
        refuse(o, what);
        o = defaults;
        o.key_element = element;
        refuse(o, what);
    }
    conex_map_options o = defaults;
    for (const int kind : {-1, 2, 3, 1000, INT32_MAX, INT32_MIN}) {
        o.key = static_cast<conex_key_kind>(kind);
        refuse(o, "a key kind that does not exist");
    }
    o = defaults;
    o.key_element.drop = [](void*, void*) {};
    refuse(o, "a key that is dropped and not cloned");
    o = defaults;
    o.key_element.clone = [](void*, const void*, void*) -> std::int32_t { return 0; };
    refuse(o, "a key that is cloned and not dropped");
    o = defaults;
    o.hash = some_hash;
    refuse(o, "hash without equal");
    o = defaults;
    o.equal = some_equal;
    refuse(o, "equal without hash");
    o = defaults;
    o.key = CONEX_KEY_BYTES;
    o.key_element.size = 16;
    refuse(o, "byte strings with a size");
    o = defaults;
    o.key = CONEX_KEY_BYTES;
    o.key_element.drop = [](void*, void*) {};
    refuse(o, "byte strings with a drop");
    for (const std::size_t capacity : {SIZE_MAX, SIZE_MAX / 2, std::size_t{1} << 60}) {
        o = defaults;
        o.capacity = capacity;
        conex_map* m = nullptr;
        const conex_status made = conex_map_new(&o, &m);
        abuse::expect(made, CONEX_ERR_NO_MEMORY, "conex_map_new", "an absurd capacity");
        CHECK(m == nullptr);
    }
}

TEST("map: operations that the value does not allow") {
    conex_map_options o = CONEX_MAP_OPTIONS_INIT;
    o.value.size = 4;
    o.value.align = 4;
    conex_map* m = nullptr;
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    std::uint64_t k = 1;
    std::uint64_t out = untouched;
    abuse::expect(conex_map_fetch_add(m, &k, 8, 1, &out), CONEX_ERR_INVALID, "conex_map_fetch_add", "4-byte values");
    CHECK(conex_map_destroy(m) == CONEX_OK);
    o = CONEX_MAP_OPTIONS_INIT;
    o.value.drop = [](void*, void*) {};
    CHECK(conex_map_new(&o, &m) == CONEX_OK);
    const std::uint64_t v = 3;
    CHECK(conex_map_insert(m, &k, 8, &v, nullptr) == CONEX_OK);
    abuse::expect(conex_map_fetch_add(m, &k, 8, 1, &out), CONEX_ERR_INVALID, "conex_map_fetch_add", "values with drop");
    abuse::expect(conex_map_compare_exchange(m, &k, 8, &v, &v, nullptr), CONEX_ERR_INVALID,
                  "conex_map_compare_exchange", "values with drop");
    abuse::expect(conex_map_get(m, &k, 8, &out), CONEX_ERR_INVALID, "conex_map_get", "values that cannot be copied");
    abuse::expect(conex_map_insert(m, &k, 8, &v, &out), CONEX_ERR_INVALID, "conex_map_insert",
                  "values that cannot be copied");
    abuse::expect(conex_map_upsert(m, &k, 8, &v, &out), CONEX_ERR_INVALID, "conex_map_upsert",
                  "values that cannot be copied");
    abuse::expect(conex_map_replace(m, &k, 8, &v, &out), CONEX_ERR_INVALID, "conex_map_replace",
                  "values that cannot be copied");
    abuse::expect(conex_map_remove(m, &k, 8, &out), CONEX_ERR_INVALID, "conex_map_remove",
                  "values that cannot be copied");
    abuse::expect(conex_map_get_or_insert(m, &k, 8, never_make, nullptr, &out), CONEX_ERR_INVALID,
                  "conex_map_get_or_insert", "values that cannot be copied");
    conex_status status = CONEX_BUSY;
    abuse::expect(conex_map_get_n(m, &k, 1, &out, &status, nullptr), CONEX_ERR_INVALID, "conex_map_get_n",
                  "values that cannot be copied");
    CHECK(out == untouched);
    bool found = false;
    CHECK(conex_map_contains(m, &k, 8, &found) == CONEX_OK && found);
    CHECK(conex_map_destroy(m) == CONEX_OK);
}
