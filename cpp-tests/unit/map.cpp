// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::map, key by key: every member function on one key, with plain values and with such as have to be copied and destroyed;
// move-only values, functions given to the map, sessions. What a map does with many keys is in map_many.cpp.
#include <conex/map.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/check.hpp"
#include "support/types.hpp"
#include "unit/map_values.hpp"

namespace {

using unit::make;

/// Every function on one key, in every state of the key.
template <class V>
void one_key() {
    const types::balance balance;
    conex::map<std::string, V> m;
    const V one = make<V>(1);
    const V two = make<V>(2);
    const V three = make<V>(3);
    const std::string key = "key";

    // absent
    CHECK(m.empty());
    CHECK(m.size() == 0);
    CHECK(!m.get("key").has_value());
    CHECK(!m.contains("key"));
    CHECK(!m.visit("key", [](const V&) { CHECK(false); }));
    CHECK(!m.erase("key"));
    CHECK(!m.take("key").has_value());
    CHECK(!m.erase_if("key", [](const V&) { return true; }));
    CHECK(!m.replace("key", one));
    V expected = one;
    CHECK(!m.compare_exchange("key", expected, two));
    CHECK(expected == one);
    CHECK(m.empty());

    // inserted once
    CHECK(m.insert(key, one));
    CHECK(!m.empty());
    CHECK(m.size() == 1);
    CHECK(m.get(key) == one);
    CHECK(m.contains(std::string_view(key)));
    V mine = two;
    CHECK(!m.insert(key, std::move(mine)));
    CHECK(mine == two);
    CHECK(!m.insert(key, two));
    CHECK(m.get(key) == one);
    int visits = 0;
    CHECK(m.visit(key, [&](const V& v) {
        CHECK(v == one);
        ++visits;
    }));
    CHECK(visits == 1);
    {
        conex::guard session;
        const V* const seen = m.find(session, key);
        CHECK(seen != nullptr && *seen == one);
        CHECK(m.find(session, "other") == nullptr);
        CHECK(!m.insert_or_assign(key, two));
        CHECK(m.find(session, key) != nullptr && *m.find(session, key) == two);
        CHECK(*seen == one);  // the old value stays as it was as long as the guard
        CHECK(m.erase(key));
        CHECK(*seen == one);
        CHECK(m.find(session, key) == nullptr);
    }

    // assigned
    CHECK(m.insert_or_assign(key, one));
    CHECK(!m.insert_or_assign(key, make<V>(2)));
    CHECK(m.get(key) == two);
    CHECK(m.replace(key, three));
    CHECK(m.replace(key, make<V>(1)));
    CHECK(m.get(key) == one);
    CHECK(m.exchange(key, two) == one);
    CHECK(!m.exchange("new", three).has_value());
    CHECK(m.get("new") == three);

    // compared
    expected = three;
    CHECK(!m.compare_exchange(key, expected, one));
    CHECK(expected == two);
    CHECK(m.compare_exchange(key, expected, three));
    CHECK(expected == two);
    CHECK(m.get(key) == three);

    // computed
    using conex::change;
    using slot = conex::slot<V>;
    CHECK(m.update(key, [](const V*, slot&) {}) == change::unchanged);
    CHECK(m.update(key, [&](const V* old, slot& next) {
        CHECK(old != nullptr && *old == three);
        CHECK(next.store(two) == two);
    }) == change::replaced);
    CHECK(m.get(key) == two);
    CHECK(m.update(key, [&](const V*, slot& next) {
        next.store(one);
        next.keep();
    }) == change::unchanged);
    CHECK(m.get(key) == two);
    CHECK(m.update(key, [&](const V*, slot& next) {
        next.store(one);
        next.store(three);
    }) == change::replaced);
    CHECK(m.get(key) == three);
    CHECK(m.update(key, [&](const V*, slot& next) {
        next.store(one);
        next.remove();
    }) == change::removed);
    CHECK(!m.contains(key));
    CHECK(m.update(key, [](const V* old, slot& next) {
        CHECK(old == nullptr);
        next.remove();
    }) == change::unchanged);
    CHECK(m.update(key, [](const V* old, slot&) { CHECK(old == nullptr); }) == change::unchanged);
    CHECK(!m.contains(key));
    CHECK(m.update(key, [&](const V*, slot& next) {
        next.remove();
        next.store(two);
    }) == change::inserted);
    CHECK(m.get(key) == two);

    // made on demand
    int made = 0;
    CHECK(m.get_or_insert(key, [&] {
        ++made;
        return make<V>(3);
    }) == two);
    CHECK(made == 0);
    CHECK(m.get_or_insert("made", [&] {
        ++made;
        return make<V>(3);
    }) == three);
    CHECK(made == 1);
    CHECK(m.get("made") == three);

    // removed
    CHECK(!m.erase_if(key, [&](const V& v) { return v == three; }));
    CHECK(m.erase_if(key, [&](const V& v) { return v == two; }));
    CHECK(!m.contains(key));
    CHECK(m.take("made") == three);
    CHECK(!m.take("made").has_value());
    CHECK(m.erase("new"));
    CHECK(m.empty());
}

}  // namespace

