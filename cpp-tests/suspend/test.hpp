// The test of one subject: what its parts in random.cpp and stepped.cpp share.
#pragma once

#include <time.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "subject.hpp"

namespace suspend {

struct Settings {
    double seconds = 4;
    double watchdog = 5;
    unsigned threads = 4;
    std::uint64_t seed = 0;
    bool peers = true;
    std::vector<std::string> groups;
};
extern Settings settings;

inline double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// A polite wait of the controller: the machine may have fewer processors than threads.
template <typename Condition>
bool wait_until(double deadline, Condition condition) {
    for (unsigned round = 0; !condition(); ++round) {
        if (now() > deadline) return false;
        if (round < 50) sched_yield();
        else {
            const timespec pause{0, 20'000};
            nanosleep(&pause, nullptr);
        }
    }
    return true;
}

// What the table says of one operation.
struct Row {
    std::uint64_t frozen_at_random = 0;
    std::unordered_set<std::uint64_t> instructions; // different ones at which it was parked
    std::uint64_t parks = 0;
    bool every = false; // parked after each k
};

class Test {
public:
    explicit Test(std::unique_ptr<Subject> subject);

    // True: nothing ever waited and the oracles hold.
    bool run();

    void print() const;

private:
    void work(Worker& worker, unsigned operation) {
        worker.operation.store(operation, std::memory_order_relaxed);
        subject_->run(worker, operation);
        worker.done.store(worker.done.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    std::uint64_t done(unsigned id) const { return workers_[id]->done.load(std::memory_order_acquire); }

    // Every one of `runners` must complete `share` operations, none standing still for as long as the watchdog.
    bool others_complete(const std::vector<unsigned>& runners, std::uint64_t share);

    // The frozen have been released: does the stalled one go on now?
    void explain_stall(const std::vector<unsigned>& frozen, const std::vector<unsigned>& frozen_in);

    // Part 1, in random.cpp.
    void at_random();

    // Part 2, in stepped.cpp.
    // One operation of the victim, parked as the arguments say; at each park this thread itself runs operations, as worker 1.
    // False: the operation ended before the first park.
    bool step(unsigned operation, unsigned long first, const unsigned* more, unsigned count);

    // Looks after this thread while it runs operations beside a parked one: after the watchdog's time without one that
    // ends, the parked thread is released, and if that helps, it is what was waited for.
    void watch(const std::atomic<bool>& stop);

    void at_every_instruction();

    struct Plan {
        unsigned operation;
        unsigned long first;
        const unsigned* more;
        unsigned count;
    } plan_{};

    std::unique_ptr<Subject> subject_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<const char*> operations_;
    std::vector<Row> rows_;
    Rng rng_;
    std::atomic<bool> go_{false}, watched_{false};
    std::atomic<unsigned> frozen_in_{0};
    std::uint64_t rounds_ = 0, freezes_ = 0, completed_ = 0, frozen_growths_ = 0, frozen_shrinks_ = 0;
    double longest_ = 0;
    unsigned stalled_in_ = 0, stalled_ = 0;
    std::string stall_, fault_;
};

} // namespace suspend
