// The map whose threads meet on one key or a few, and counters.
#pragma once

#include "map_case.hpp"

namespace bench {

template <template <class, class> class Map, class Key, class V>
class map_hot : map_case<Map, Key, V> {
    using kit = map_case<Map, Key, V>;
    using typename kit::K;
    using typename kit::M;
    using typename kit::S;
    using typename kit::mark;
    using kit::table;
    using kit::total;
    using kit::u;

public:
    // Threads that meet on one key, and counters.
    static void run(const params& p, report& r, const std::string& name, std::vector<int> thread_counts) {
        for (const int threads : thread_counts) {
            r.next_case();
            M& m = table(1024);
            const std::string id = name + "/key-50-50-" + std::to_string(threads) + "t";
            {
                S me(m);
                typename Key::store key;
                me.insert(key.at(7), mark::of(7, 0));
            }
            thread_count counts[max_threads];
            std::atomic<std::uint64_t> wrong{0};
            const double seconds = timed(p, threads, counts, [&](int t, starter& s, thread_count& c) {
                S me(m);
                typename Key::store key;
                V v{};
                rng random(p.seed + static_cast<unsigned>(t));
                std::uint64_t bad = 0;
                loop(s, c, [&]() -> std::uint64_t {
                    std::uint64_t coins = random.next();
                    for (int i = 0; i < tick_every; ++i, coins >>= 1) {
                        if (coins & 1) me.upsert(key.at(7), mark::of(7, coins >> 1));
                        else bad += !(me.get(key.at(7), v) && mark::right(v, 7));
                    }
                    tick(me);
                    return tick_every;
                });
                wrong += bad;
            });
            if (wrong != 0) r.fail(id, "%llu reads missed or got another value", u(wrong));
            r.figure(id, "throughput", "Mops/s", true, total(counts, threads) / seconds * 1e-6);
            r.figure(id, "fairness", "least/most", true, fairness(counts, threads));
            if constexpr (has_add<S, K>::value && std::is_same_v<V, std::uint64_t>) {
                counters(p, r, name + "/count-1key-" + std::to_string(threads) + "t", threads, 1);
                counters(p, r, name + "/count-1000keys-" + std::to_string(threads) + "t", threads, 1000);
            }
        }
    }

    // Threads that count words, of which few are hot.
    static void count(const params& p, report& r, const std::string& name, std::vector<int> thread_counts) {
        for (const int threads : thread_counts)
            for (const std::uint32_t keys : {1u, 16u})
                counters(p, r, name + "/count-" + std::to_string(keys) + (keys == 1 ? "key-" : "keys-") + std::to_string(threads) + "t",
                         threads, keys);
    }

private:
    static void counters(const params& p, report& r, const std::string& id, int threads, std::uint32_t keys) {
        r.next_case();
        M& m = table(1024);
        const auto draws = zipf_draws(keys < 2 ? 2 : keys, 1 << 14, p.seed);
        thread_count counts[max_threads];
        std::atomic<std::uint64_t> added{0};
        const double seconds = timed(p, threads, counts, [&](int t, starter& s, thread_count& c) {
            S me(m);
            typename Key::store key;
            std::size_t next = static_cast<std::size_t>(t) * 1001;
            loop(s, c, [&]() -> std::uint64_t {
                for (int i = 0; i < tick_every; ++i)
                    me.add(key.at(keys == 1 ? 0 : draws[next++ & ((1 << 14) - 1)]), 1);
                tick(me);
                return tick_every;
            });
            added += c.ops;
        });
        S me(m);
        typename Key::store key;
        std::uint64_t sum = 0, v = 0;
        for (std::uint32_t i = 0; i < keys; ++i)
            if (me.get(key.at(i), v)) sum += v;
        if (sum != added) r.fail(id, "the counters add up to %llu, %llu were counted", u(sum), u(added));
        r.figure(id, "throughput", "Mops/s", true, total(counts, threads) / seconds * 1e-6);
        r.figure(id, "fairness", "least/most", true, fairness(counts, threads));
    }
};

}  // namespace bench
