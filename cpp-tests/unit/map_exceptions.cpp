// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::map when functions and copies throw: the exception reaches the caller, the map is valid and nothing is lost.
#include <conex/map.hpp>

#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/allocator.hpp"
#include "support/check.hpp"
#include "support/types.hpp"

namespace {

using types::burnt;
using types::fuse;
using types::throwing_copy;

fuse hashes;
fuse comparisons;

struct throwing_hash {
    std::size_t operator()(const throwing_copy& key) const {
        hashes.spend();
        return static_cast<std::size_t>(key.get() % 3);  // some collide, so that comparisons happen
    }
};
struct throwing_equal {
    bool operator()(const throwing_copy& a, const throwing_copy& b) const {
        comparisons.spend();
        return a.get() == b.get();
    }
};

using map = conex::map<throwing_copy, throwing_copy, throwing_hash, throwing_equal>;
using counters = conex::map<throwing_copy, std::uint64_t, throwing_hash, throwing_equal>;

/// All operations on a few keys, against a plain model of what each of them has done so far. Stops at the first exception
/// and says where the model stands.
struct scenario {
    map& m;
    std::vector<int> model;  // value of each key, -1 if absent
    static constexpr int absent_or_54 = -54;

    explicit scenario(map& target) : m(target), model(8, -1) {}

    void run() {
        for (unsigned i = 0; i < 6; ++i) {
            if (m.insert(key(i), value(10 + i))) model[i] = static_cast<int>(10 + i);
        }
        m.insert(key(0), value(99));
        if (!m.insert_or_assign(key(1), value(21))) model[1] = 21;
        if (m.insert_or_assign(key(6), value(16))) model[6] = 16;
        if (m.replace(key(2), value(32))) model[2] = 32;
        if (m.exchange(key(3), value(43)).has_value()) model[3] = 43;
        if (m.erase(key(4))) model[4] = -1;
        if (m.take(key(5)).has_value()) model[5] = -1;
        throwing_copy expected(43);
        if (m.compare_exchange(key(3), expected, value(44))) model[3] = 44;
        if (m.update(key(7), [](const throwing_copy*, conex::slot<throwing_copy>& next) { next.store(77u); }) ==
            conex::change::inserted) {
            model[7] = 77;
        }
        if (m.update(key(7), [](const throwing_copy* old, conex::slot<throwing_copy>& next) { next.store(*old); }) ==
            conex::change::replaced) {
            model[7] = 77;
        }
        if (m.erase_if(key(0), [](const throwing_copy& v) { return v.get() == 10; })) model[0] = -1;
        model[4] = absent_or_54;  // the copy that is returned may throw after the key was added
        m.get_or_insert(key(4), [] { return throwing_copy(54); });
        model[4] = 54;
        CHECK(m.get(key(7)).has_value());
        CHECK(m.contains(key(7)));
        CHECK(m.visit(key(7), [](const throwing_copy& v) { CHECK(v.get() == 77); }));
        std::vector<throwing_copy> keys;
        keys.reserve(8);
        for (unsigned i = 0; i < 8; ++i) keys.emplace_back(i);
        std::vector<std::optional<throwing_copy>> out(8);
        CHECK(m.get_n(keys.begin(), keys.end(), out.begin()) == 6);
        if (m.retain([](const throwing_copy& k, const throwing_copy&) { return k.get() != 6; }) == 1) model[6] = -1;
    }

    void verify() {
        std::size_t entries = 0;
        for (unsigned i = 0; i < 8; ++i) {
            const std::optional<throwing_copy> got = m.get(key(i));
            if (model[i] == absent_or_54) model[i] = got.has_value() ? 54 : -1;
            CHECK(got.has_value() == (model[i] >= 0));
            if (got.has_value()) {
                CHECK(static_cast<int>(got->get()) == model[i]);
                ++entries;
            }
        }
        CHECK(m.size() == entries);
        std::size_t shown = 0;
        m.for_each([&](const throwing_copy& k, const throwing_copy& v) {
            CHECK(model[k.get()] == static_cast<int>(v.get()));
            ++shown;
        });
        CHECK(shown == entries);
    }

    static throwing_copy key(unsigned i) { return throwing_copy(i); }
    static throwing_copy value(unsigned i) { return throwing_copy(i); }
};

/// Burns the fuse at the n-th call, for every n until the scenario gets through, with several layouts of the table.
void burn_everywhere(fuse& what, long limit) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        bool through = false;
        for (long n = 0; !through && CHECK(n < limit); ++n) {
            const types::balance balance;
            support::counting_allocator allocator;
            {
                conex::map_options options;
                options.allocator = allocator.hooks();
                options.seed = seed;
                map m(options);
                scenario s(m);
                what.set(n);
                try {
                    s.run();
                    through = true;
                } catch (const burnt&) {
                }
                what.set(-1);
                s.verify();
            }
            CHECK(allocator.bytes() == 0);
            CHECK(!through || n > 10);  // it did burn
        }
    }
}

}  // namespace

TEST("copies that throw, at every call") { burn_everywhere(types::copies, 1000); }

TEST("a hash that throws, at every call") { burn_everywhere(hashes, 1000); }

TEST("a comparison that throws, at every call") { burn_everywhere(comparisons, 1000); }

TEST("want of memory, at every allocation") {
    for (long n = 0;; ++n) {
        const types::balance balance;
        support::counting_allocator allocator;
        bool threw = false;
        {
            conex::map_options options;
            options.allocator = allocator.hooks();
            map m(options);
            scenario s(m);
            allocator.fail_after(n);
            try {
                s.run();
            } catch (const std::bad_alloc&) {
                threw = true;
            }
            allocator.fail_after(-1);
            s.verify();
        }
        CHECK(allocator.bytes() == 0);
        if (!threw) {
            CHECK(n > 10);
            break;
        }
        if (!CHECK(n < 1000)) break;
    }
}

