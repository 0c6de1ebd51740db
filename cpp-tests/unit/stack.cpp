// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::stack: every member function, every kind of element.
#include <conex/stack.hpp>

#include "unit/sequence.hpp"

using sequence::order;

TEST("every type of element goes in and comes out, last in first out") {
    sequence::every_type<order::lifo, conex::stack>();
}

TEST("copies are copies") { sequence::every_copyable_type<order::lifo, conex::stack>(); }

TEST("memory comes from the hooks and goes back") {
    sequence::own_memory<conex::stack, std::uint64_t>();
    sequence::own_memory<conex::stack, std::string>();
    sequence::own_memory<conex::stack, types::tracked>();
    sequence::own_memory<conex::stack, types::aligned_tracked>();
    sequence::own_memory<conex::stack, std::shared_ptr<types::tracked>>();
    sequence::own_memory<conex::stack, types::plain<128>>();
}

TEST("the last of a range is on top") {
    conex::stack<int> s;
    const int numbers[] = {1, 2, 3};
    s.push_range(std::begin(numbers), std::end(numbers));
    std::istringstream input("4 5 6");  // a range that can be read only once
    s.push_range(std::istream_iterator<int>(input), std::istream_iterator<int>());
    CHECK(s.pop_all() == std::vector<int>({6, 5, 4, 3, 2, 1}));
    CHECK(s.pop_all().empty());
}

TEST("consume_all sees the elements from the top down and may use the stack") {
    const types::balance balance;
    conex::stack<types::tracked> s;
    for (std::uint64_t i = 0; i < 10; ++i) s.emplace(i);
    std::uint64_t expected = 9;
    CHECK(s.consume_all([&](types::tracked&& t) {
        CHECK(t.get() == expected--);
        CHECK(s.empty() == (t.get() == 9));
        s.push(std::move(t));
    }) == 10);
    CHECK(s.size_approx() == 10);
    CHECK(s.try_pop()->get() == 0);
    CHECK(s.consume_all([](types::tracked&&) {}) == 9);
    CHECK(s.consume_all([](types::tracked&&) {}) == 0);
}

TEST("clear destroys what is there") {
    const types::balance balance;
    conex::stack<types::tracked> s;
    CHECK(s.clear() == 0);
    const long before = types::alive.load();
    for (std::uint64_t i = 0; i < 10; ++i) s.emplace(i);
    CHECK(s.clear() == 10);
    CHECK(types::alive.load() == before);
    CHECK(s.empty());
}

#if defined(__cpp_exceptions)
TEST("copies that throw leave everything whole") { sequence::throwing_copies<order::lifo, conex::stack>(); }

TEST("want of memory is std::bad_alloc, and nothing is lost") {
    sequence::out_of_memory<conex::stack, std::uint64_t>();
    sequence::out_of_memory<conex::stack, std::string>();
    sequence::out_of_memory<conex::stack, types::tracked>();
    sequence::out_of_memory<conex::stack, std::unique_ptr<std::uint64_t>>();
}

TEST("an exception from consume_all reaches the caller and destroys the rest") {
    const types::balance balance;
    conex::stack<types::tracked> s;
    for (std::uint64_t i = 0; i < 10; ++i) s.emplace(i);
    int seen = 0;
    CHECK_THROWS(int, s.consume_all([&](types::tracked&&) {
        if (++seen == 4) throw 4;
    }));
    CHECK(seen == 4);
    CHECK(s.empty());
    s.emplace(1u);
    CHECK(s.try_pop()->get() == 1);
}

TEST("misuse is std::logic_error") {
    conex::stack<int> s;
    conex::stack<int> t(std::move(s));
    CHECK_THROWS(std::logic_error, s.push(1));
    CHECK_THROWS(std::logic_error, s.try_pop());
    CHECK_THROWS(std::logic_error, s.empty());
    CHECK_THROWS(std::logic_error, s.size_approx());
    CHECK_THROWS(std::logic_error, s.pop_all());
    conex::stack<std::string> boxed;
    conex::stack<std::string> taken(std::move(boxed));
    CHECK_THROWS(std::logic_error, boxed.push("x"));
    CHECK_THROWS(std::logic_error, boxed.try_pop());
    support::counting_allocator allocator;
    conex::stack_options half;
    half.allocator.alloc = allocator.hooks().alloc;
    half.allocator.ctx = &allocator;
    CHECK_THROWS(std::logic_error, conex::stack<int>(half));
    CHECK_THROWS(std::logic_error, conex::stack<std::string>(half));
    conex::stack<int> u;
    CHECK_THROWS(
        std::bad_alloc,
        u.pop_into(std::back_insert_iterator<std::vector<int>>(*std::make_unique<std::vector<int>>()), SIZE_MAX));
}
#endif
