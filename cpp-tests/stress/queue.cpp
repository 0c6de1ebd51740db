// SPDX-License-Identifier: MIT OR Apache-2.0
// The queue under many threads: conservation, order of each producer, never falsely empty, destructors exactly once.
#include <conex/queue.hpp>

#include "stress/sequence.hpp"

using tracked_pointer = std::unique_ptr<types::tracked>;

TEST("words: nothing lost, nothing twice, in order") {
    for (const unsigned n : support::thread_counts) stress::conservation<conex::queue, std::uint64_t, true>(n);
}

TEST("inline pointers: nothing lost, nothing twice, in order") {
    for (const unsigned n : support::thread_counts) stress::conservation<conex::queue, tracked_pointer, true>(n);
}

TEST("boxed objects: nothing lost, nothing twice, in order") {
    for (const unsigned n : support::thread_counts) stress::conservation<conex::queue, types::tracked, true>(n);
}

TEST("over-aligned elements of 256 bytes are never torn") {
    for (const unsigned n : support::thread_counts) stress::conservation<conex::queue, types::plain<128, 256>, true>(n);
}

TEST("never falsely empty") {
    for (const unsigned n : support::thread_counts) stress::never_empty<conex::queue, std::uint64_t>(n);
    for (const unsigned n : support::thread_counts) stress::never_empty<conex::queue, tracked_pointer>(n);
}

TEST("threads come and go") {
    for (const unsigned n : support::thread_counts) stress::passing_threads<conex::queue, types::tracked>(n);
}

TEST("queues are made and destroyed") {
    for (const unsigned n : support::thread_counts) stress::made_and_destroyed<conex::queue, types::tracked>(n);
}

TEST("what one producer pushes before the other starts comes out first") {
    // A token handed over outside the queue orders two pushes of different threads; the queue must keep that order.
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        conex::queue<std::uint64_t> q;
        std::atomic<std::uint64_t> token{0};
        std::atomic<bool> producing{true};
        support::on_threads(n + 1, [&](unsigned me) {
            if (me == n) {
                std::uint64_t expected = 0;
                while (true) {
                    const bool more = producing.load();
                    const std::optional<std::uint64_t> got = q.try_pop();
                    if (got.has_value()) {
                        if (!CHECK(*got == expected)) break;
                        ++expected;
                    } else if (!more) {
                        break;
                    }
                }
                CHECK(expected == token.load());
                return;
            }
            while (test.running()) {
                const std::uint64_t now = token.load();
                if (now % n != me) {
                    std::this_thread::yield();
                    continue;
                }
                q.push(now);
                token.store(now + 1);
            }
            producing.store(false);
        });
        producing.store(false);
    }
}
