// SPDX-License-Identifier: MIT OR Apache-2.0
// The map while everything comes and goes: entries that are shown exactly once while the table grows and shrinks, destructors
// exactly once, threads that pass.
#include "stress/map_keys.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace {

using stress::each_thread_count;
using stress::key;
using stress::map_of;

/// Some keys stay; waves of others make the table grow and shrink. The ones that stay are always found, and every scan
/// shows each of them exactly once.
template <class K>
void scans(unsigned threads) {
    const stress::trial test;
    constexpr std::uint64_t stay = 500;
    constexpr std::uint64_t wave = 4000;
    map_of<K, std::uint64_t> m;
    for (std::uint64_t k = 0; k < stay; ++k) m.insert(key<K>(k), k * 7);
    std::atomic<std::uint64_t> complete{0};
    support::on_threads(threads, [&](unsigned me) {
        support::dice dice(me);
        if (me % 2 == 0) {  // makes waves
            const std::uint64_t base = stay + me * wave;
            while (test.running()) {
                for (std::uint64_t i = 0; i < wave; ++i) CHECK(m.insert(key<K>(base + i), (base + i) * 7));
                if (dice.below(2) == 0) m.reserve(dice.below(20000));
                for (std::uint64_t i = 0; i < wave; ++i) CHECK(m.erase(key<K>(base + i)));
                if (dice.below(2) == 0) m.shrink();
            }
            return;
        }
        while (test.running()) {
            for (int i = 0; i < 100; ++i) {
                const std::uint64_t k = dice.below(stay);
                CHECK(m.get(key<K>(k)) == k * 7);
            }
            std::vector<unsigned> seen(stay + threads * wave, 0);
            const auto visit = [&](auto const&, std::uint64_t v) {
                CHECK(v % 7 == 0);
                if (CHECK(v / 7 < seen.size())) ++seen[v / 7];
            };
            if (dice.below(3) == 0) {
                m.for_each(visit);
            } else {
                conex::cursor at;
                const std::size_t limit = 1 + dice.below(200);
                while (m.scan(at, limit, visit)) {
                    if (dice.below(10) == 0) std::this_thread::yield();
                }
            }
            for (std::uint64_t k = 0; k < stay; ++k) CHECK(seen[k] == 1);
            complete.fetch_add(1);
        }
    });
    CHECK(m.size() == stay);
    CHECK(complete.load() > 0);
}

/// Values and keys with destructors are destroyed exactly once, and never while a guard protects them.
template <class K>
void lifetimes(unsigned threads) {
    const stress::trial test;
    constexpr std::uint64_t keys = 64;
    conex::domain home;
    map_of<K, types::tracked> m(home);
    support::on_threads(threads, [&](unsigned me) {
        support::dice dice(me);
        while (test.running()) {
            conex::guard session(home);
            for (int i = 0; i < 32; ++i) {
                const std::uint64_t k = dice.below(keys);
                switch (dice.below(5)) {
                case 0: m.insert(key<K>(k), types::tracked(k)); break;
                case 1: m.insert_or_assign(key<K>(k), types::tracked(k)); break;
                case 2: m.erase(key<K>(k)); break;
                case 3:
                    m.update(key<K>(k), [k](const types::tracked* old, conex::slot<types::tracked>& next) {
                        if (old != nullptr) CHECK(old->get() == k);
                        next.store(k);
                    });
                    break;
                default:
                    const types::tracked* const seen = m.find(session, key<K>(k));
                    if (seen != nullptr) {
                        CHECK(seen->get() == k);
                        m.insert_or_assign(key<K>(k), types::tracked(k));
                        CHECK(seen->get() == k);
                    }
                }
            }
        }
    });
}

/// Threads come and go.
template <class K>
void passing_threads(unsigned threads) {
    const stress::trial test;
    map_of<K, std::uint64_t> m;
    std::atomic<std::uint64_t> added{0};
    support::on_passing_threads(threads, test.time, [&](unsigned me, std::uint64_t generation) {
        for (std::uint64_t i = 0; i < 50; ++i) {
            m.fetch_add(key<K>(i % 10), 1);
            m.insert_or_assign(key<K>(100 + me * 50 + i), generation);
            m.erase(key<K>(100 + me * 50 + i));
        }
        added.fetch_add(50);
    });
    std::uint64_t total = 0;
    m.for_each([&](auto const&, std::uint64_t v) { total += v; });
    CHECK(total == added.load());
    CHECK(m.size() == 10);
}

}  // namespace

TEST("a key that stays is shown exactly once, while the table grows and shrinks") {
    each_thread_count(scans<std::uint64_t>);
    each_thread_count(scans<std::string>);
}

TEST("destructors run exactly once, and not too early") {
    each_thread_count(lifetimes<std::uint64_t>);
    each_thread_count(lifetimes<std::string>);
    each_thread_count(lifetimes<types::tracked>);
}

TEST("threads come and go") {
    each_thread_count(passing_threads<std::uint64_t>);
    each_thread_count(passing_threads<std::string>);
}
