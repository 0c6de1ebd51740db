// The map with one thread: each operation by itself, and memory.
#pragma once

#include "map_case.hpp"

namespace bench {

template <template <class, class> class Map, class Key, class V>
class map_single : map_case<Map, Key, V> {
    using kit = map_case<Map, Key, V>;
    using typename kit::K;
    using typename kit::M;
    using typename kit::S;
    using typename kit::mark;
    using kit::bytes_per;
    using kit::first_word;
    using kit::get_n;
    using kit::table;
    using kit::u;

public:
    // One thread, a million entries (half of it for strings and wide values): each operation by itself, iteration, memory.
    static void run(const params& p, report& r, const std::string& name) {
        std::thread([] {}).join();  // libc's shortcuts for programs that never had a second thread are not the case here
        pin(0);
        constexpr bool words = std::is_same_v<Key, word_key> && std::is_same_v<V, std::uint64_t>;
        const int bits = p.quick ? 18 : words ? 20 : 19;
        const std::uint64_t n = std::uint64_t{1} << bits;
        const double per = 1.0 / static_cast<double>(n);
        typename Key::store key;
        V v{};
        std::uint64_t wrong = 0;
        const std::size_t base = held_bytes();
        M& m = table(n);
        S me(m);
        const auto pass = [&](auto&& op) {
            const std::uint64_t t0 = now_ns();
            for (std::uint64_t i = 0; i < n; ++i) {
                op(i);
                if (i % tick_every == 0) tick(me);
            }
            return static_cast<double>(now_ns() - t0) * per;
        };
        const double insert = pass([&](std::uint64_t i) { wrong += !me.insert(key.at(i), mark::of(i, 0)); });
        if (wrong != 0) return r.fail(name, "%llu first inserts said the key was there", u(wrong));
        const std::size_t filled = held_bytes();
        (void)pass([&](std::uint64_t i) { wrong += !me.get(key.at(i), v); });  // warm
        const double hit = pass([&](std::uint64_t i) {
            i = scatter(i, bits);
            wrong += !(me.get(key.at(i), v) && mark::right(v, i));
        });
        if (wrong != 0) return r.fail(name, "%llu of %llu lookups missed or got another value", u(wrong), u(n));
        const double miss = pass([&](std::uint64_t i) { wrong += me.get(key.at(n + i), v); });
        if (wrong != 0) return r.fail(name, "%llu absent keys were found", u(wrong));
        double update = 0;
        if constexpr (can_update<M>::value)
            update = pass([&](std::uint64_t i) {
                i = scatter(i, bits);
                me.upsert(key.at(i), mark::of(i, 1));
            });
        r.figure(name, "insert", "ns", false, insert);
        r.figure(name, "hit", "ns", false, hit);
        r.figure(name, "miss", "ns", false, miss);
        if (can_update<M>::value) r.figure(name, "update", "ns", false, update);
        r.figure(name, "memory", "B/entry", false, bytes_per(filled, base, per));
        if constexpr (std::is_same_v<Key, word_key>) {
            K keys[32];
            V values[32];
            std::uint64_t found = 0;
            const std::uint64_t t0 = now_ns();
            for (std::uint64_t i = 0; i < n; i += 32) {
                for (unsigned k = 0; k < 32; ++k) keys[k] = key.at(scatter(i + k, bits));
                found += get_n(me, keys, values, 32);
                wrong += !mark::right(values[31], scatter(i + 31, bits));
                tick(me);
            }
            const double batch = static_cast<double>(now_ns() - t0) * per;
            if (found != n || wrong != 0) return r.fail(name, "a batch found %llu of %llu keys", u(found), u(n));
            r.figure(name, "hit in batches of 32", "ns", false, batch);
        }
        if constexpr (has_for_each<S>::value) {
            double best = 0;
            for (int round = 0; round < 2; ++round) {  // the second is warm
                std::uint64_t seen = 0, sum = 0;
                const std::uint64_t t0 = now_ns();
                me.for_each([&](const V& value) {
                    ++seen;
                    sum += first_word(value);
                });
                best = static_cast<double>(now_ns() - t0) * per;
                if (seen != n) return r.fail(name, "iteration saw %llu of %llu entries", u(seen), u(n));
                asm volatile("" ::"r"(sum));
            }
            r.figure(name, "iterate", "ns/entry", false, best);
        }
        if constexpr (can_erase<M>::value) {
            const double erase = pass([&](std::uint64_t i) { wrong += !me.erase(key.at(scatter(i, bits))); });
            if (wrong != 0) return r.fail(name, "%llu erasures did not find their key", u(wrong));
            for (std::uint64_t i = 0; i < 1000; ++i) {  // ordinary use goes on: reclamation gets its chance
                me.insert(key.at(0), mark::of(0, 0));
                me.erase(key.at(0));
                tick(me);
            }
            const std::size_t left = held_bytes();
            for (std::uint64_t i = 0; i < n; i += 97) wrong += me.get(key.at(i), v);
            if (wrong != 0) return r.fail(name, "%llu erased keys were found", u(wrong));
            r.figure(name, "erase", "ns", false, erase);
            r.figure(name, "memory after erasing all", "B/entry", false, bytes_per(left, base, per));
        }
    }
};

}  // namespace bench