TEST("one key, through all its states") {
    one_key<std::uint64_t>();
    one_key<int>();
    one_key<double>();
    one_key<std::string>();
    one_key<types::tracked>();
    one_key<std::shared_ptr<types::tracked>>();
    one_key<types::plain<64>>();
    one_key<types::kilobyte>();
    one_key<types::aligned_tracked>();
}

TEST("move-only values: visited, found, computed, never copied") {
    const types::balance balance;
    conex::map<int, types::move_only> m;
    CHECK(m.insert(1, types::move_only(10u)));
    types::move_only mine(11u);
    CHECK(!m.insert(1, std::move(mine)));
    CHECK(mine.get() == 11);
    CHECK(!m.replace(2, std::move(mine)));
    CHECK(mine.get() == 11);
    CHECK(m.insert_or_assign(2, std::move(mine)));
    CHECK(!m.insert_or_assign(2, types::move_only(12u)));
    CHECK(m.replace(2, types::move_only(13u)));
    CHECK(m.visit(2, [](const types::move_only& v) { CHECK(v.get() == 13); }));
    CHECK(m.update(2, [](const types::move_only* old, conex::slot<types::move_only>& next) {
        next.store(old->get() + 1);
    }) == conex::change::replaced);
    std::uint64_t sum = 0;
    m.for_each([&](int, const types::move_only& v) { sum += v.get(); });
    CHECK(sum == 24);
    CHECK(m.erase(1));
    CHECK(m.erase_if(2, [](const types::move_only& v) { return v.get() == 14; }));
    std::vector<std::pair<int, types::move_only>> entries;
    for (int i = 0; i < 100; ++i) entries.emplace_back(i % 50, types::move_only(static_cast<std::uint64_t>(i)));
    CHECK(m.insert_n(std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end())) == 50);
    for (std::size_t i = 0; i < 100; ++i) CHECK((entries[i].second.get() == i) == (i >= 50));  // not taken: as it was

    conex::map<std::string, std::unique_ptr<int>> u;
    CHECK(u.insert("four", std::make_unique<int>(4)));
    CHECK(u.visit("four", [](const std::unique_ptr<int>& p) { CHECK(*p == 4); }));
}

TEST("fetch_add counts, and wraps") {
    conex::map<std::string, std::uint64_t> m;
    CHECK(m.fetch_add("a", 5) == 0);
    CHECK(m.fetch_add("a", 2) == 5);
    CHECK(m.get("a") == 7u);
    CHECK(m.fetch_add("a", UINT64_MAX) == 7);
    CHECK(m.get("a") == 6u);
    conex::map<int, std::int64_t> s;
    CHECK(s.fetch_add(1, -3) == 0);
    CHECK(s.fetch_add(1, -3) == -3);
    CHECK(s.get(1) == -6);
    CHECK(s.fetch_add(1, 0) == -6);
}

TEST("a map can be moved") {
    const types::balance balance;
    conex::map<std::string, types::tracked> m;
    m.insert("a", types::tracked(1u));
    conex::map<std::string, types::tracked> n(std::move(m));
    CHECK(m.native_handle() == nullptr);
    CHECK(n.contains("a"));
    m = conex::map<std::string, types::tracked>();
    m.insert("b", types::tracked(2u));
    m = std::move(n);
    CHECK(m.contains("a") && !m.contains("b"));
    auto& same = m;
    m = std::move(same);
    CHECK(m.contains("a"));
    static_assert(std::is_nothrow_move_constructible_v<conex::map<int, int>>);
    static_assert(std::is_nothrow_move_assignable_v<conex::map<int, int>>);
    static_assert(!std::is_copy_constructible_v<conex::map<int, int>>);
}

TEST("functions given to the map may use it") {
    conex::map<int, int> m;
    for (int i = 0; i < 100; ++i) m.insert(i, i);
    m.for_each([&](int key, int value) {
        CHECK(m.get(key) == value);
        m.insert_or_assign(key, value + 1000);
        if (key % 2 == 0) m.erase(key);
    });
    CHECK(m.size() == 50);
    m.visit(1, [&](int) { m.erase(1); });
    CHECK(!m.contains(1));
    CHECK(m.retain([&](int key, int) { return m.contains(key); }) == 0);
    CHECK(m.get_or_insert(1, [&] {
        m.insert(2, 2);
        return 1;
    }) == 1);
    bool first = true;
    CHECK(m.update(3, [&](const int*, conex::slot<int>& next) {
        if (std::exchange(first, false)) m.insert_or_assign(5, 55);
        next.store(33);
    }) == conex::change::replaced);
    CHECK(m.get(3) == 33 && m.get(5) == 55 && m.get(2) == 2);
}

TEST("many operations in one session") {
    conex::domain home;
    conex::map<int, std::string> m(home);
    conex::guard session(home);
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 100; ++i) m.insert_or_assign(i, std::to_string(round));
        session.refresh();
    }
    CHECK(*m.find(session, 5) == "9");
}
