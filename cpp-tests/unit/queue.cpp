// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::queue: every member function, every kind of element.
#include <conex/queue.hpp>

#include "unit/sequence.hpp"

using sequence::order;

TEST("every type of element goes in and comes out, first in first out") {
    sequence::every_type<order::fifo, conex::queue>();
}

TEST("copies are copies") { sequence::every_copyable_type<order::fifo, conex::queue>(); }

TEST("memory comes from the hooks and goes back") {
    sequence::own_memory<conex::queue, std::uint64_t>();
    sequence::own_memory<conex::queue, std::string>();
    sequence::own_memory<conex::queue, types::tracked>();
    sequence::own_memory<conex::queue, types::aligned_tracked>();
    sequence::own_memory<conex::queue, std::shared_ptr<types::tracked>>();
    sequence::own_memory<conex::queue, types::plain<128>>();
}

TEST("a range keeps its order") {
    conex::queue<int> q;
    const int numbers[] = {1, 2, 3};
    q.push_range(std::begin(numbers), std::end(numbers));
    std::istringstream input("4 5 6");  // a range that can be read only once
    q.push_range(std::istream_iterator<int>(input), std::istream_iterator<int>());
    for (int i = 1; i <= 6; ++i) CHECK(q.try_pop() == i);
    CHECK(q.try_pop() == std::nullopt);
}

TEST("the segment size is a hint, any value works") {
    for (const std::size_t segment : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{1000}}) {
        conex::queue_options options;
        options.segment = segment;
        conex::queue<std::uint64_t> q(options);
        for (std::uint64_t i = 0; i < 5000; ++i) q.push(i);
        for (std::uint64_t i = 0; i < 5000; ++i) CHECK(q.try_pop() == i);
        CHECK(q.empty());
    }
}

TEST("popping more than there is takes what there is") {
    conex::queue<std::string> q;
    for (int i = 0; i < 1000; ++i) q.push(std::to_string(i));
    std::vector<std::string> all;
    CHECK(q.pop_into(std::back_inserter(all), SIZE_MAX) == 1000);
    CHECK(all.front() == "0" && all.back() == "999");
}

#if defined(__cpp_exceptions)
TEST("copies that throw leave everything whole") { sequence::throwing_copies<order::fifo, conex::queue>(); }

TEST("want of memory is std::bad_alloc, and nothing is lost") {
    sequence::out_of_memory<conex::queue, std::uint64_t>();
    sequence::out_of_memory<conex::queue, std::string>();
    sequence::out_of_memory<conex::queue, types::tracked>();
    sequence::out_of_memory<conex::queue, std::unique_ptr<std::uint64_t>>();
}

TEST("a range that goes in partly says how much of it did") {
    support::counting_allocator allocator;
    conex::queue_options options;
    options.allocator = allocator.hooks();
    options.segment = 16;
    conex::queue<std::uint64_t> q(options);
    std::vector<std::uint64_t> numbers(10000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
    allocator.fail_after(3);
    std::size_t pushed = 0;
    bool refused = false;
    try {
        q.push_range(numbers.begin(), numbers.end());
    } catch (const conex::partial_push& partial) {
        pushed = partial.pushed();
        refused = true;
    } catch (const std::bad_alloc&) {
        refused = true;
    }
    CHECK(refused);
    CHECK(pushed < numbers.size());
    CHECK(q.size_approx() == pushed);
    for (std::uint64_t i = 0; i < pushed; ++i) CHECK(q.try_pop() == i);
    CHECK(q.try_pop() == std::nullopt);
}

TEST("misuse is std::logic_error") {
    conex::queue<int> q;
    conex::queue<int> t(std::move(q));
    CHECK_THROWS(std::logic_error, q.push(1));
    CHECK_THROWS(std::logic_error, q.try_pop());
    CHECK_THROWS(std::logic_error, q.empty());
    CHECK_THROWS(std::logic_error, q.size_approx());
    conex::queue<std::string> boxed;
    conex::queue<std::string> taken(std::move(boxed));
    CHECK_THROWS(std::logic_error, boxed.push("x"));
    CHECK_THROWS(std::logic_error, boxed.try_pop());
}
#endif
