// The cases of queues and stacks, each a function of the adapter: what is measured, and how its result is checked. What an
// adapter is, and which cases it runs, is in pool.hpp.
#pragma once

#include <algorithm>

#include "../harness/histogram.hpp"
#include "element.hpp"

namespace bench {

struct pool_traits {
    bool ordered = true;                     // test that each producer's elements come out in order (queues)
    bool lifo = false;                       // a stack
    bool one_to_one_only = false;            // single producer, single consumer: only the cases that are so
    std::size_t max_capacity = ~std::size_t{0};
};

template <template <class> class Pool, std::size_t Bytes>
class pool_cases {
    using E = element<Bytes>;
    using Q = Pool<E>;
    using S = typename Q::session;

    static constexpr std::size_t room = 32'768;  // of a bounded queue

    struct histogram_pair {
        histogram of[2];  // before the measured time, and in it
    };

public:
    // One thread, push then pop: the floor without any contention.
    static void alone(const params& p, report& r, const std::string& name, const pool_traits& t) {
        Q q(room);
        thread_count count;
        ledger books;
        const double seconds = timed(p, 1, &count, [&](int, starter& s, thread_count& c) {
            S me(q);
            std::uint64_t n = 0;
            E out = E::of(0);
            loop(s, c, [&]() -> std::uint64_t {
                for (int i = 0; i < tick_every; ++i) {
                    const std::uint64_t v = stamp(0, n++);
                    while (!me.push(E::of(v))) relax();
                    while (!me.pop(out)) relax();
                    books.disorder += out.value() != v;
                    books.torn += !out.whole();
                }
                tick(me);
                return tick_every;
            });
        });
        (void)t;
        if (books.disorder != 0 || books.torn != 0) return r.fail(name, "a pair gave back another element");
        r.figure(name, "pair", "ns", false, seconds * 1e9 / static_cast<double>(count.measured()));
    }

    // Several threads, each push then pop.
    static void pairs(const params& p, report& r, const std::string& name, const pool_traits& t, int threads, int work) {
        Q q(room);
        thread_count counts[max_threads];
        auto books = std::make_unique<ledger[]>(max_threads + 1);
        const double seconds = timed(p, threads, counts, [&](int id, starter& s, thread_count& c) {
            S me(q);
            ledger& b = books[id];
            local_work between(p, work, id);
            waiter w(oversubscribed(threads));
            E out = E::of(0);
            loop(s, c, [&]() -> std::uint64_t {
                for (int i = 0; i < 8; ++i) {
                    const std::uint64_t v = stamp(id, b.pushed);
                    for (w.reset(); !me.push(E::of(v));) w.wait();
                    ++b.pushed;
                    b.push_sum += v;
                    between();
                    for (w.reset(); !me.pop(out);) w.wait();
                    b.out(out);
                    between();
                }
                if ((b.pushed & (tick_every - 1)) == 0) tick(me);
                return 8;
            });
        });
        if (!balanced(r, name, books.get(), threads, t.ordered && !t.lifo)) return;
        r.figure(name, "throughput", "Mpairs/s", true, total(counts, threads) / seconds * 1e-6);
        r.figure(name, "fairness", "least/most", true, fairness(counts, threads));
    }

    // Producers and consumers. What counts is what the consumers got in the measured time.
    static void flow(const params& p, report& r, const std::string& name, const pool_traits& t, int producers,
                     int consumers, int work, int batch) {
        Q q(room);
        const int threads = producers + consumers;
        thread_count counts[max_threads];
        auto books = std::make_unique<ledger[]>(max_threads + 1);
        std::atomic<int> producing{producers};
        const double seconds = timed(p, threads, counts, [&](int id, starter& s, thread_count& c) {
            S me(q);
            ledger& b = books[id];
            local_work between(p, work, id);
            waiter w(oversubscribed(threads));
            if (id < producers) {
                loop(s, c, [&]() -> std::uint64_t { return produce(me, b, id, batch, between, w); });
                producing.fetch_sub(1, std::memory_order_release);
            } else {
                loop(s, c, [&]() -> std::uint64_t { return consume(me, b, batch, between, w); });
                for (;;) {
                    const bool last = producing.load(std::memory_order_acquire) == 0;
                    if (consume(me, b, batch, between, w) == 0 && last) break;
                }
            }
        });
        {
            S me(q);  // what a relaxed queue did not show to the consumers
            E out = E::of(0);
            while (me.pop(out)) books[threads].out(out);
        }
        if (!balanced(r, name, books.get(), threads + 1, t.ordered && !t.lifo)) return;
        r.figure(name, "throughput", "Mitems/s", true, total(counts + producers, consumers) / seconds * 1e-6);
        const double fp = fairness(counts, producers), fc = fairness(counts + producers, consumers);
        if (threads > 2) r.figure(name, "fairness", "least/most", true, fp < fc ? fp : fc);
    }

