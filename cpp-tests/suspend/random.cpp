// Part 1 of the test: threads are frozen wherever they are.
#include <algorithm>
#include <thread>

#include "test.hpp"

namespace suspend {

void Test::at_random() {
    std::atomic<bool> stop{false};
    enum { kNone, kSmall, kLarge };
    std::atomic<int> storm{kNone}, storming{0};
    std::vector<std::thread> threads;
    for (auto& worker : workers_)
        threads.emplace_back([&, w = worker.get()] {
            w->thread.enlist();
            while (!stop.load(std::memory_order_relaxed)) {
                if (const int kind = storm.load(std::memory_order_relaxed); kind != kNone) {
                    storming += kind == kLarge;
                    subject_->storm(*w, kind == kLarge);
                    storming -= kind == kLarge;
                }
                work(*w, subject_->pick(*w));
            }
        });
    for (auto& worker : workers_) wait_until(now() + 60, [&] { return worker->thread.enlisted() && worker->done.load() > 0; });

    const double end = now() + settings.seconds;
    std::vector<unsigned> order(workers_.size()), frozen;
    for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
    while (now() < end && stall_.empty()) {
        const bool large = rounds_++ % 16 == 0;
        for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng_.below(i)]);
        // Mostly all but one or two: few threads that run are also quick to freeze.
        const std::size_t n = order.size();
        const std::size_t count = rng_.below(8) == 0 ? 1 + rng_.below(n - 1) : n - 1 - rng_.below(2);
        const std::vector<unsigned> before_round = std::move(frozen);
        frozen.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
        const std::vector<unsigned> runners(order.begin() + static_cast<std::ptrdiff_t>(count), order.end());
        const bool resize = large && subject_->resizes();
        if (resize) { // freeze them in the middle of growing and shrinking, if it can be arranged
            storm = kSmall;
            const timespec pause{0, static_cast<long>(rng_.below(10'000'000))};
            nanosleep(&pause, nullptr);
        }
        for (volatile std::uint64_t spin = rng_.below(5'000); spin > 0;) spin = spin - 1;

        // Some stay frozen from the round before, where they were.
        for (unsigned id : frozen)
            if (!workers_[id]->thread.frozen()) {
                workers_[id]->thread.freeze();
                if (!wait_until(now() + 60, [&] { return workers_[id]->thread.frozen(); })) die("a thread that should freeze", 0);
                ++rows_[workers_[id]->operation.load()].frozen_at_random;
                ++freezes_;
            }
        for (unsigned id : before_round)
            if (std::find(frozen.begin(), frozen.end(), id) == frozen.end()) {
                workers_[id]->thread.release();
                wait_until(now() + 60, [&] { return !workers_[id]->thread.frozen(); });
            }
        std::vector<unsigned> frozen_in;
        for (unsigned id : frozen) frozen_in.push_back(workers_[id]->operation.load());

        const Sizes before = subject_->sizes();
        storm = kNone;
        bool fine = others_complete(runners, large ? 20'000 : 100);
        if (fine && resize) {
            storm = kLarge;
            const double deadline = now() + 12 * settings.watchdog;
            Sizes s;
            while (fine) {
                s = subject_->sizes();
                if (s.growths >= before.growths + 2 && s.shrinks > before.shrinks) break;
                fine = now() < deadline && others_complete(runners, 1);
            }
            storm = kNone;
            while (fine && storming.load() != 0) fine = others_complete(runners, 1);
            frozen_growths_ += s.growths - before.growths;
            frozen_shrinks_ += s.shrinks - before.shrinks;
        }
        if (!fine) explain_stall(frozen, frozen_in);
    }
    stop = true;
    for (unsigned id : frozen) workers_[id]->thread.release();
    for (auto& thread : threads) thread.join();
}

} // namespace suspend
