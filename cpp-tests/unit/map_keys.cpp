// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::map: every kind of key.
#include <conex/map.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/allocator.hpp"
#include "support/check.hpp"
#include "support/types.hpp"

namespace {

struct point {  // no padding: its bytes are its value
    std::int32_t x;
    std::int32_t y;
};

struct padded {  // its bytes are not its value
    char tag;
    std::uint64_t number;
    friend bool operator==(const padded& a, const padded& b) noexcept { return a.tag == b.tag && a.number == b.number; }
};
struct padded_hash {
    std::size_t operator()(const padded& p) const noexcept { return static_cast<std::size_t>(p.number); }
};

struct caseless {  // without padding, yet equal in more ways than one
    char text[4];
    friend bool operator==(const caseless& a, const caseless& b) noexcept {
        for (int i = 0; i < 4; ++i) {
            if ((a.text[i] | 32) != (b.text[i] | 32)) return false;
        }
        return true;
    }
};

struct tracked_hash {
    std::size_t operator()(const types::tracked& t) const noexcept { return static_cast<std::size_t>(t.get()); }
    std::size_t operator()(const types::aligned_tracked& t) const noexcept { return static_cast<std::size_t>(t.get()); }
};

struct all_collide {
    template <class K>
    std::size_t operator()(const K&) const noexcept {
        return 42;
    }
};

struct modulo {  // a comparison with a state of its own
    int divisor;
    bool operator()(int a, int b) const noexcept { return a % divisor == b % divisor; }
};
struct modulo_hash {
    int divisor;
    std::size_t operator()(int a) const noexcept { return static_cast<std::size_t>(a % divisor); }
};

/// Insert, look up, show, remove, for n keys that `key(i)` makes and `number` knows again.
template <class Map, class Make, class Number>
void keys(Make key, Number number, int n) {
    const types::balance balance;
    support::counting_allocator allocator;
    {
        conex::map_options options;
        options.allocator = allocator.hooks();
        Map m(options);
        for (int i = 0; i < n; ++i) {
            CHECK(m.insert(key(i), i));
            CHECK(!m.insert(key(i), -1));
        }
        CHECK(m.size() == static_cast<std::size_t>(n));
        for (int i = 0; i < n; ++i) CHECK(m.get(key(i)) == i);
        int seen = 0;
        m.for_each([&](auto const& k, int value) {
            CHECK(number(k) == value);
            ++seen;
        });
        CHECK(seen == n);
        for (int i = 0; i < n; i += 2) CHECK(m.erase(key(i)));
        for (int i = 0; i < n; ++i) CHECK(m.contains(key(i)) == (i % 2 == 1));
        CHECK(m.retain([&](auto const& k, int) { return number(k) % 4 == 1; }) == static_cast<std::size_t>(n / 4));
        for (int i = 0; i < n; ++i) CHECK(m.insert_or_assign(key(i), i + 1) == (i % 4 != 1));
        for (int i = 0; i < n; ++i) {
            int expected = i + 1;
            CHECK(m.compare_exchange(key(i), expected, i + 2));
            CHECK(m.take(key(i)) == i + 2);
        }
        CHECK(m.empty());
        for (int i = 0; i < n; ++i) CHECK(m.get_or_insert(key(i), [i] { return i; }) == i);
    }
    CHECK(allocator.bytes() == 0);
}

}  // namespace

template <>
struct conex::is_bytewise_equal<caseless> : std::false_type {};
template <>
struct std::hash<caseless> {
    std::size_t operator()(const caseless& c) const noexcept { return static_cast<std::size_t>(c.text[0] | 32); }
};

TEST("integers, signed and small") {
    keys<conex::map<std::uint64_t, int>>([](int i) { return static_cast<std::uint64_t>(i) << 32; },
                                         [](std::uint64_t k) { return static_cast<int>(k >> 32); }, 2000);
    keys<conex::map<int, int>>([](int i) { return i - 1000; }, [](int k) { return k + 1000; }, 2000);
    keys<conex::map<signed char, int>>([](int i) { return static_cast<signed char>(i - 100); },
                                       [](signed char k) { return k + 100; }, 200);
    keys<conex::map<bool, int>>([](int i) { return i == 1; }, [](bool k) { return k ? 1 : 0; }, 2);
}