    // One thread puts many in, then takes all out. The first round pays for fresh memory; memory is read around it.
    static void burst(const params&, report& r, const std::string& name, const pool_traits& t) {
        std::thread([] {}).join();  // libc's shortcuts for programs that never had a second thread are not the case here
        pin(0);
        const std::size_t n = burst_size;
        constexpr int rounds = Bytes == 8 ? 4 : 2;
        double push[rounds], pop[rounds];
        const std::size_t base = held_bytes();
        std::size_t peak = base, drained = base;
        Q q(n);
        {
            S me(q);
            E out = E::of(0);
            for (int round = 0; round < rounds; ++round) {
                const std::uint64_t t0 = now_ns();
                for (std::size_t i = 0; i < n; ++i) {
                    if (!me.push(E::of(i))) return r.fail(name, "full after %zu elements", i);
                    if (i % tick_every == 0) tick(me);
                }
                const std::uint64_t t1 = now_ns();
                if (round == 0) peak = resident_bytes();
                const std::uint64_t t2 = now_ns();
                std::uint64_t wrong = 0;
                for (std::size_t i = 0; i < n; ++i) {
                    if (!me.pop(out)) return r.fail(name, "empty after %zu elements", i);
                    wrong += out.value() != (t.lifo ? n - 1 - i : i);
                    wrong += !out.whole();
                    if (i % tick_every == 0) tick(me);
                }
                const std::uint64_t t3 = now_ns();
                if (wrong != 0) return r.fail(name, "%llu elements out of order", static_cast<unsigned long long>(wrong));
                if (me.pop(out)) return r.fail(name, "an element too many");
                push[round] = static_cast<double>(t1 - t0) / static_cast<double>(n);
                pop[round] = static_cast<double>(t3 - t2) / static_cast<double>(n);
                if (round == 0) {
                    for (int i = 0; i < 1000; ++i) {  // ordinary use goes on: reclamation gets its chance
                        me.push(E::of(1));
                        me.pop(out);
                        tick(me);
                    }
                    drained = held_bytes();
                }
            }
        }
        const auto middle = [](double* v) {  // of the rounds after the first
            std::sort(v + 1, v + rounds);
            return v[rounds / 2];
        };
        const auto per = [&](std::size_t bytes) {
            return bytes > base ? static_cast<double>(bytes - base) / static_cast<double>(n) : 0.0;
        };
        r.figure(name, "first push", "ns", false, push[0]);
        r.figure(name, "first pop", "ns", false, pop[0]);
        r.figure(name, "push", "ns", false, middle(push));
        r.figure(name, "pop", "ns", false, middle(pop));
        r.figure(name, "peak memory", "B/element", false, per(peak));
        r.figure(name, "memory after drain", "B/element", false, per(drained));
    }

    // One thread, batches in and out.
    static void batch_alone(const params& p, report& r, const std::string& name, const pool_traits& t, int batch) {
        Q q(room);
        thread_count count;
        std::uint64_t wrong = 0;
        const double seconds = timed(p, 1, &count, [&](int, starter& s, thread_count& c) {
            S me(q);
            std::uint64_t n = 0;
            E in[256], out[256];
            loop(s, c, [&]() -> std::uint64_t {
                for (int i = 0; i < batch; ++i) in[i] = E::of(n + static_cast<unsigned>(i));
                std::size_t put = 0, got = 0;
                const auto want = static_cast<std::size_t>(batch);
                while (put < want) put += push_n(me, in + put, want - put);
                while (got < want) got += pop_n(me, out + got, want - got);
                for (std::size_t i = 0; i < want; ++i) wrong += out[i].value() != n + (t.lifo ? want - 1 - i : i);
                n += want;
                tick(me);
                return want;
            });
        });
        if (wrong != 0) return r.fail(name, "%llu elements out of order", static_cast<unsigned long long>(wrong));
        r.figure(name, "in and out", "ns/element", false, seconds * 1e9 / static_cast<double>(count.measured()));
    }

