// SPDX-License-Identifier: MIT OR Apache-2.0
// Bad arguments to every function of the map: the documented status, and nothing changed. What options and callbacks can do
// wrong is in map_options.cpp and map_callbacks.cpp.
#include "abuse/map.hpp"

namespace {

using abuse::fill;
using abuse::never_make;
using abuse::untouched;
using abuse::verify;

constexpr std::size_t marker = 0x5AFE5AFE;

std::int32_t never_update(const void*, std::size_t, const void*, void*, void*) {
    CHECK(false);
    return CONEX_KEEP;
}
std::int32_t never_visit(const void*, std::size_t, const void*, void*) {
    CHECK(false);
    return 0;
}

/// Every function on one key, with the key as a parameter.
struct key_call {
    const char* name;
    std::function<conex_status(conex_map*, const void*, std::size_t)> run;
};

struct sink {
    std::uint64_t word = untouched;
    std::uint64_t value = 5;
    bool flag = true;
    conex_change change{};
    const void* ref = nullptr;
};

std::vector<key_call> key_calls(sink& s, conex_guard* guard) {
    using key = const void*;
    using size = std::size_t;
    return {
        {"conex_map_get", [&s](conex_map* m, key k, size n) { return conex_map_get(m, k, n, &s.word); }},
        {"conex_map_contains", [&s](conex_map* m, key k, size n) { return conex_map_contains(m, k, n, &s.flag); }},
        {"conex_map_insert",
         [&s](conex_map* m, key k, size n) { return conex_map_insert(m, k, n, &s.value, &s.word); }},
        {"conex_map_upsert",
         [&s](conex_map* m, key k, size n) { return conex_map_upsert(m, k, n, &s.value, &s.word); }},
        {"conex_map_replace",
         [&s](conex_map* m, key k, size n) { return conex_map_replace(m, k, n, &s.value, &s.word); }},
        {"conex_map_remove", [&s](conex_map* m, key k, size n) { return conex_map_remove(m, k, n, &s.word); }},
        {"conex_map_compare_exchange",
         [&s](conex_map* m, key k, size n) {
             return conex_map_compare_exchange(m, k, n, &s.value, &s.value, &s.word);
         }},
        {"conex_map_update",
         [&s](conex_map* m, key k, size n) { return conex_map_update(m, k, n, never_update, nullptr, &s.change); }},
        {"conex_map_get_or_insert",
         [&s](conex_map* m, key k, size n) { return conex_map_get_or_insert(m, k, n, never_make, nullptr, &s.word); }},
        {"conex_map_fetch_add", [&s](conex_map* m, key k, size n) { return conex_map_fetch_add(m, k, n, 1, &s.word); }},
        {"conex_map_get_ref",
         [&s, guard](conex_map* m, key k, size n) { return conex_map_get_ref(m, guard, k, n, &s.ref); }},
    };
}

}  // namespace

