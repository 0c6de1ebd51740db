// The elements that go through queues and stacks, and the bookkeeping that shows whether they came out right.
#pragma once

#include "../harness/registry.hpp"

namespace bench {

// `Bytes` bytes, all words the same: a torn copy shows.
template <std::size_t Bytes>
struct alignas(8) element {
    std::uint64_t word[Bytes / 8];

    static element of(std::uint64_t v) {
        element e;
        for (auto& w : e.word) w = v;
        return e;
    }
    std::uint64_t value() const { return word[0]; }
    bool whole() const { return word[0] == word[Bytes / 8 - 1]; }
};

inline constexpr int max_threads = 64;

// A value names its producer and its place among that producer's elements.
inline std::uint64_t stamp(int producer, std::uint64_t n) { return (static_cast<std::uint64_t>(producer) << 48) | n; }

// What one thread pushed and popped. Sums are modulo 2^64; together with the counts they show loss and duplication.
struct alignas(2 * cache_line) ledger {
    std::uint64_t pushed = 0, push_sum = 0, popped = 0, pop_sum = 0;
    std::uint64_t disorder = 0, torn = 0;
    std::uint64_t last[max_threads] = {};  // of each producer, the latest element seen, plus one

    template <class E>
    void out(const E& e) {
        const std::uint64_t v = e.value();
        ++popped;
        pop_sum += v;
        torn += !e.whole();
        std::uint64_t& l = last[(v >> 48) & (max_threads - 1)];
        const std::uint64_t n = (v & 0xffff'ffff'ffffu) + 1;
        disorder += n <= l;
        l = n;
    }
};

// Every element came out once, whole, and in the order that the contestant promises.
inline bool balanced(report& r, const std::string& name, const ledger* l, int n, bool ordered) {
    ledger all;
    for (int i = 0; i < n; ++i) {
        all.pushed += l[i].pushed;
        all.push_sum += l[i].push_sum;
        all.popped += l[i].popped;
        all.pop_sum += l[i].pop_sum;
        all.disorder += l[i].disorder;
        all.torn += l[i].torn;
    }
    if (all.pushed != all.popped)
        r.fail(name, "%llu pushed, %llu popped", static_cast<unsigned long long>(all.pushed),
               static_cast<unsigned long long>(all.popped));
    else if (all.push_sum != all.pop_sum) r.fail(name, "other elements came out than went in");
    else if (all.torn != 0) r.fail(name, "%llu elements came out torn", static_cast<unsigned long long>(all.torn));
    else if (ordered && all.disorder != 0)
        r.fail(name, "%llu elements of a producer came out of order", static_cast<unsigned long long>(all.disorder));
    return !r.failed();
}

// Local work between two operations: `mean` nanoseconds on average, between half and one and a half times of it, so that
// threads do not fall into step.
class local_work {
public:
    local_work(const params& p, int mean, int thread)
        : mean_(static_cast<std::uint32_t>(mean * p.loops_per_ns)), rng_(p.seed * 977 + static_cast<unsigned>(thread)) {}
    void operator()() {
        if (mean_ != 0) spin(mean_ / 2 + rng_.below(mean_));
    }

private:
    std::uint32_t mean_;
    rng rng_;
};

// An adapter's session may have these; the harness does without where it has not.
template <class S, class = void>
struct has_tick : std::false_type {};
template <class S>
struct has_tick<S, std::void_t<decltype(std::declval<S&>().tick())>> : std::true_type {};

// Called every `tick_every` operations: the place where a session that lasts over many operations is renewed.
inline constexpr int tick_every = 64;
template <class S>
inline void tick(S& s) {
    if constexpr (has_tick<S>::value) s.tick();
}

template <class S, class E, class = void>
struct has_batch : std::false_type {};
template <class S, class E>
struct has_batch<S, E,
                 std::void_t<decltype(std::declval<S&>().push_n(std::declval<const E*>(), std::size_t{})),
                             decltype(std::declval<S&>().pop_n(std::declval<E*>(), std::size_t{}))>> : std::true_type {};

}  // namespace bench
