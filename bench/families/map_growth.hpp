// The map that starts empty and grows: how fast, and how long the worst insert waits.
#pragma once

#include "../harness/histogram.hpp"
#include "map_case.hpp"

namespace bench {

template <template <class, class> class Map, class Key, class V>
class map_growth : map_case<Map, Key, V> {
    using kit = map_case<Map, Key, V>;
    using typename kit::M;
    using typename kit::S;
    using typename kit::mark;
    using kit::table;
    using kit::u;

public:
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

private:
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
};

}  // namespace bench