TEST("no key is reserved") {
    conex::map<std::uint64_t, std::uint64_t> m;
    const std::uint64_t odd[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, std::uint64_t{1} << 63, 0x8000000000000001U};
    for (const std::uint64_t key : odd) CHECK(m.insert(key, ~key));
    for (const std::uint64_t key : odd) CHECK(m.get(key) == ~key);
    CHECK(m.size() == std::size(odd));
}

TEST("enumerations, pointers, structs without padding") {
    conex::map<types::colour, int> colours;
    CHECK(colours.insert(types::colour::red, 1));
    CHECK(colours.insert(types::colour::green, 2));
    CHECK(colours.get(types::colour::green) == 2);
    static const int objects[100] = {};
    keys<conex::map<const int*, int>>([](int i) { return objects + i; },
                                      [](const int* k) { return static_cast<int>(k - objects); }, 100);
    keys<conex::map<point, int>>([](int i) { return point{i, -i}; }, [](const point& k) { return k.x; }, 2000);
    keys<conex::map<types::plain<64>, int>>([](int i) { return types::plain<64>(static_cast<std::uint64_t>(i)); },
                                            [](const types::plain<64>& k) { return static_cast<int>(k.get()); }, 500);
    keys<conex::map<types::kilobyte, int>>([](int i) { return types::kilobyte(static_cast<std::uint64_t>(i)); },
                                           [](const types::kilobyte& k) { return static_cast<int>(k.get()); }, 100);
}

TEST("strings of every length, with every byte") {
    using map = conex::map<std::string, int>;
    keys<map>([](int i) { return std::to_string(i); }, [](std::string_view k) { return std::stoi(std::string(k)); },
              2000);
    keys<map>([](int i) { return std::string(static_cast<std::size_t>(i), 'x'); },
              [](std::string_view k) { return static_cast<int>(k.size()); }, 400);
    map m;
    CHECK(m.insert(std::string_view(), 1));
    CHECK(m.get("") == 1);
    CHECK(m.get(std::string()) == 1);
    CHECK(m.insert(std::string_view("\0", 1), 2));
    CHECK(m.insert(std::string_view("\0\0", 2), 3));
    CHECK(m.get(std::string_view("\0", 1)) == 2);
    CHECK(m.insert(std::string(1000000, 'a'), 4));
    CHECK(m.get(std::string(1000000, 'a')) == 4);
    const char* const c = "c string";
    CHECK(m.insert(c, 5));
    m.for_each([](std::string_view k, int v) { CHECK((k.empty()) == (v == 1)); });
    std::vector<std::string_view> views{"", "c string", "none"};
    std::vector<std::optional<int>> values(3);
    CHECK(m.get_n(views.begin(), views.end(), values.begin()) == 2);
    CHECK(values[0] == 1 && values[1] == 5 && !values[2].has_value());
}

TEST("any other type, by Hash and Eq") {
    keys<conex::map<padded, int, padded_hash>>(
        [](int i) {
            padded p;
            std::memset(static_cast<void*>(&p), i, sizeof p);  // another padding each time
            p.tag = 'x';
            p.number = static_cast<std::uint64_t>(i);
            return p;
        },
        [](const padded& k) { return static_cast<int>(k.number); }, 250);
    keys<conex::map<types::tracked, int, tracked_hash>>(
        [](int i) { return types::tracked(static_cast<std::uint64_t>(i)); },
        [](const types::tracked& k) { return static_cast<int>(k.get()); }, 1000);
    keys<conex::map<types::aligned_tracked, int, tracked_hash>>(
        [](int i) { return types::aligned_tracked(static_cast<std::uint64_t>(i)); },
        [](const types::aligned_tracked& k) { return static_cast<int>(k.get()); }, 300);
    keys<conex::map<double, int>>([](int i) { return i * 0.5; }, [](double k) { return static_cast<int>(k * 2); },
                                  1000);
    static std::vector<std::shared_ptr<int>> pool;
    for (int i = 0; i < 100; ++i) pool.push_back(std::make_shared<int>(i));
    keys<conex::map<std::shared_ptr<int>, int>>([](int i) { return pool[static_cast<std::size_t>(i)]; },
                                                [](const std::shared_ptr<int>& k) { return *k; }, 100);
    for (const auto& each : pool) CHECK(each.use_count() == 1);
}

