// The map cases.
//
// An adapter is a class template over the key (`word_key` or `text_key`) and the value (`std::uint64_t` or `wide_value`):
//     explicit M(std::size_t room)            entries to make room for; 0 = start empty (ignored by maps that cannot grow
//                                             unless `static constexpr bool presized = true`: then the final size is given)
//     struct session { explicit session(M&);
//         bool get(K, V&); bool insert(K, const V&);    // if absent
//         void upsert(K, const V&); bool erase(K); }
// and optionally in the session: add(K, std::uint64_t) (insert or add), std::size_t get_n(const K*, V*, std::size_t),
// for_each(F) with F(const V&), tick(). `static constexpr bool erases = false` where keys cannot be erased while others run,
// `updates = false` where the value of a key cannot be changed (upsert is not called then).
#pragma once

#include <cmath>
#include <string_view>

#include "../harness/histogram.hpp"
#include "element.hpp"

namespace bench {

// Keys: entry number i has a key that looks random, so that neither insertion order nor an identity hash helps.
struct word_key {
    using type = std::uint64_t;
    static constexpr const char* label = "u64";
    struct store {
        type at(std::uint64_t i) { return splitmix(i + 1); }
    };
};

// Printable strings of 16 to 32 bytes, made in registers: a table of them would be measured instead of the map.
struct text_key {
    using type = std::string_view;
    static constexpr const char* label = "text";
    struct store {
        alignas(8) char bytes[32];
        type at(std::uint64_t i) {
            std::uint64_t x = splitmix(i + 1);
            const std::size_t len = 16 + x % 17;
            for (int w = 0; w < 4; ++w) {
                const std::uint64_t printable = (x & 0x3f3f3f3f3f3f3f3fu) + 0x3030303030303030u;
                std::memcpy(bytes + 8 * w, &printable, 8);
                x = (x ^ (x >> 31)) * 0x94d049bb133111ebu + i;
            }
            return {bytes, len};
        }
    };
};

struct wide_value {
    std::uint64_t word[8];
};

// A value carries a mark of its entry, so that a reader sees when it gets another entry's value or half of two.
template <class V>
struct marked;
template <>
struct marked<std::uint64_t> {
    static std::uint64_t of(std::uint64_t i, std::uint64_t free_bits) {
        return (splitmix(i) & ~std::uint64_t{0xffff}) | (free_bits & 0xffff);
    }
    static bool right(std::uint64_t v, std::uint64_t i) { return ((v ^ splitmix(i)) >> 16) == 0; }
};
template <>
struct marked<wide_value> {
    static wide_value of(std::uint64_t i, std::uint64_t free_bits) {
        wide_value v;
        const std::uint64_t w = marked<std::uint64_t>::of(i, free_bits);
        for (auto& x : v.word) x = w;
        return v;
    }
    static bool right(const wide_value& v, std::uint64_t i) {
        return marked<std::uint64_t>::right(v.word[0], i) && v.word[0] == v.word[7] && v.word[0] == v.word[3];
    }
};

// Draws of 0..n-1 after Zipf's law with exponent 0.99, made before the timed part (Gray et al., SIGMOD 1994).
inline std::vector<std::uint32_t> zipf_draws(std::uint32_t n, std::size_t draws, std::uint64_t seed) {
    constexpr double theta = 0.99;
    double zeta = 0;
    if (n <= 100'000) {
        for (std::uint32_t i = 1; i <= n; ++i) zeta += std::pow(i, -theta);
    } else {  // the tail by its integral: the error is far below a draw
        for (std::uint32_t i = 1; i <= 100'000; ++i) zeta += std::pow(i, -theta);
        zeta += (std::pow(n + 0.5, 1 - theta) - std::pow(100'000.5, 1 - theta)) / (1 - theta);
    }
    const double zeta2 = 1 + std::pow(2.0, -theta), alpha = 1 / (1 - theta);
    const double eta = (1 - std::pow(2.0 / n, 1 - theta)) / (1 - zeta2 / zeta);
    std::vector<std::uint32_t> v(draws);
    rng r(seed);
    for (auto& x : v) {
        const double u = static_cast<double>(r.next() >> 11) * 0x1p-53, uz = u * zeta;
        double rank;
        if (uz < 1) rank = 0;
        else if (uz < zeta2) rank = 1;
        else rank = n * std::pow(eta * u - eta + 1, alpha);
        x = rank >= n ? n - 1 : static_cast<std::uint32_t>(rank);
    }
    return v;
}

// A fixed scattering of 0..2^bits-1, so that a pass does not follow the order of insertion.
inline std::uint64_t scatter(std::uint64_t i, int bits) {
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    const int half = (bits + 1) / 2;
    i = (i * 0x9e3779b97f4a7c15u) & mask;
    i ^= i >> half;
    i = (i * 0xd6e8feb86659fd93u) & mask;
    i ^= i >> half;
    return i;
}

template <class S, class = void>
struct has_for_each : std::false_type {};
struct ignore_value {
    template <class V>
    void operator()(const V&) const {}
};
template <class S>
struct has_for_each<S, std::void_t<decltype(std::declval<S&>().for_each(ignore_value{}))>> : std::true_type {};

template <class S, class K, class = void>
struct has_add : std::false_type {};
template <class S, class K>
struct has_add<S, K, std::void_t<decltype(std::declval<S&>().add(std::declval<K>(), std::uint64_t{}))>> : std::true_type {};

template <class S, class K, class V, class = void>
struct has_get_n : std::false_type {};
template <class S, class K, class V>
struct has_get_n<S, K, V,
                 std::void_t<decltype(std::declval<S&>().get_n(std::declval<const K*>(), std::declval<V*>(), std::size_t{}))>>
    : std::true_type {};

template <class M, class = void>
struct is_presized : std::false_type {};
template <class M>
struct is_presized<M, std::void_t<decltype(M::presized)>> : std::bool_constant<M::presized> {};
template <class M, class = void>
struct can_erase : std::true_type {};
template <class M>
struct can_erase<M, std::void_t<decltype(M::erases)>> : std::bool_constant<M::erases> {};

template <class M, class = void>
struct can_update : std::true_type {};
template <class M>
struct can_update<M, std::void_t<decltype(M::updates)>> : std::bool_constant<M::updates> {};

template <template <class, class> class Map, class Key, class V>
class map_cases {
    using M = Map<Key, V>;
    using S = typename M::session;
    using K = typename Key::type;
    using mark = marked<V>;

    // A table for a run, which its process does not outlive: taking ten million entries down would only cost time.
    static M& table(std::size_t final_size) { return *new M(is_presized<M>::value ? final_size : 0); }

public:
    // One thread, a million entries (half of it for strings and wide values): each operation by itself, iteration, memory.
    static void single(const params& p, report& r, const std::string& name) {
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

    // Threads on one table: reads/inserts/erases of `mixes`, keys uniform and Zipf. Half of the keys are present.
    static void mixed(const params& p, report& r, const std::string& name, std::uint32_t n, std::vector<int> thread_counts) {
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

    // Threads insert keys of their own into one table that starts empty.
    static void grow(const params& p, report& r, const std::string& name, int threads) {
        const std::uint64_t n = p.quick ? 500'000 : 2'000'000;
        M& m = table(n);
        std::atomic<std::uint64_t> refused{0};
        const double seconds = whole(threads, [&](int id) {
            S me(m);
            typename Key::store key;
            std::uint64_t no = 0;
            const std::uint64_t end = n * static_cast<unsigned>(id + 1) / static_cast<unsigned>(threads);
            for (std::uint64_t i = n * static_cast<unsigned>(id) / static_cast<unsigned>(threads); i < end; ++i) {
                no += !me.insert(key.at(i), mark::of(i, 0));
                if (i % tick_every == 0) tick(me);
            }
            refused += no;
        });
        if (!all_there(r, name, m, n, refused)) return;
        r.figure(name, "throughput", "Minserts/s", true, static_cast<double>(n) / seconds * 1e-6);
    }

    // The same, each insert timed: how long the worst one waits for the growth.
    static void pauses(const params& p, report& r, const std::string& name, int threads) {
        const std::uint64_t n = p.quick ? 500'000 : 2'000'000;
        M& m = table(n);
        std::atomic<std::uint64_t> refused{0};
        std::vector<histogram> h(static_cast<std::size_t>(threads));
        const double ns = measure_ns_per_tick();
        whole(threads, [&](int id) {
            S me(m);
            typename Key::store key;
            std::uint64_t no = 0, t0 = ticks();
            const std::uint64_t end = n * static_cast<unsigned>(id + 1) / static_cast<unsigned>(threads);
            for (std::uint64_t i = n * static_cast<unsigned>(id) / static_cast<unsigned>(threads); i < end; ++i) {
                no += !me.insert(key.at(i), mark::of(i, 0));
                if (i % tick_every == 0) tick(me);
                const std::uint64_t t1 = ticks();
                h[static_cast<std::size_t>(id)].add(t1 - t0);
                t0 = t1;
            }
            refused += no;
        });
        if (!all_there(r, name, m, n, refused)) return;
        for (int t = 1; t < threads; ++t) h[0].merge(h[static_cast<std::size_t>(t)]);
        r.figure(name, "p50", "ns", false, static_cast<double>(h[0].percentile(50)) * ns);
        r.figure(name, "p99.9", "ns", false, static_cast<double>(h[0].percentile(99.9)) * ns);
        r.figure(name, "p99.99", "ns", false, static_cast<double>(h[0].percentile(99.99)) * ns);
        r.figure(name, "max", "us", false, static_cast<double>(h[0].max()) * ns * 1e-3);
    }

    // Threads that meet on one key, and counters.
    static void hot(const params& p, report& r, const std::string& name, std::vector<int> thread_counts) {
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

private:
    static unsigned long long u(std::uint64_t v) { return v; }
    static std::uint64_t first_word(std::uint64_t v) { return v; }
    static std::uint64_t first_word(const wide_value& v) { return v.word[0]; }
    static double bytes_per(std::size_t now, std::size_t base, double per) {
        return now > base ? static_cast<double>(now - base) * per : 0.0;
    }
    static double total(const thread_count* c, int n) {
        std::uint64_t sum = 0;
        for (int i = 0; i < n; ++i) sum += c[i].measured();
        return static_cast<double>(sum);
    }

    static std::size_t get_n(S& me, const K* keys, V* values, std::size_t n) {
        if constexpr (has_get_n<S, K, V>::value) {
            return me.get_n(keys, values, n);
        } else {
            std::size_t found = 0;
            for (std::size_t i = 0; i < n; ++i) found += me.get(keys[i], values[i]);
            return found;
        }
    }

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

    static bool all_there(report& r, const std::string& name, M& m, std::uint64_t n, std::uint64_t refused) {
        S me(m);
        typename Key::store key;
        V v;
        std::uint64_t lost = 0;
        for (std::uint64_t i = 0; i < n; i += 7) {
            lost += !(me.get(key.at(i), v) && mark::right(v, i));
            if (i % tick_every == 0) tick(me);
        }
        if (refused != 0) r.fail(name, "%llu inserts of new keys were refused", u(refused));
        else if (lost != 0) r.fail(name, "%llu of %llu inserted keys are not there", u(lost), u((n + 6) / 7));
        return !r.failed();
    }

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

// What an adapter can hold besides words.
struct map_traits {
    std::size_t max_entries = ~std::size_t{0};
    bool mixes = true;  // the mixed cases; off for a form that another form of the same library stands for
};

template <class M, class = void>
struct takes_text : std::true_type {};
template <class M>
struct takes_text<M, std::void_t<decltype(M::words_only)>> : std::bool_constant<!M::words_only> {};

template <template <class, class> class Map>
void add_map(const char* name, const char* peer, semantics sem, map_traits t = {}) {
    contestant c{"map", name, peer, sem, {}};
    const auto add = [&](const std::string& id, auto fn) {
        c.cases.emplace_back(id, [fn, full = "map/" + id](const params& p, report& r) { fn(p, r, full); });
    };
    using words = map_cases<Map, word_key, std::uint64_t>;
    add("single-u64", words::single);
    const std::pair<const char*, std::uint32_t> sizes[] = {{"10k", 10'000}, {"1M", 1'000'000}, {"10M", 10'000'000}};
    for (const auto& s : sizes)
        if (t.mixes && s.second <= t.max_entries)
            add(std::string("mixed-u64-") + s.first,
                [n = s.second](const params& p, report& r, const std::string& id) { words::mixed(p, r, id, n, {2, 8}); });
    for (const int threads : {2, 8})
        add("grow-u64-" + std::to_string(threads) + "t",
            [threads](const params& p, report& r, const std::string& id) { words::grow(p, r, id, threads); });
    for (const int threads : {1, 2})
        add("pause-u64-" + std::to_string(threads) + "t",
            [threads](const params& p, report& r, const std::string& id) { words::pauses(p, r, id, threads); });
    if constexpr (can_update<Map<word_key, std::uint64_t>>::value) add("hot-u64", [](const params& p, report& r, const std::string& id) { words::hot(p, r, id, {2, 8}); });
    if constexpr (takes_text<Map<word_key, std::uint64_t>>::value) {
        using texts = map_cases<Map, text_key, std::uint64_t>;
        add("single-text", texts::single);
        if (t.mixes) add("mixed-text-1M", [](const params& p, report& r, const std::string& id) { texts::mixed(p, r, id, 1'000'000, {2}); });
        using wides = map_cases<Map, word_key, wide_value>;
        add("single-wide", wides::single);
        if (t.mixes) add("mixed-wide-1M", [](const params& p, report& r, const std::string& id) { wides::mixed(p, r, id, 1'000'000, {2}); });
    }
    contestants().push_back(std::move(c));
}

}  // namespace bench
