// SPDX-License-Identifier: MIT OR Apache-2.0
// What holds for a stack and for a queue of any element type. `Order` says where the elements come out.
#ifndef CONEX_TESTS_SEQUENCE_HPP
#define CONEX_TESTS_SEQUENCE_HPP

#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/allocator.hpp"
#include "support/check.hpp"
#include "support/types.hpp"

namespace sequence {

/// How to make the i-th value of a type, and how to know it again.
template <class T>
struct sample {
    static T make(std::uint64_t i) { return T(i); }
    static std::uint64_t number(const T& value) { return value.get(); }
};
template <>
struct sample<std::string> {
    // Every other one too long for the string's own buffer.
    static std::string make(std::uint64_t i) { return std::string(i % 2 == 0 ? 0 : 40, '0') + std::to_string(i); }
    static std::uint64_t number(const std::string& value) { return std::stoull(value); }
};
template <>
struct sample<std::unique_ptr<std::uint64_t>> {
    static std::unique_ptr<std::uint64_t> make(std::uint64_t i) { return std::make_unique<std::uint64_t>(i); }
    static std::uint64_t number(const std::unique_ptr<std::uint64_t>& value) { return *value; }
};
template <>
struct sample<std::shared_ptr<types::tracked>> {
    static std::shared_ptr<types::tracked> make(std::uint64_t i) { return std::make_shared<types::tracked>(i); }
    static std::uint64_t number(const std::shared_ptr<types::tracked>& value) { return value->get(); }
};
template <>
struct sample<types::colour> {
    static types::colour make(std::uint64_t i) { return static_cast<types::colour>(i); }
    static std::uint64_t number(types::colour value) { return static_cast<std::uint64_t>(value); }
};
template <>
struct sample<const char*> {
    static constexpr char text[256] = {};
    static const char* make(std::uint64_t i) { return text + i; }
    static std::uint64_t number(const char* value) { return static_cast<std::uint64_t>(value - text); }
};
template <class T>
struct integer_sample {
    static T make(std::uint64_t i) { return static_cast<T>(i); }
    static std::uint64_t number(T value) { return static_cast<std::uint64_t>(value); }
};
template <>
struct sample<std::uint64_t> : integer_sample<std::uint64_t> {};
template <>
struct sample<int> : integer_sample<int> {};
template <>
struct sample<unsigned char> : integer_sample<unsigned char> {};
template <>
struct sample<double> : integer_sample<double> {};

/// Element i of n comes out of a stack last, of a queue in its turn.
enum class order { lifo, fifo };

template <order Order>
std::uint64_t turn(std::uint64_t i, std::uint64_t n) {
    return Order == order::lifo ? n - 1 - i : i;
}

template <order Order, template <class> class Container, class T>
void round_trip() {
    const types::balance balance;
    using s = sample<T>;
    constexpr std::uint64_t n = 100;
    Container<T> c;
    CHECK(c.empty());
    CHECK(c.size_approx() == 0);
    CHECK(!c.try_pop().has_value());
    CHECK(c.native_handle() != nullptr);

    for (std::uint64_t i = 0; i < n; ++i) c.push(s::make(i));
    CHECK(!c.empty());
    CHECK(c.size_approx() == n);
    for (std::uint64_t i = 0; i < n; ++i) {
        std::optional<T> got = c.try_pop();
        if (!CHECK(got.has_value())) return;
        CHECK(s::number(*got) == turn<Order>(i, n));
    }
    CHECK(!c.try_pop().has_value());

    // emplace, try_push, and popping into a variable
    c.emplace(s::make(1));
    CHECK(c.try_push(std::nothrow, s::make(2)));
    T out = s::make(3);
    CHECK(c.try_pop(out));
    CHECK(s::number(out) == turn<Order>(0, 2) + 1);
    CHECK(c.try_pop(out));
    CHECK(s::number(out) == turn<Order>(1, 2) + 1);
    const std::uint64_t last = s::number(out);
    CHECK(!c.try_pop(out));
    CHECK(s::number(out) == last);

    // a range, moved in; and the batch out, in two pieces, one through an iterator
    std::list<T> source;
    for (std::uint64_t i = 0; i < n; ++i) source.push_back(s::make(i));
    c.push_range(std::make_move_iterator(source.begin()), std::make_move_iterator(source.end()));
    std::vector<T> taken;
    CHECK(c.pop_into(std::back_inserter(taken), 0) == 0);
    CHECK(c.pop_into(std::back_inserter(taken), 30) == 30);
    CHECK(c.pop_into(std::back_inserter(taken), 1000) == n - 30);
    CHECK(c.pop_into(std::back_inserter(taken), 1) == 0);
    if (!CHECK(taken.size() == n)) return;
    for (std::uint64_t i = 0; i < n; ++i) CHECK(s::number(taken[i]) == turn<Order>(i, n));
    c.push_range(std::make_move_iterator(source.end()), std::make_move_iterator(source.end()));  // nothing
    CHECK(c.empty());

    // moves: the handle goes along, what was left in the target is destroyed
    for (std::uint64_t i = 0; i < 10; ++i) c.push(s::make(i));
    Container<T> d(std::move(c));
    CHECK(c.native_handle() == nullptr);
    CHECK(d.size_approx() == 10);
    Container<T> e;
    e.push(s::make(77));
    e = std::move(d);
    CHECK(d.native_handle() == nullptr);
    CHECK(e.size_approx() == 10);
    Container<T>& same = e;
    e = std::move(same);
    CHECK(e.size_approx() == 10);
    CHECK(s::number(*e.try_pop()) == turn<Order>(0, 10));
    c = Container<T>();
    c.push(s::make(5));
    // the rest is destroyed with the containers
    static_assert(std::is_nothrow_move_constructible_v<Container<T>>);
    static_assert(std::is_nothrow_move_assignable_v<Container<T>>);
    static_assert(!std::is_copy_constructible_v<Container<T>>);
}

/// Copies in, for types that have them.
template <order Order, template <class> class Container, class T>
void copies() {
    const types::balance balance;
    using s = sample<T>;
    Container<T> c;
    const T one = s::make(1);
    c.push(one);
    CHECK(s::number(one) == 1);
    std::vector<T> source;
    for (std::uint64_t i = 0; i < 50; ++i) source.push_back(s::make(i));
    c.push_range(source.begin(), source.end());
    c.push_range(source.data(), source.data() + source.size());
    CHECK(c.size_approx() == 101);
    for (std::uint64_t i = 0; i < 50; ++i) CHECK(s::number(source[i]) == i);
    std::vector<T> out(101, s::make(0));
    CHECK(c.pop_into(out.data(), 200) == 101);
    CHECK(s::number(out[Order == order::lifo ? 0 : 100]) == 49);
    CHECK(s::number(out[Order == order::lifo ? 100 : 0]) == 1);
}

template <order Order, template <class> class Container>
void every_type() {
    round_trip<Order, Container, std::uint64_t>();
    round_trip<Order, Container, int>();
    round_trip<Order, Container, unsigned char>();
    round_trip<Order, Container, double>();
    round_trip<Order, Container, types::colour>();
    round_trip<Order, Container, const char*>();
    round_trip<Order, Container, std::string>();
    round_trip<Order, Container, std::unique_ptr<std::uint64_t>>();
    round_trip<Order, Container, std::shared_ptr<types::tracked>>();
    round_trip<Order, Container, types::tracked>();
    round_trip<Order, Container, types::move_only>();
    round_trip<Order, Container, types::plain<16>>();
    round_trip<Order, Container, types::plain<64>>();
    round_trip<Order, Container, types::plain<128>>();
    round_trip<Order, Container, types::plain<4096>>();
    round_trip<Order, Container, types::kilobyte>();
    round_trip<Order, Container, types::aligned_tracked>();
}

template <order Order, template <class> class Container>
void every_copyable_type() {
    copies<Order, Container, std::uint64_t>();
    copies<Order, Container, std::string>();
    copies<Order, Container, types::tracked>();
    copies<Order, Container, types::plain<128>>();
    copies<Order, Container, types::kilobyte>();
    copies<Order, Container, std::shared_ptr<types::tracked>>();
}

/// A domain of one's own and the allocator hooks: all memory, boxes included, comes from there and goes back.
template <template <class> class Container, class T>
void own_memory() {
    const types::balance balance;
    support::counting_allocator allocator;
    conex::domain home;
    {
        typename Container<T>::options options;
        options.domain = &home;
        options.allocator = allocator.hooks();
        Container<T> c(options);
        for (std::uint64_t i = 0; i < 1000; ++i) c.push(sample<T>::make(i));
        CHECK(allocator.bytes() >= 1000 * sizeof(T));
        for (std::uint64_t i = 0; i < 500; ++i) CHECK(c.try_pop().has_value());
        Container<T> moved(std::move(c));
        for (std::uint64_t i = 0; i < 100; ++i) CHECK(moved.try_pop().has_value());
    }
    CHECK(allocator.bytes() == 0);
    Container<T> in_domain(home);
    in_domain.push(sample<T>::make(1));
}

#if defined(__cpp_exceptions)
/// Every copy that can throw does, once; the container and the caller's objects stay whole.
template <order Order, template <class> class Container>
void throwing_copies() {
    const types::balance balance;
    using types::throwing_copy;
    for (long n = 0; n < 40; ++n) {
        Container<throwing_copy> c;
        c.emplace(1u);
        c.emplace(2u);
        std::vector<throwing_copy> source;
        source.reserve(8);
        for (std::uint64_t i = 10; i < 18; ++i) source.emplace_back(i);
        throwing_copy mine(3);
        std::size_t pushed = 2;
        std::size_t popped = 0;
        std::vector<std::uint64_t> out;
        types::copies.set(n);
        bool threw = false;
        try {
            c.push(mine);
            ++pushed;
            c.push(std::move(mine));
            ++pushed;
            c.push_range(source.begin(), source.end());
            pushed += source.size();
            for (int i = 0; i < 4; ++i) {
                ++popped;  // what is popped is gone, also when its copy throws
                const std::optional<throwing_copy> got = c.try_pop();
                CHECK(got.has_value());
            }
            throwing_copy target;
            ++popped;
            CHECK(c.try_pop(target));
        } catch (const types::burnt&) {
            threw = true;
        }
        types::copies.set(-1);
        CHECK(mine.get() == 3);
        CHECK(c.size_approx() == pushed - popped);
        for (std::uint64_t i = 0; i < 8; ++i) CHECK(source[i].get() == 10 + i);
        if (!threw) break;
        CHECK(n < 39);
    }
}

/// Pushing into a container without memory throws std::bad_alloc, and the caller's object is as it was.
template <template <class> class Container, class T>
void out_of_memory() {
    const types::balance balance;
    support::counting_allocator allocator;
    {
        typename Container<T>::options options;
        options.allocator = allocator.hooks();
        Container<T> c(options);
        std::size_t in = 0;
        allocator.fail_after(3);
        T mine = sample<T>::make(7);
        bool refused = false;
        for (int i = 0; i < 1000000 && !refused; ++i) {
            try {
                c.push(std::move(mine));
                ++in;
                mine = sample<T>::make(7);
            } catch (const std::bad_alloc&) {
                refused = true;
            }
        }
        CHECK(refused);
        CHECK(sample<T>::number(mine) == 7);
        if (c.try_push(std::nothrow, std::move(mine))) {  // there may have been memory in reserve
            ++in;
        } else {
            CHECK(sample<T>::number(mine) == 7);
        }
        CHECK(c.size_approx() == in);

        // a moved range comes back
        std::vector<T> source;
        for (std::uint64_t i = 0; i < 10000; ++i) source.push_back(sample<T>::make(i % 200));
        allocator.fail_after(3);
        CHECK_THROWS(std::bad_alloc,
                     c.push_range(std::make_move_iterator(source.begin()), std::make_move_iterator(source.end())));
        allocator.fail_after(-1);
        const std::size_t after = c.size_approx() - in;
        for (std::size_t i = after; i < source.size(); ++i) CHECK(sample<T>::number(source[i]) == i % 200);
        std::size_t out = 0;
        while (c.try_pop().has_value()) ++out;
        CHECK(out == in + after);
    }
    CHECK(allocator.bytes() == 0);
}
#endif

}  // namespace sequence

#endif