TEST("zeros of both signs are one key") {
    conex::map<double, int> m;
    CHECK(m.insert(0.0, 1));
    CHECK(!m.insert(-0.0, 2));
    CHECK(m.get(-0.0) == 1);
}

TEST("equal in more ways than one") {
    conex::map<caseless, int> m;
    CHECK(m.insert(caseless{{'a', 'b', 'c', 'd'}}, 1));
    CHECK(!m.insert(caseless{{'A', 'b', 'C', 'd'}}, 2));
    CHECK(m.get(caseless{{'A', 'B', 'C', 'D'}}) == 1);
    m.for_each([](const caseless& k, int) { CHECK(k.text[0] == 'a'); });
}

TEST("a hash that always collides is slow, and right") {
    keys<conex::map<int, int, all_collide>>([](int i) { return i; }, [](int k) { return k; }, 300);
    keys<conex::map<std::string, int, all_collide>>([](int i) { return std::to_string(i); },
                                                    [](const std::string& k) { return std::stoi(k); }, 300);
}

TEST("functions with a state of their own") {
    conex::map<int, int, modulo_hash, modulo> m({}, modulo_hash{10}, modulo{10});
    CHECK(m.insert(3, 1));
    CHECK(!m.insert(13, 2));
    CHECK(m.get(103) == 1);
    CHECK(m.insert(4, 2));
    conex::map<int, int, modulo_hash, modulo> moved(std::move(m));
    CHECK(moved.get(23) == 1);
    auto shared = std::make_shared<int>(7);
    {
        const auto hash = [shared](int i) { return static_cast<std::size_t>(i); };
        conex::map<int, int, std::function<std::size_t(int)>> f({}, hash);
        CHECK(f.insert(1, 1));
        CHECK(f.get(1) == 1);
    }
    CHECK(shared.use_count() == 1);
}

TEST("ranges of every kind of key") {
    std::vector<std::string> words;
    for (int i = 0; i < 100; ++i) words.push_back(std::to_string(i));
    std::vector<std::optional<int>> out(100);
    conex::map<std::string, int> strings;
    conex::map<std::string, int, all_collide> hashed;
    std::vector<std::pair<std::string, int>> entries;
    for (int i = 0; i < 100; ++i) entries.emplace_back(std::to_string(i), i);
    CHECK(strings.insert_n(entries.begin(), entries.end()) == 100);
    CHECK(hashed.insert_n(entries.begin(), entries.end()) == 100);
    CHECK(hashed.insert_n(entries.begin(), entries.end()) == 0);
    CHECK(strings.get_n(words.begin(), words.end(), out.begin()) == 100);
    for (int i = 0; i < 100; ++i) CHECK(out[static_cast<std::size_t>(i)] == i);
    out.assign(100, std::nullopt);
    CHECK(hashed.get_n(words.begin(), words.end(), out.begin()) == 100);
    for (int i = 0; i < 100; ++i) CHECK(out[static_cast<std::size_t>(i)] == i);
    CHECK(hashed.erase_n(words.begin(), words.begin() + 50) == 50);
    CHECK(hashed.size() == 50);
    CHECK(strings.erase_n(words.begin(), words.end()) == 100);
    conex::map<types::kilobyte, types::kilobyte> large;
    std::vector<std::pair<types::kilobyte, types::kilobyte>> blocks;
    for (std::uint64_t i = 0; i < 50; ++i) blocks.emplace_back(types::kilobyte(i), types::kilobyte(i + 1));
    CHECK(large.insert_n(blocks.begin(), blocks.end()) == 50);
    std::vector<types::kilobyte> ids;
    for (std::uint64_t i = 0; i < 60; ++i) ids.emplace_back(i);
    std::vector<std::optional<types::kilobyte>> got(60);
    CHECK(large.get_n(ids.begin(), ids.end(), got.begin()) == 50);
    CHECK(got[3]->get() == 4 && !got[50].has_value());
}