TEST("map: bad handles") {
    const abuse::zoo all;
    conex_map* gone = nullptr;
    conex_guard* guard = nullptr;
    CHECK(conex_map_new(nullptr, &gone) == CONEX_OK);
    CHECK(conex_map_destroy(gone) == CONEX_OK);
    CHECK(conex_guard_enter(nullptr, &guard) == CONEX_OK);
    sink s;
    std::uint64_t key = 1;
    std::uint64_t cursor = 0;
    std::size_t n = marker;
    bool flag = true;
    conex_status status = CONEX_BUSY;
    conex_map_stats stats = CONEX_MAP_STATS_INIT;
    std::vector<abuse::handle_call<conex_map>> calls;
    for (const key_call& each : key_calls(s, guard)) {
        calls.push_back({each.name, [each, &key](conex_map* m) { return each.run(m, &key, 8); }});
    }
    calls.push_back({"conex_map_destroy", [](conex_map* m) { return conex_map_destroy(m); }, false});
    calls.push_back(
        {"conex_map_get_n", [&](conex_map* m) { return conex_map_get_n(m, &key, 1, &s.word, &status, &n); }});
    calls.push_back(
        {"conex_map_insert_n", [&](conex_map* m) { return conex_map_insert_n(m, &key, &s.value, 1, &status, &n); }});
    calls.push_back({"conex_map_remove_n", [&](conex_map* m) { return conex_map_remove_n(m, &key, 1, &status, &n); }});
    calls.push_back({"conex_map_for_each", [&](conex_map* m) { return conex_map_for_each(m, never_visit, nullptr); }});
    calls.push_back(
        {"conex_map_scan", [&](conex_map* m) { return conex_map_scan(m, &cursor, 1, never_visit, nullptr); }});
    calls.push_back({"conex_map_retain", [&](conex_map* m) { return conex_map_retain(m, never_visit, nullptr, &n); }});
    calls.push_back({"conex_map_clear", [](conex_map* m) { return conex_map_clear(m); }});
    calls.push_back({"conex_map_reserve", [](conex_map* m) { return conex_map_reserve(m, 10); }});
    calls.push_back({"conex_map_shrink", [](conex_map* m) { return conex_map_shrink(m); }});
    calls.push_back({"conex_map_len", [&](conex_map* m) { return conex_map_len(m, &n); }});
    calls.push_back({"conex_map_is_empty", [&](conex_map* m) { return conex_map_is_empty(m, &flag); }});
    calls.push_back({"conex_map_stats_get", [&](conex_map* m) { return conex_map_stats_get(m, &stats); }});
    abuse::refuse_bad_handles<conex_map>(all, all.map, gone, calls);
    CHECK(s.word == untouched && s.value == 5 && s.flag && s.ref == nullptr);
    CHECK(n == marker && flag && status == CONEX_BUSY && cursor == 0);
    CHECK(conex_guard_leave(guard) == CONEX_OK);
}

TEST("map: bad keys") {
    const abuse::zoo all;
    conex_guard* guard = nullptr;
    CHECK(conex_guard_enter(nullptr, &guard) == CONEX_OK);
    fill(all.map);
    sink s;
    std::uint64_t key = 1;
    conex_map_options o = CONEX_MAP_OPTIONS_INIT;
    o.key = CONEX_KEY_BYTES;
    conex_map* strings = nullptr;
    CHECK(conex_map_new(&o, &strings) == CONEX_OK);
    for (const key_call& each : key_calls(s, guard)) {
        abuse::expect(each.run(all.map, nullptr, 8), CONEX_ERR_NULL, each.name, "a null key");
        for (const std::size_t size :
             {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{9}, std::size_t{16}, SIZE_MAX}) {
            abuse::expect(each.run(all.map, &key, size), CONEX_ERR_INVALID, each.name, "a key of the wrong length");
        }
        abuse::expect(each.run(strings, nullptr, 1), CONEX_ERR_NULL, each.name, "a null byte string that is not empty");
        abuse::expect(each.run(strings, &key, SIZE_MAX), CONEX_ERR_INVALID, each.name, "a byte string of SIZE_MAX");
    }
    CHECK(s.word == untouched && s.value == 5 && s.flag && s.ref == nullptr);
    verify(all.map);
    std::size_t n = marker;
    CHECK(conex_map_len(strings, &n) == CONEX_OK && n == 0);
    CHECK(conex_map_destroy(strings) == CONEX_OK);
    CHECK(conex_guard_leave(guard) == CONEX_OK);
}

