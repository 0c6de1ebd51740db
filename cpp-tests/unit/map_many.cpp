// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::map with many keys: iteration, scans, ranges, retain; growth and shrinking; memory that comes from hooks and goes
// back.
#include <conex/map.hpp>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/allocator.hpp"
#include "support/check.hpp"
#include "support/types.hpp"
#include "unit/map_values.hpp"

namespace {

using unit::make;

template <class V>
void many_keys() {
    const types::balance balance;
    constexpr std::uint64_t n = 3000;
    conex::map<std::uint64_t, V> m;
    for (std::uint64_t i = 0; i < n; ++i) CHECK(m.insert(i, make<V>(i)));
    CHECK(m.size() == n);
    for (std::uint64_t i = 0; i < n; ++i) CHECK(m.get(i) == make<V>(i));

    // for_each sees each once, and stops when told
    std::set<std::uint64_t> seen;
    m.for_each([&](const std::uint64_t& key, const V& value) {
        CHECK(value == make<V>(key));
        CHECK(seen.insert(key).second);
    });
    CHECK(seen.size() == n);
    std::size_t shown = 0;
    m.for_each([&](auto const&, auto const&) { return ++shown < 10; });
    CHECK(shown == 10);

    // scan, in pieces
    seen.clear();
    conex::cursor at;
    std::size_t pieces = 0;
    bool more = true;
    while (more) {
        std::size_t piece = 0;
        more = m.scan(at, 10, [&](std::uint64_t key, const V& value) {
            CHECK(value == make<V>(key));
            CHECK(seen.insert(key).second);
            ++piece;
        });
        CHECK(piece >= 1 || !more);
        ++pieces;
    }
    CHECK(seen.size() == n);
    CHECK(pieces > 1);
    CHECK(at.position == 0);
    shown = 0;
    static_cast<void>(m.scan(at, 1000000, [&](auto const&, auto const&) { return ++shown < 5; }));
    CHECK(shown == 5);

    // ranges
    std::vector<std::uint64_t> keys;
    for (std::uint64_t i = 0; i < 2 * n; i += 3) keys.push_back(i);
    std::vector<std::optional<V>> values(keys.size());
    CHECK(m.get_n(keys.begin(), keys.end(), values.begin()) == n / 3);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        CHECK(values[i].has_value() == (keys[i] < n));
        if (values[i].has_value()) CHECK(*values[i] == make<V>(keys[i]));
    }
    CHECK(m.erase_n(keys.begin(), keys.end()) == n / 3);
    CHECK(m.erase_n(keys.begin(), keys.end()) == 0);
    CHECK(m.size() == n - n / 3);
    std::vector<std::pair<std::uint64_t, V>> entries;
    for (std::uint64_t i = 0; i < n; ++i) entries.emplace_back(i, make<V>(i + 1));
    CHECK(m.insert_n(entries.begin(), entries.end()) == n / 3);
    for (std::uint64_t i = 0; i < n; ++i) {
        CHECK(entries[i].second == make<V>(i + 1));
        CHECK(m.get(i) == make<V>(i % 3 == 0 ? i + 1 : i));
    }
    CHECK(m.insert_n(entries.begin(), entries.begin()) == 0);
    CHECK(m.erase_n(keys.begin(), keys.begin()) == 0);

    // retain
    CHECK(m.retain([](std::uint64_t key, const V&) { return key < 100; }) == n - 100);
    CHECK(m.size() == 100);
    CHECK(m.retain([](std::uint64_t, const V&) { return true; }) == 0);
    m.clear();
    CHECK(m.empty());
    m.clear();
    m.for_each([](auto const&, auto const&) { CHECK(false); });
    CHECK(!m.scan(at, 10, [](auto const&, auto const&) { CHECK(false); }));
}

template <class V>
void own_memory() {
    const types::balance balance;
    support::counting_allocator allocator;
    conex::domain home;
    {
        conex::map_options options;
        options.domain = &home;
        options.allocator = allocator.hooks();
        options.capacity = 100;
        options.seed = 7;
        conex::map<std::string, V> m(options);
        for (std::uint64_t i = 0; i < 2000; ++i) m.insert(std::to_string(i), make<V>(i));
        CHECK(allocator.bytes() >= 2000 * sizeof(V));
        for (std::uint64_t i = 0; i < 1000; ++i) m.erase(std::to_string(i));
        for (std::uint64_t i = 1000; i < 2000; ++i) m.insert_or_assign(std::to_string(i), make<V>(i + 1));
        conex::map<std::string, V> moved(std::move(m));
        CHECK(moved.size() == 1000);
    }
    CHECK(allocator.bytes() == 0);
}

}  // namespace

TEST("many keys, growing, shown, in ranges, shrinking") {
    many_keys<std::uint64_t>();
    many_keys<int>();
    many_keys<std::string>();
    many_keys<types::tracked>();
    many_keys<types::plain<64>>();
}

TEST("memory comes from the hooks and goes back") {
    own_memory<std::uint64_t>();
    own_memory<std::string>();
    own_memory<types::tracked>();
    own_memory<types::aligned_tracked>();
    own_memory<types::kilobyte>();
}

TEST("growth and shrinking show in the figures") {
    conex::map<int, int> m;
    const conex::map_stats fresh = m.stats();
    CHECK(fresh.entries == 0);
    for (int i = 0; i < 20000; ++i) m.insert(i, i);
    const conex::map_stats full = m.stats();
    CHECK(full.entries == 20000);
    CHECK(full.growths > 0);
    CHECK(full.bytes > fresh.bytes);
    CHECK(full.buckets > 0);
    m.clear();
    m.shrink();
    CHECK(m.stats().entries == 0);
    CHECK(m.stats().shrinks > 0);
    m.reserve(50000);
    for (int i = 0; i < 20000; ++i) m.insert(i, i);
    CHECK(m.size() == 20000);
}
