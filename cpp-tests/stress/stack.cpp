// SPDX-License-Identifier: MIT OR Apache-2.0
// The stack under many threads: conservation, whole batches, never falsely empty, destructors exactly once.
#include <conex/stack.hpp>

#include "stress/sequence.hpp"

using tracked_pointer = std::unique_ptr<types::tracked>;

TEST("words: nothing lost, nothing twice") {
    for (const unsigned n : support::thread_counts) stress::conservation<conex::stack, std::uint64_t, false>(n);
}

TEST("inline pointers: nothing lost, nothing twice") {
    for (const unsigned n : support::thread_counts) stress::conservation<conex::stack, tracked_pointer, false>(n);
}

TEST("boxed objects: nothing lost, nothing twice") {
    for (const unsigned n : support::thread_counts) stress::conservation<conex::stack, types::tracked, false>(n);
}

TEST("over-aligned elements of 256 bytes are never torn") {
    for (const unsigned n : support::thread_counts)
        stress::conservation<conex::stack, types::plain<128, 256>, false>(n);
}

TEST("never falsely empty") {
    for (const unsigned n : support::thread_counts) stress::never_empty<conex::stack, std::uint64_t>(n);
    for (const unsigned n : support::thread_counts) stress::never_empty<conex::stack, tracked_pointer>(n);
}

TEST("threads come and go") {
    for (const unsigned n : support::thread_counts) stress::passing_threads<conex::stack, types::tracked>(n);
}

TEST("stacks are made and destroyed") {
    for (const unsigned n : support::thread_counts) stress::made_and_destroyed<conex::stack, types::tracked>(n);
}

TEST("batches are one step: pop_all finds each whole, in its order") {
    constexpr std::uint64_t length = 7;
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        conex::stack<std::uint64_t> s;
        stress::shared_tally in;
        stress::shared_tally out;
        const auto drain = [&](stress::tally& popped) {
            // Only whole batches go in and everything goes out at once: what comes out is whole batches, each from its last
            // element down to its first.
            const std::vector<std::uint64_t> all = s.pop_all();
            CHECK(all.size() % length == 0);
            for (std::size_t i = 0; i < all.size(); ++i) {
                popped.add(all[i]);
                CHECK(all[i] % length == length - 1 - i % length);
                if (i % length != 0) CHECK(all[i] == all[i - 1] - 1);
            }
        };
        support::on_threads(n, [&](unsigned me) {
            stress::tally pushed;
            stress::tally popped;
            std::uint64_t next = stress::element(me, 0) / length * length + length;
            while (test.running()) {
                for (int i = 0; i < 32; ++i) {
                    std::uint64_t batch[length];
                    for (std::uint64_t& each : batch) pushed.add(each = next++);
                    s.push_range(batch, batch + length);
                }
                if (me % 2 == 0) drain(popped);
            }
            in.add(pushed);
            out.add(popped);
        });
        stress::tally left;
        drain(left);
        out.add(left);
        CHECK(in.total() == out.total());
    }
}

TEST("pop_into is one step: what it takes lay in the stack at one time") {
    // One producer pushes ascending numbers, so the stack is sorted at every time, and so is what one step takes. Elements
    // popped one after the other could include a larger one that was pushed in between.
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        conex::stack<std::uint64_t> s;
        support::on_threads(n, [&](unsigned me) {
            std::uint64_t next = 1;
            std::vector<std::uint64_t> batch;
            while (test.running()) {
                for (int i = 0; i < 64; ++i) {
                    if (me == 0) {
                        s.push(next++);
                        continue;
                    }
                    batch.clear();
                    s.pop_into(std::back_inserter(batch), 5);
                    for (std::size_t j = 1; j < batch.size(); ++j) CHECK(batch[j] < batch[j - 1]);
                }
                if (me == 0 && s.size_approx() > 10000) s.clear();
            }
        });
    }
}
