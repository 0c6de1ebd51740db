// What a user of the C++ layer writes: elements made on one thread are used on another, without any synchronisation but the
// container's. Built with -fsanitize=thread against the ordinary release library, it must be quiet; with -DRACE, which
// writes to an element after it was pushed, the race must be reported.
#include <atomic>
#include <conex/conex.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Job {
    std::uint64_t number = 0, square = 0;
    std::string text;
};

constexpr std::uint64_t kJobs = 20'000;
std::atomic<std::uint64_t> g_done{0}, g_sum{0};

void use(const Job& job) {
    if (job.square != job.number * job.number || job.text.size() < 20) std::abort();
    g_sum.fetch_add(job.number, std::memory_order_relaxed);
    g_done.fetch_add(1, std::memory_order_relaxed);
}

std::unique_ptr<Job> make(std::uint64_t number) {
    auto job = std::make_unique<Job>();
    job->number = number;
    job->square = number * number;
    job->text = "a text that is too long for the object: " + std::to_string(number);
    return job;
}

template <typename Container, typename Pop>
void run(Container& container, Pop pop) {
    g_done = g_sum = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] {
            for (std::uint64_t i = 0; i < kJobs; ++i) {
                auto job = make(i * 2 + static_cast<std::uint64_t>(t));
#ifdef RACE
                Job* const late = job.get();
                container.push(std::move(job));
                if (i % 64 == 0) late->text[0] = 'A';
#else
                container.push(std::move(job));
#endif
            }
        });
        threads.emplace_back([&] {
            while (g_done.load(std::memory_order_relaxed) < 2 * kJobs) {
                if (auto job = pop(container)) {
                    use(**job);
#ifdef RACE
                    static_cast<void>(job->release()); // it may still be written to
#endif
                } else {
                    std::this_thread::yield();
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    if (g_sum != 2 * kJobs * (2 * kJobs - 1) / 2) std::abort();
}

} // namespace

int main() {
    {
        conex::stack<std::unique_ptr<Job>> stack;
        run(stack, [](auto& s) { return s.try_pop(); });
    }
    {
        conex::queue<std::unique_ptr<Job>> queue;
        run(queue, [](auto& q) { return q.try_pop(); });
    }
#ifndef RACE
    {
        // A value that is read through the map was built on another thread.
        conex::map<std::uint64_t, std::string> map;
        std::vector<std::thread> threads;
        for (int t = 0; t < 2; ++t) {
            threads.emplace_back([&map] {
                for (std::uint64_t i = 0; i < kJobs; ++i) map.insert_or_assign(i % 100, "a text that is too long for the object: " + std::to_string(i));
            });
            threads.emplace_back([&map] {
                for (std::uint64_t i = 0; i < kJobs; ++i)
                    if (const auto text = map.get(i % 100); text && text->size() < 20) std::abort();
            });
        }
        for (auto& thread : threads) thread.join();
    }
#endif
    std::puts("user: done");
}