    // Round trips over two queues between two threads.
    static void latency(const params& p, report& r, const std::string& name, const pool_traits&) {
        Q there(room), back(room);
        histogram_pair h;
        thread_count counts[2];
        std::atomic<bool> over{false};
        std::uint64_t wrong = 0;
        const double ns = measure_ns_per_tick();
        timed(p, 2, counts, [&](int id, starter& s, thread_count& c) {
            waiter w(oversubscribed(2));
            E e = E::of(0);
            if (id == 0) {
                S out(there), in(back);
                std::uint64_t n = 0;
                loop(s, c, [&]() -> std::uint64_t {
                    const std::uint64_t t0 = ticks();
                    while (!out.push(E::of(n))) relax();
                    for (w.reset(); !in.pop(e);) w.wait();
                    h.of[s.now.load(std::memory_order_relaxed) == phase::measure].add(ticks() - t0);
                    wrong += e.value() != n++;
                    if (n % tick_every == 0) {
                        tick(out);
                        tick(in);
                    }
                    return 1;
                });
                over.store(true, std::memory_order_release);
            } else {
                S in(there), out(back);
                std::uint64_t n = 0;
                s.wait_for_start();
                while (!over.load(std::memory_order_acquire)) {
                    if (!in.pop(e)) {
                        w.wait();
                        continue;
                    }
                    while (!out.push(e)) relax();
                    if (++n % tick_every == 0) {
                        tick(out);
                        tick(in);
                    }
                }
            }
        });
        if (wrong != 0) return r.fail(name, "%llu answers were not for the question", static_cast<unsigned long long>(wrong));
        for (const double q : {50.0, 99.0, 99.9}) {
            if (static_cast<double>(h.of[1].count()) * (100 - q) < 100) continue;  // too few to say
            char metric[16];
            std::snprintf(metric, sizeof metric, "p%g", q);
            r.figure(name, metric, "ns", false, static_cast<double>(h.of[1].percentile(q)) * ns);
        }
    }

    static constexpr std::size_t burst_size = 1'000'000;

private:
    static double total(const thread_count* c, int n) {
        std::uint64_t sum = 0;
        for (int i = 0; i < n; ++i) sum += c[i].measured();
        return static_cast<double>(sum);
    }

    static std::size_t push_n(S& me, const E* e, std::size_t n) {
        if constexpr (has_batch<S, E>::value) {
            return me.push_n(e, n);
        } else {
            std::size_t i = 0;
            while (i < n && me.push(e[i])) ++i;
            return i;
        }
    }
    static std::size_t pop_n(S& me, E* e, std::size_t n) {
        if constexpr (has_batch<S, E>::value) {
            return me.pop_n(e, n);
        } else {
            std::size_t i = 0;
            while (i < n && me.pop(e[i])) ++i;
            return i;
        }
    }

    static std::uint64_t produce(S& me, ledger& b, int id, int batch, local_work& between, waiter& w) {
        if (batch == 1) {
            const std::uint64_t v = stamp(id, b.pushed);
            if (!me.push(E::of(v))) {
                tick(me);
                w.wait();
                return 0;
            }
            w.reset();
            ++b.pushed;
            b.push_sum += v;
            if ((b.pushed & (tick_every - 1)) == 0) tick(me);
            between();
            return 1;
        }
        E in[256];
        for (int i = 0; i < batch; ++i) in[i] = E::of(stamp(id, b.pushed + static_cast<unsigned>(i)));
        const std::size_t put = push_n(me, in, static_cast<std::size_t>(batch));
        if (put == 0) w.wait();
        else w.reset();
        for (std::size_t i = 0; i < put; ++i) b.push_sum += in[i].value();
        b.pushed += put;
        tick(me);
        return put;
    }

    static std::uint64_t consume(S& me, ledger& b, int batch, local_work& between, waiter& w) {
        if (batch == 1) {
            E out = E::of(0);
            if (!me.pop(out)) {
                tick(me);
                w.wait();
                return 0;
            }
            w.reset();
            b.out(out);
            if ((b.popped & (tick_every - 1)) == 0) tick(me);
            between();
            return 1;
        }
        E out[256];
        const std::size_t got = pop_n(me, out, static_cast<std::size_t>(batch));
        if (got == 0) w.wait();
        else w.reset();
        for (std::size_t i = 0; i < got; ++i) b.out(out[i]);
        tick(me);
        return got;
    }
};

}  // namespace bench
