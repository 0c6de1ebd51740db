// SPDX-License-Identifier: MIT OR Apache-2.0
// Stress that a stack and a queue have in common, for several element types.
#ifndef CONEX_TESTS_STRESS_SEQUENCE_HPP
#define CONEX_TESTS_STRESS_SEQUENCE_HPP

#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include "stress/tally.hpp"
#include "stress/trial.hpp"

namespace stress {

/// An element carries its producer in the upper bits and the producer's count in the lower 40.
constexpr std::uint64_t element(std::uint64_t producer, std::uint64_t number) { return producer << 40 | number; }
constexpr std::uint64_t producer_of(std::uint64_t e) { return e >> 40; }
constexpr std::uint64_t number_of(std::uint64_t e) { return e & ((std::uint64_t{1} << 40) - 1); }

template <class T>
struct payload {
    static T make(std::uint64_t e) { return T(e); }
    static std::uint64_t read(const T& t) { return t.get(); }
};
template <>
struct payload<std::uint64_t> {
    static std::uint64_t make(std::uint64_t e) { return e; }
    static std::uint64_t read(std::uint64_t t) { return t; }
};
template <>
struct payload<std::unique_ptr<types::tracked>> {
    static std::unique_ptr<types::tracked> make(std::uint64_t e) { return std::make_unique<types::tracked>(e); }
    static std::uint64_t read(const std::unique_ptr<types::tracked>& t) { return t->get(); }
};

/// What is left when the threads are done; taken out.
template <template <class> class Container, class T>
tally rest_of(Container<T>& c) {
    tally left;
    while (true) {
        const std::optional<T> got = c.try_pop();
        if (!got.has_value()) return left;
        left.add(payload<T>::read(*got));
    }
}

/// Each thread pushes and pops, one by one and in batches, at random. What came out and what is left is what went in;
/// `Ordered`: each consumer sees each producer's elements in their order.
template <template <class> class Container, class T, bool Ordered>
void conservation(unsigned threads) {
    const trial test;
    Container<T> c;
    shared_tally in;
    shared_tally out;
    support::on_threads(threads, [&](unsigned me) {
        support::dice dice(me);
        tally pushed;
        tally popped;
        std::uint64_t next = 0;
        std::vector<std::uint64_t> last(threads, 0);
        std::vector<T> batch;
        const auto see = [&](const T& t) {
            const std::uint64_t e = payload<T>::read(t);
            popped.add(e);
            if (!CHECK(producer_of(e) < threads)) return;
            if (Ordered) {
                CHECK(number_of(e) > last[producer_of(e)]);
                last[producer_of(e)] = number_of(e);
            }
        };
        const auto make = [&] {
            const std::uint64_t e = element(me, ++next);
            pushed.add(e);
            return payload<T>::make(e);
        };
        while (test.running()) {
            for (int i = 0; i < 64; ++i) {
                const std::uint64_t choice = dice.below(100);
                if (choice < 45) {
                    c.push(make());
                } else if (choice < 48) {
                    batch.clear();
                    for (std::uint64_t n = dice.below(20); n > 0; --n) batch.push_back(make());
                    c.push_range(std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
                } else if (choice < 97) {
                    const std::optional<T> got = c.try_pop();
                    if (got.has_value()) see(*got);
                } else {
                    batch.clear();
                    c.pop_into(std::back_inserter(batch), dice.below(20));
                    // A batch from a stack is the top first: from one producer, later elements may come first.
                    for (const T& t : batch) see(t);
                }
            }
        }
        in.add(pushed);
        out.add(popped);
    });
    out.add(rest_of<Container, T>(c));
    CHECK(in.total() == out.total());
    CHECK(in.total().count() > 0);
    CHECK(c.empty());
}

/// n threads and n + 1 elements: whoever holds none must find one. A container that says "empty" here lies.
template <template <class> class Container, class T>
void never_empty(unsigned threads) {
    const trial test;
    Container<T> c;
    for (std::uint64_t i = 0; i <= threads; ++i) c.push(payload<T>::make(i));
    std::atomic<std::uint64_t> rounds{0};
    support::on_threads(threads, [&](unsigned) {
        std::uint64_t mine = 0;
        while (test.running()) {
            for (int i = 0; i < 64; ++i) {
                std::optional<T> got = c.try_pop();
                if (!CHECK(got.has_value())) return;
                c.push(std::move(*got));
                ++mine;
            }
        }
        rounds.fetch_add(mine);
    });
    tally wanted;
    for (std::uint64_t i = 0; i <= threads; ++i) wanted.add(i);
    CHECK((rest_of<Container, T>(c) == wanted));
    CHECK(rounds.load() > 0);
}

/// Threads come and go; each makes a hundred operations.
template <template <class> class Container, class T>
void passing_threads(unsigned threads) {
    const trial test;
    Container<T> c;
    shared_tally in;
    shared_tally out;
    support::on_passing_threads(threads, test.time, [&](unsigned me, std::uint64_t generation) {
        tally pushed;
        tally popped;
        for (std::uint64_t i = 0; i < 50; ++i) {
            const std::uint64_t e = element(me, generation * 50 + i + 1);
            c.push(payload<T>::make(e));
            pushed.add(e);
            const std::optional<T> got = c.try_pop();
            if (got.has_value()) popped.add(payload<T>::read(*got));
        }
        in.add(pushed);
        out.add(popped);
    });
    out.add(rest_of<Container, T>(c));
    CHECK(in.total() == out.total());
}

/// Containers are made, used by all threads, and destroyed while full.
template <template <class> class Container, class T>
void made_and_destroyed(unsigned threads) {
    const trial test;
    while (test.running()) {
        Container<T> c;
        support::on_threads(threads, [&](unsigned me) {
            for (std::uint64_t i = 0; i < 200; ++i) {
                c.push(payload<T>::make(element(me, i)));
                if (i % 3 == 0) static_cast<void>(c.try_pop());
            }
        });
    }
}

}  // namespace stress

#endif