TEST("map: null arguments") {
    const abuse::zoo all;
    conex_map* const m = all.map;
    fill(m);
    conex_guard* guard = nullptr;
    CHECK(conex_guard_enter(nullptr, &guard) == CONEX_OK);
    std::uint64_t k = 1;
    std::uint64_t v = 5;
    std::uint64_t cursor = 0;
    std::size_t n = marker;
    conex_status status = CONEX_BUSY;
    const void* ref = nullptr;
    using abuse::expect;
    expect(conex_map_get(m, &k, 8, nullptr), CONEX_ERR_NULL, "conex_map_get", "a null value");
    expect(conex_map_contains(m, &k, 8, nullptr), CONEX_ERR_NULL, "conex_map_contains", "a null found");
    expect(conex_map_insert(m, &k, 8, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_insert", "a null value");
    expect(conex_map_upsert(m, &k, 8, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_upsert", "a null value");
    expect(conex_map_replace(m, &k, 8, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_replace", "a null value");
    expect(conex_map_compare_exchange(m, &k, 8, nullptr, &v, nullptr), CONEX_ERR_NULL, "conex_map_compare_exchange",
           "a null expected");
    expect(conex_map_compare_exchange(m, &k, 8, &v, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_compare_exchange",
           "a null desired");
    expect(conex_map_update(m, &k, 8, nullptr, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_update", "a null update");
    expect(conex_map_get_or_insert(m, &k, 8, nullptr, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_get_or_insert",
           "a null make");
    expect(conex_map_get_ref(m, guard, &k, 8, nullptr), CONEX_ERR_NULL, "conex_map_get_ref", "a null value");
    expect(conex_map_get_ref(m, nullptr, &k, 8, &ref), CONEX_ERR_NULL, "conex_map_get_ref", "a null guard");
    expect(conex_map_get_n(m, nullptr, 1, &v, &status, &n), CONEX_ERR_NULL, "conex_map_get_n", "null keys");
    expect(conex_map_get_n(m, &k, 1, nullptr, &status, &n), CONEX_ERR_NULL, "conex_map_get_n", "null values");
    expect(conex_map_get_n(m, &k, 1, &v, nullptr, &n), CONEX_ERR_NULL, "conex_map_get_n", "null statuses");
    expect(conex_map_insert_n(m, nullptr, &v, 1, &status, &n), CONEX_ERR_NULL, "conex_map_insert_n", "null keys");
    expect(conex_map_insert_n(m, &k, nullptr, 1, &status, &n), CONEX_ERR_NULL, "conex_map_insert_n", "null values");
    expect(conex_map_insert_n(m, &k, &v, 1, nullptr, &n), CONEX_ERR_NULL, "conex_map_insert_n", "null statuses");
    expect(conex_map_remove_n(m, nullptr, 1, &status, &n), CONEX_ERR_NULL, "conex_map_remove_n", "null keys");
    expect(conex_map_remove_n(m, &k, 1, nullptr, &n), CONEX_ERR_NULL, "conex_map_remove_n", "null statuses");
    expect(conex_map_for_each(m, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_for_each", "a null visit");
    expect(conex_map_scan(m, nullptr, 1, never_visit, nullptr), CONEX_ERR_NULL, "conex_map_scan", "a null cursor");
    expect(conex_map_scan(m, &cursor, 1, nullptr, nullptr), CONEX_ERR_NULL, "conex_map_scan", "a null visit");
    expect(conex_map_retain(m, nullptr, nullptr, &n), CONEX_ERR_NULL, "conex_map_retain", "a null keep");
    expect(conex_map_len(m, nullptr), CONEX_ERR_NULL, "conex_map_len", "a null len");
    expect(conex_map_is_empty(m, nullptr), CONEX_ERR_NULL, "conex_map_is_empty", "a null empty");
    expect(conex_map_stats_get(m, nullptr), CONEX_ERR_NULL, "conex_map_stats_get", "null stats");
    expect(conex_map_reserve(m, SIZE_MAX), CONEX_ERR_NO_MEMORY, "conex_map_reserve", "SIZE_MAX entries");
    CHECK(v == 5 && n == marker && status == CONEX_BUSY && ref == nullptr && cursor == 0);
    verify(m);

    // guards: of another domain, of other kinds, left
    for (const abuse::bad_handle& bad : abuse::bad_handles(all, guard, static_cast<conex_guard*>(nullptr), true)) {
        if (bad.handle == nullptr) continue;
        expect(conex_map_get_ref(m, static_cast<conex_guard*>(bad.handle), &k, 8, &ref), bad.answer,
               "conex_map_get_ref", bad.what);
    }
    expect(conex_map_get_ref(m, all.guard, &k, 8, &ref), CONEX_ERR_INVALID, "conex_map_get_ref",
           "a guard of another domain");
    CHECK(ref == nullptr);
    CHECK(conex_guard_leave(guard) == CONEX_OK);

    conex_map_stats stats = CONEX_MAP_STATS_INIT;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{8}, sizeof stats - 1, SIZE_MAX}) {
        stats.struct_size = size;
        expect(conex_map_stats_get(m, &stats), CONEX_ERR_INVALID, "conex_map_stats_get",
               "a struct_size that cannot be");
        CHECK(stats.entries == 0);
    }
}

TEST("map: batches whose keys are bad") {
    const abuse::zoo all;
    fill(all.map);
    std::uint64_t k = 1;
    std::uint64_t v = 5;
    std::size_t n = marker;
    conex_status statuses[3] = {CONEX_BUSY, CONEX_BUSY, CONEX_BUSY};
    using abuse::expect;
    expect(conex_map_get_n(all.map, &k, SIZE_MAX, &v, statuses, &n), CONEX_ERR_INVALID, "conex_map_get_n",
           "SIZE_MAX keys");
    expect(conex_map_insert_n(all.map, &k, &v, SIZE_MAX / 8, statuses, &n), CONEX_ERR_INVALID, "conex_map_insert_n",
           "SIZE_MAX bytes");
    expect(conex_map_remove_n(all.map, &k, SIZE_MAX / 2, statuses, &n), CONEX_ERR_INVALID, "conex_map_remove_n",
           "bytes that overflow");
    CHECK(v == 5 && n == marker && statuses[0] == CONEX_BUSY);
    verify(all.map);

    conex_map_options o = CONEX_MAP_OPTIONS_INIT;
    o.key = CONEX_KEY_BYTES;
    conex_map* strings = nullptr;
    CHECK(conex_map_new(&o, &strings) == CONEX_OK);
    const conex_bytes keys[3] = {{"a", 1}, {nullptr, 1}, {"c", 1}};
    const std::uint64_t values[3] = {1, 2, 3};
    std::uint64_t out[3] = {untouched, untouched, untouched};
    // The call ends with the error of the second key; the first has been inserted, and its status says so.
    expect(conex_map_insert_n(strings, keys, values, 3, statuses, &n), CONEX_ERR_NULL, "conex_map_insert_n",
           "a null key among good ones");
    CHECK(conex_map_len(strings, &n) == CONEX_OK && n <= 1);
    CHECK((n == 1) == (statuses[0] == CONEX_OK));
    expect(conex_map_get_n(strings, keys, 3, out, statuses, nullptr), CONEX_ERR_NULL, "conex_map_get_n",
           "a null key among good ones");
    expect(conex_map_remove_n(strings, keys, 3, statuses, nullptr), CONEX_ERR_NULL, "conex_map_remove_n",
           "a null key among good ones");
    CHECK(out[1] == untouched);
    CHECK(conex_map_destroy(strings) == CONEX_OK);
}

TEST("map: cursors that no scan has made") {
    conex_map* m = nullptr;
    CHECK(conex_map_new(nullptr, &m) == CONEX_OK);
    for (std::uint64_t k = 0; k < 1000; ++k) CHECK(conex_map_insert(m, &k, 8, &k, nullptr) == CONEX_OK);
    const conex_visit_fn count = [](const void*, std::size_t, const void*, void* ctx) {
        ++*static_cast<std::size_t*>(ctx);
        return 0;
    };
    for (const std::uint64_t start :
         {std::uint64_t{1}, std::uint64_t{12345}, std::uint64_t{1} << 32, std::uint64_t{1} << 63, UINT64_MAX,
          UINT64_MAX - 1, std::uint64_t{0x5555555555555555}}) {
        std::uint64_t cursor = start;
        std::size_t seen = 0;
        int calls = 0;
        conex_status status = CONEX_OK;
        while (status == CONEX_OK && calls < 5000) {
            status = conex_map_scan(m, &cursor, 1, count, &seen);
            ++calls;
        }
        // It ends, with an answer that is documented, and shows nothing twice.
        CHECK(status == CONEX_EMPTY || status == CONEX_ERR_INVALID);
        CHECK(seen <= 1000);
    }
    std::uint64_t cursor = 0;
    std::size_t seen = 0;
    CHECK(conex_map_scan(m, &cursor, SIZE_MAX, count, &seen) == CONEX_EMPTY);
    CHECK(seen == 1000);
    seen = 0;
    conex_status status = CONEX_OK;
    while (status == CONEX_OK && seen < 5000)
        status = conex_map_scan(m, &cursor, 0, count, &seen);  // at least one a call
    CHECK(status == CONEX_EMPTY && seen == 1000);
    CHECK(conex_map_destroy(m) == CONEX_OK);
}
