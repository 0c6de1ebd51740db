// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Two producers and two consumers share one queue of jobs. A job is a function; an empty function is the end mark.
#include <conex/queue.hpp>

#include <atomic>
#include <functional>
#include <iostream>
#include <thread>
#include <vector>

int main() {
    using job = std::function<void()>;
    conex::queue<job> queue;
    std::atomic<int> done{0};

    std::vector<std::thread> producers;
    for (int p = 0; p < 2; ++p) {
        producers.emplace_back([&] {
            for (int i = 0; i < 10000; ++i) queue.push([&done] { done.fetch_add(1); });
        });
    }
    std::vector<std::thread> consumers;
    for (int c = 0; c < 2; ++c) {
        consumers.emplace_back([&] {
            for (;;) {
                auto next = queue.try_pop();
                if (!next.has_value()) {
                    std::this_thread::yield();  // a producer is still at work
                } else if (!*next) {
                    return;  // the end mark
                } else {
                    (*next)();
                }
            }
        });
    }
    for (auto& each : producers) each.join();
    for (std::size_t i = 0; i < consumers.size(); ++i) queue.push(job());  // FIFO: the marks come last
    for (auto& each : consumers) each.join();

    std::cout << "jobs done: " << done << '\n';
    return done == 20000 && queue.empty() ? 0 : 1;
}
