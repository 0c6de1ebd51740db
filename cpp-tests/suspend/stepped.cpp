// Part 2 of the test: a thread is parked after each instruction of each operation.
#include <algorithm>
#include <thread>

#include "test.hpp"

namespace suspend {

bool Test::step(unsigned operation, unsigned long first, const unsigned* more, unsigned count) {
    Worker& victim = *workers_[0];
    victim.thread.parks = 0;
    victim.thread.steps = 0;
    plan_ = {operation, first, more, count};
    const std::uint64_t before = done(0);
    go_.store(true, std::memory_order_release);
    unsigned parked = 0;
    while (true) {
        // Either the victim parks (again), or its operation ends.
        if (!wait_until(now() + 60, [&] { return victim.thread.frozen() || done(0) != before; })) die("the thread that is stepped", 0);
        if (!victim.thread.frozen()) break;
        ++parked;
        ++freezes_;
        ++rows_[operation].parks;
        rows_[operation].instructions.insert(victim.thread.parked_at.load());
        frozen_in_ = operation;
        const double begin = now();
        watched_ = true;
        for (unsigned i = 0; i < 40; ++i) work(*workers_[1], subject_->pick(*workers_[1]));
        watched_ = false;
        completed_ += 40;
        longest_ = std::max(longest_, now() - begin);
        victim.thread.release();
        wait_until(now() + 60, [&] { return !victim.thread.frozen() || victim.thread.parks.load() > parked; });
    }
    return parked > 0 && stall_.empty();
}

void Test::watch(const std::atomic<bool>& stop) {
    std::uint64_t seen = done(1);
    double since = now();
    while (!stop.load()) {
        const timespec pause{0, 20'000'000};
        nanosleep(&pause, nullptr);
        if (!watched_.load() || done(1) != seen) {
            seen = done(1);
            since = now();
        } else if (now() - since > settings.watchdog) {
            stalled_ = 1;
            stalled_in_ = workers_[1]->operation.load();
            explain_stall({0}, {frozen_in_});
            since = now();
        }
    }
}

void Test::at_every_instruction() {
    std::atomic<bool> stop{false};
    std::thread victim([&] {
        Worker& w = *workers_[0];
        w.thread.enlist();
        while (true) {
            while (!go_.load(std::memory_order_acquire))
                if (stop.load(std::memory_order_relaxed)) return;
                else sched_yield();
            go_ = false;
            subject_->prepare(w, plan_.operation);
            w.operation = plan_.operation;
            w.thread.arm(plan_.first, plan_.more, plan_.count);
            subject_->run(w, plan_.operation);
            w.thread.disarm();
            w.done.store(w.done.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        }
    });
    std::thread watcher([&] { watch(stop); });
    wait_until(now() + 60, [&] { return workers_[0]->thread.enlisted(); });

    // Half of the time steps through with one park an operation, half with several.
    const double share = settings.seconds / static_cast<double>(operations_.size());
    for (unsigned operation = 0; operation < operations_.size() && stall_.empty(); ++operation) {
        double begin = 0;
        // How long it is, and how long that takes; the first time it may find old work to do.
        step(operation, ~0ul, nullptr, 0);
        begin = now();
        step(operation, ~0ul, nullptr, 0);
        unsigned long length = workers_[0]->thread.steps.load();
        const double each = (now() - begin) / static_cast<double>(length) * static_cast<double>(length) / 2 + 200e-6;
        const unsigned long stride = 1 + static_cast<unsigned long>(each * static_cast<double>(length) / (share * 0.5));
        rows_[operation].every = stride == 1;
        const double latest = now() + share * 2;
        for (unsigned long k = 1 + rng_.below(stride); stall_.empty() && now() < latest && step(operation, k, nullptr, 0);) k += stride;
        if (now() >= latest) rows_[operation].every = false;

        begin = now();
        for (unsigned go = 0; stall_.empty() && (now() < begin + share * 0.5 || (rows_[operation].parks < 10 && go < 50)); ++go) {
            unsigned more[8];
            for (unsigned& distance : more) distance = 1 + static_cast<unsigned>(rng_.below(60));
            // An operation's length varies; what is too far for this one is too far.
            if (!step(operation, 1 + rng_.below(length), more, 8)) length = std::max(1ul, workers_[0]->thread.steps.load());
        }
    }
    stop = true;
    victim.join();
    watcher.join();
}

} // namespace suspend
