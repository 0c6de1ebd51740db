// SPDX-License-Identifier: MIT OR Apache-2.0
// The operations of the map under many threads: one winner for each key, counters that add up, values that belong to their
// keys. What stays while tables, entries and threads come and go is in map_churn.cpp.
#include "stress/map_keys.hpp"

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "stress/tally.hpp"

namespace {

using stress::each_thread_count;
using stress::key;
using stress::map_of;

/// All threads race for the same keys. For each key one insert wins, and one erase.
template <class K>
void winners(unsigned threads) {
    const stress::trial test;
    constexpr std::uint64_t keys = 300;
    map_of<K, std::uint64_t> m;
    while (test.running()) {
        std::vector<std::atomic<unsigned>> inserted(keys);
        std::vector<std::atomic<unsigned>> erased(keys);
        std::vector<std::atomic<std::uint64_t>> winner(keys);
        support::on_threads(threads, [&](unsigned me) {
            support::dice dice(me);
            const std::uint64_t start = dice.below(4);
            for (std::uint64_t i = 0; i < keys; ++i) {
                const std::uint64_t k = (i + start) % keys;
                const bool won =
                    dice.below(2) == 0
                        ? m.insert(key<K>(k), std::uint64_t{me})
                        : m.update(key<K>(k), [me](const std::uint64_t* old, conex::slot<std::uint64_t>& next) {
                              if (old == nullptr) next.store(me);
                          }) == conex::change::inserted;
                if (won) {
                    inserted[k].fetch_add(1);
                    winner[k].store(me);
                }
            }
        });
        for (std::uint64_t k = 0; k < keys; ++k) {
            CHECK(inserted[k].load() == 1);
            CHECK(m.get(key<K>(k)) == winner[k].load());
        }
        CHECK(m.size() == keys);
        support::on_threads(threads, [&](unsigned me) {
            support::dice dice(me + 100);
            for (std::uint64_t k = 0; k < keys; ++k) {
                const bool won = dice.below(2) == 0 ? m.erase(key<K>(k)) : m.take(key<K>(k)).has_value();
                if (won) erased[k].fetch_add(1);
            }
        });
        for (std::uint64_t k = 0; k < keys; ++k) CHECK(erased[k].load() == 1);
        CHECK(m.empty());
    }
}

/// Every way to add to a counter, on few hot keys and many cold ones.
template <class K>
void counters(unsigned threads) {
    const stress::trial test;
    constexpr std::uint64_t keys = 1000;
    map_of<K, std::uint64_t> m;
    std::vector<std::atomic<std::uint64_t>> wanted(keys);
    support::on_threads(threads, [&](unsigned me) {
        support::dice dice(me);
        std::vector<std::uint64_t> mine(keys, 0);
        while (test.running()) {
            for (int i = 0; i < 32; ++i) {
                const std::uint64_t k = dice.below(2) == 0 ? dice.below(3) : dice.below(keys);
                const std::uint64_t delta = 1 + dice.below(5);
                switch (dice.below(3)) {
                case 0: m.fetch_add(key<K>(k), delta); break;
                case 1:
                    m.update(key<K>(k), [delta](const std::uint64_t* old, conex::slot<std::uint64_t>& next) {
                        next.store((old != nullptr ? *old : 0) + delta);
                    });
                    break;
                default:
                    std::uint64_t seen = m.get_or_insert(key<K>(k), [] { return std::uint64_t{0}; });
                    while (!m.compare_exchange(key<K>(k), seen, seen + delta)) {
                    }
                }
                mine[k] += delta;
            }
        }
        for (std::uint64_t k = 0; k < keys; ++k) wanted[k].fetch_add(mine[k]);
    });
    for (std::uint64_t k = 0; k < keys; ++k) CHECK(m.get(key<K>(k)).value_or(0) == wanted[k].load());
}

/// A value that belongs to a key: a copy of it in every word, and a version.
struct bound {
    std::uint64_t words[8];
    static bound make(std::uint64_t k, std::uint64_t version) {
        bound b;
        for (std::uint64_t i = 0; i < 8; ++i) b.words[i] = stress::mix(k) + version * (i + 1);
        return b;
    }
    [[nodiscard]] bool belongs_to(std::uint64_t k) const {
        const std::uint64_t version = words[0] - stress::mix(k);
        for (std::uint64_t i = 0; i < 8; ++i) {
            if (words[i] != stress::mix(k) + version * (i + 1)) return false;
        }
        return version < 1000000000;
    }
};

/// Everything at once on a range of keys. Whoever reads a value finds it whole and at its own key; what was put in and
/// what was taken out adds up.
template <class K>
void everything(unsigned threads) {
    const stress::trial test;
    constexpr std::uint64_t keys = 2000;
    map_of<K, bound> m;
    std::atomic<std::int64_t> entries{0};
    support::on_threads(threads, [&](unsigned me) {
        support::dice dice(me);
        std::int64_t mine = 0;
        std::uint64_t version = 0;
        const auto verify = [](std::uint64_t k, const bound& v) { CHECK(v.belongs_to(k)); };
        while (test.running()) {
            const std::uint64_t width = dice.below(10) == 0 ? 10 : keys;
            for (int i = 0; i < 32; ++i) {
                const std::uint64_t k = dice.below(width);
                const bound value = bound::make(k, ++version);
                switch (dice.below(14)) {
                case 0:
                case 1: mine += m.insert(key<K>(k), value) ? 1 : 0; break;
                case 2: mine += m.insert_or_assign(key<K>(k), value) ? 1 : 0; break;
                case 3: m.replace(key<K>(k), value); break;
                case 4: mine -= m.erase(key<K>(k)) ? 1 : 0; break;
                case 5: {
                    const std::optional<bound> old = m.take(key<K>(k));
                    if (old.has_value()) {
                        --mine;
                        verify(k, *old);
                    }
                    break;
                }
                case 6: {
                    const std::optional<bound> old = m.exchange(key<K>(k), value);
                    if (old.has_value())
                        verify(k, *old);
                    else
                        ++mine;
                    break;
                }
                case 7:
                    mine -= m.erase_if(key<K>(k),
                                       [&](const bound& v) {
                                           verify(k, v);
                                           return v.words[0] % 2 == 0;
                                       })
                                ? 1
                                : 0;
                    break;
                case 8: {
                    const conex::change done = m.update(key<K>(k), [&](const bound* old, conex::slot<bound>& next) {
                        if (old != nullptr) verify(k, *old);
                        if (old != nullptr && old->words[1] % 3 == 0)
                            next.remove();
                        else
                            next.store(value);
                    });
                    if (done == conex::change::inserted) ++mine;
                    if (done == conex::change::removed) --mine;
                    break;
                }
                case 9: m.visit(key<K>(k), [&](const bound& v) { verify(k, v); }); break;
                case 10: {
                    conex::guard session;
                    const bound* const seen = m.find(session, key<K>(k));
                    if (seen != nullptr) {
                        const bound copy = *seen;
                        static_cast<void>(m.contains(key<K>(k + 1)));
                        CHECK(std::memcmp(&copy, seen, sizeof copy) == 0);  // unchanged as long as the guard
                        verify(k, copy);
                    }
                    break;
                }
                default: {
                    const std::optional<bound> got = m.get(key<K>(k));
                    if (got.has_value()) verify(k, *got);
                }
                }
            }
            if (dice.below(50) == 0) {
                std::int64_t removed = 0;
                removed = static_cast<std::int64_t>(
                    m.retain([&](auto const&, const bound& v) { return v.words[0] % 8 != 0; }));
                mine -= removed;
            }
        }
        entries.fetch_add(mine);
    });
    CHECK(static_cast<std::int64_t>(m.size()) == entries.load());
    std::int64_t shown = 0;
    m.for_each([&](auto const&, const bound&) { ++shown; });
    CHECK(shown == entries.load());
    for (std::uint64_t k = 0; k < keys; ++k) {
        const std::optional<bound> got = m.get(key<K>(k));
        if (got.has_value()) CHECK(got->belongs_to(k));
    }
}

}  // namespace

TEST("one winner for each key") {
    each_thread_count(winners<std::uint64_t>);
    each_thread_count(winners<std::string>);
    each_thread_count(winners<types::tracked>);
}

TEST("counters add up") {
    each_thread_count(counters<std::uint64_t>);
    each_thread_count(counters<std::string>);
    each_thread_count(counters<types::tracked>);
}

TEST("values belong to their keys, entries add up") {
    each_thread_count(everything<std::uint64_t>);
    each_thread_count(everything<std::string>);
    each_thread_count(everything<types::tracked>);
}

TEST("more threads on one hot key than any bucket has room for") {
    each_thread_count([](unsigned n) {
        const stress::trial test;
        conex::map<std::uint64_t, std::uint64_t> m;
        std::atomic<std::uint64_t> wanted{0};
        support::on_threads(n, [&](unsigned me) {
            std::uint64_t mine = 0;
            while (test.running()) {
                for (int i = 0; i < 64; ++i) m.fetch_add(7, 1);
                mine += 64;
                m.insert_or_assign(1000 + me, mine);
                CHECK(m.get(1000 + me) == mine);
            }
            wanted.fetch_add(mine);
        });
        CHECK(m.get(7) == wanted.load());
    });
}
