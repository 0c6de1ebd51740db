// The map with threads that read, update, insert and erase, of a table that is as large as it will be.
#pragma once

#include "map_case.hpp"

namespace bench {

template <template <class, class> class Map, class Key, class V>
class map_mixed : map_case<Map, Key, V> {
    using kit = map_case<Map, Key, V>;
    using typename kit::K;
    using typename kit::M;
    using typename kit::S;
    using typename kit::mark;
    using kit::get_n;
    using kit::table;
    using kit::total;
    using kit::u;

public:
    // Threads on one table: reads/inserts/erases of `mixes`, keys uniform and Zipf. Half of the keys are present.
    static void run(const params& p, report& r, const std::string& name, std::uint32_t n, std::vector<int> thread_counts) {
        M& m = table(n + n / 4);
        whole(2, [&](int id) {  // filled by two threads, untimed
            S me(m);
            typename Key::store key;
            for (std::uint32_t i = static_cast<std::uint32_t>(id); i < n; i += 2) {
                me.insert(key.at(i), mark::of(i, 0));
                if (i % tick_every < 2) tick(me);
            }
        });
        // Entries whose number has no bit of `audit` set are counted one by one afterwards; all of them in small tables.
        const std::uint32_t audit = n > 1'000'000 ? 15 : 0;
        std::int64_t expect = (n + audit) / (audit + 1);
        std::vector<std::uint32_t> zipf[2];  // over the n present keys, over all 2n
        for (int i = 0; i < 2; ++i) zipf[i] = zipf_draws(n << i, n > 100'000 ? 1 << 20 : 1 << 17, p.seed + static_cast<unsigned>(i));
        struct mix {
            const char* label;
            unsigned reads, updates, inserts;  // of 1024; the rest erases
        };
        constexpr mix mixes[] = {{"100-0", 1024, 0, 0}, {"95-5", 973, 51, 0}, {"80-10-10", 820, 0, 102}, {"50-25-25", 512, 0, 256}};
        // Reads only and reads with updates for all, then the mixes that change the table.
        if (p.quick) thread_counts = {2};
        for (const mix& x : mixes) {
            if (p.quick && (&x == &mixes[0] || &x == &mixes[2])) continue;
            if (!can_erase<M>::value && x.reads + x.updates != 1024) continue;
            if (!can_update<M>::value && x.updates != 0) continue;
            const bool churn = x.reads + x.updates != 1024;
            for (const bool skewed : {false, true})
                for (const int threads : thread_counts) {
                    const std::string id =
                        name + "/" + x.label + (skewed ? "-zipf" : "-uniform") + "-" + std::to_string(threads) + "t";
                    std::int64_t change = 0;
                    const bool fine = mix_run(p, r, id, m, n, zipf[churn], skewed, churn, threads, x.reads, x.updates, x.inserts,
                                              audit, change);
                    expect += change;
                    if (!fine) return;
                }
            if constexpr (std::is_same_v<Key, word_key>)
                if (&x == &mixes[0] && !batches_run(p, r, name + "/batch-32-uniform-2t", m, n, 2)) return;
        }
        S me(m);
        typename Key::store key;
        V v;
        std::int64_t found = 0;
        for (std::uint64_t i = 0; i < 2 * std::uint64_t{n}; i += audit + 1) {
            if (me.get(key.at(i), v)) {
                ++found;
                if (!mark::right(v, i)) return r.fail(name, "an entry holds another entry's value");
            }
            if ((i / (audit + 1)) % tick_every == 0) tick(me);
        }
        if (found != expect)
            r.fail(name, "%lld entries where the successful inserts and erases leave %lld", static_cast<long long>(found),
                   static_cast<long long>(expect));
    }

private:
    static bool mix_run(const params& p, report& r, const std::string& id, M& m, std::uint32_t n,
                        const std::vector<std::uint32_t>& zipf, bool skewed, bool churn, int threads, unsigned reads,
                        unsigned updates, unsigned inserts, std::uint32_t audit, std::int64_t& change) {
        thread_count counts[max_threads];
        std::atomic<std::int64_t> delta{0};
        std::atomic<std::uint64_t> wrong{0}, missed{0};
        const std::uint32_t range = churn ? 2 * n : n;
        params q = p;
        if (oversubscribed(threads)) q.ms = p.ms * 2;
        const double seconds = timed(q, threads, counts, [&](int t, starter& s, thread_count& c) {
            S me(m);
            typename Key::store key;
            V v{};
            rng random(p.seed * 31 + static_cast<unsigned>(t));
            const std::size_t mask = zipf.size() - 1;
            std::size_t next = random.next() & mask;
            std::int64_t net = 0;
            std::uint64_t bad = 0, none = 0;
            loop(s, c, [&]() -> std::uint64_t {
                for (int k = 0; k < tick_every; ++k) {
                    const std::uint64_t x = random.next();
                    const std::uint32_t i =
                        skewed ? zipf[next++ & mask] : static_cast<std::uint32_t>(((x >> 32) * range) >> 32);
                    const unsigned what = static_cast<unsigned>(x >> 8) & 1023;
                    if (what < reads) {
                        if (me.get(key.at(i), v)) bad += !mark::right(v, i);
                        else ++none;
                    } else if (what < reads + updates) {
                        if constexpr (can_update<M>::value) me.upsert(key.at(i), mark::of(i, x));
                    } else if constexpr (can_erase<M>::value) {
                        if (what < reads + updates + inserts) {
                            if (me.insert(key.at(i), mark::of(i, x))) net += (i & audit) == 0;
                        } else {
                            if (me.erase(key.at(i))) net -= (i & audit) == 0;
                        }
                    }
                }
                tick(me);
                return tick_every;
            });
            delta += net;
            wrong += bad;
            missed += none;
        });
        change = delta;
        if (wrong != 0) r.fail(id, "%llu reads got another entry's value", u(wrong));
        else if (!churn && missed != 0) r.fail(id, "%llu reads missed a key that nobody erased", u(missed));
        r.figure(id, "throughput", "Mops/s", true, total(counts, threads) / seconds * 1e-6);
        r.figure(id, "fairness", "least/most", true, fairness(counts, threads));
        return !r.failed();
    }

    // Threads read present keys, 32 in a call where there is such a call.
    static bool batches_run(const params& p, report& r, const std::string& id, M& m, std::uint32_t n, int threads) {
        constexpr unsigned batch = 32;
        thread_count counts[max_threads];
        std::atomic<std::uint64_t> wrong{0};
        const double seconds = timed(p, threads, counts, [&](int t, starter& s, thread_count& c) {
            S me(m);
            typename Key::store key;
            K keys[batch];
            V values[batch];
            std::uint32_t drawn[batch];
            rng random(p.seed * 31 + static_cast<unsigned>(t));
            std::uint64_t bad = 0;
            loop(s, c, [&]() -> std::uint64_t {
                for (unsigned k = 0; k < batch; ++k) {
                    drawn[k] = static_cast<std::uint32_t>(((random.next() >> 32) * n) >> 32);
                    keys[k] = key.at(drawn[k]);
                }
                bad += get_n(me, keys, values, batch) != batch;
                for (unsigned k = 0; k < batch; ++k) bad += !mark::right(values[k], drawn[k]);
                tick(me);
                return batch;
            });
            wrong += bad;
        });
        if (wrong != 0) r.fail(id, "%llu batches missed a key, or values were another entry's", u(wrong));
        r.figure(id, "throughput", "Mops/s", true, total(counts, threads) / seconds * 1e-6);
        r.figure(id, "fairness", "least/most", true, fairness(counts, threads));
        return !r.failed();
    }
};

}  // namespace bench