TEST("room for more entries than there can be is want of memory") {
    conex::map<int, int> m;
    m.insert(1, 1);
    CHECK_THROWS(std::bad_alloc, m.reserve(SIZE_MAX));
    CHECK(m.get(1) == 1);
    conex::map_options absurd;
    absurd.capacity = SIZE_MAX;
    CHECK_THROWS(std::bad_alloc, conex::map<int, int>(absurd));
}

TEST("want of memory when the map is made") {
    support::counting_allocator allocator;
    conex::map_options options;
    options.allocator = allocator.hooks();
    for (long n = 0;; ++n) {
        allocator.fail_after(n);
        bool threw = false;
        try {
            const map m(options);
        } catch (const std::bad_alloc&) {
            threw = true;
        }
        CHECK(allocator.bytes() == 0);
        if (!threw) break;
        if (!CHECK(n < 1000)) break;
    }
}

TEST("fetch_add with a doubtful comparison") {
    counters m;
    CHECK(m.fetch_add(throwing_copy(1), 5) == 0);
    comparisons.set(0);
    CHECK_THROWS(burnt, m.fetch_add(throwing_copy(1), 5));
    CHECK_THROWS(burnt, m.fetch_add(throwing_copy(4), 5));  // collides with 1
    CHECK_THROWS(burnt, m.exchange(throwing_copy(1), 9));
    CHECK_THROWS(burnt, m.take(throwing_copy(1)));
    comparisons.set(-1);
    CHECK(m.fetch_add(throwing_copy(1), 5) == 5);
    CHECK(m.size() == 1);
}

TEST("ranges with a doubtful comparison") {
    const types::balance balance;
    map m;
    std::vector<std::pair<throwing_copy, throwing_copy>> entries;
    std::vector<throwing_copy> keys;
    entries.reserve(50);
    keys.reserve(50);
    for (unsigned i = 0; i < 50; ++i) {
        entries.emplace_back(throwing_copy(i), throwing_copy(i + 100));
        keys.emplace_back(i);
    }
    for (long n = 0; n < 100; n += 7) {
        comparisons.set(n);
        CHECK_THROWS(burnt, m.insert_n(entries.begin(), entries.end()));
        comparisons.set(-1);
        m.for_each([](const throwing_copy& k, const throwing_copy& v) { CHECK(v.get() == k.get() + 100); });
    }
    m.insert_n(entries.begin(), entries.end());
    CHECK(m.size() == 50);
    for (const throwing_copy& key : keys) CHECK(m.get(key).has_value());
    comparisons.set(20);
    CHECK_THROWS(burnt, m.erase_n(keys.begin(), keys.end()));
    comparisons.set(-1);
    m.erase_n(keys.begin(), keys.end());
    CHECK(m.empty());
}

TEST("functions given to the map throw") {
    const types::balance balance;
    conex::map<int, types::tracked> m;
    for (int i = 0; i < 100; ++i) m.insert(i, types::tracked(static_cast<std::uint64_t>(i)));
    const auto boom = [](auto&&...) -> bool { throw burnt(); };
    CHECK_THROWS(burnt, m.visit(1, boom));
    CHECK_THROWS(burnt, m.for_each(boom));
    conex::cursor at;
    CHECK_THROWS(burnt, m.scan(at, 10, boom));
    CHECK_THROWS(burnt, m.retain(boom));
    CHECK_THROWS(burnt, m.erase_if(1, boom));
    CHECK_THROWS(burnt, m.update(1, [](const types::tracked*, conex::slot<types::tracked>& next) {
        next.store(5u);
        throw burnt();
    }));
    CHECK_THROWS(burnt, m.get_or_insert(1000, []() -> types::tracked { throw burnt(); }));
    CHECK(m.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(m.get(i)->get() == static_cast<std::uint64_t>(i));
    int kept = 0;
    CHECK_THROWS(burnt, m.retain([&](int, const types::tracked&) {
        if (++kept == 50) throw burnt();
        return false;
    }));
    CHECK(m.size() == 51);
    conex::map<int, std::uint64_t> plain;
    CHECK_THROWS(burnt, plain.get_or_insert(1, []() -> std::uint64_t { throw burnt(); }));
    CHECK(plain.empty());
}

TEST("misuse is std::logic_error") {
    conex::map<int, int> m;
    conex::map<int, int> n(std::move(m));
    CHECK_THROWS(std::logic_error, m.insert(1, 1));
    CHECK_THROWS(std::logic_error, m.get(1));
    CHECK_THROWS(std::logic_error, m.erase(1));
    CHECK_THROWS(std::logic_error, m.clear());
    CHECK_THROWS(std::logic_error, m.size());
    CHECK_THROWS(std::logic_error, m.for_each([](int, int) {}));
    conex::map<std::string, std::string> boxed;
    conex::map<std::string, std::string> taken(std::move(boxed));
    CHECK_THROWS(std::logic_error, boxed.insert("a", "b"));
    CHECK_THROWS(std::logic_error, boxed.get("a"));
    map hashed;
    map stolen(std::move(hashed));
    CHECK_THROWS(std::logic_error, hashed.insert(throwing_copy(1), throwing_copy(1)));
    CHECK_THROWS(std::logic_error, hashed.contains(throwing_copy(1)));
    conex::domain other;
    conex::guard session(other);
    CHECK_THROWS(std::logic_error, n.find(session, 1));
    conex::map_options half;
    half.allocator.free = [](void*, std::size_t, std::size_t, void*) {};
    CHECK_THROWS(std::logic_error, conex::map<int, int>(half));
    CHECK_THROWS(std::logic_error, conex::map<int, std::string>(half));
}
