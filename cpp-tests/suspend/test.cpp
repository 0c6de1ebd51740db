// What is done to a subject, from the first freeze to the last oracle, and what is printed of it; who is watched meanwhile.
#include <algorithm>
#include <cstdio>

#include "test.hpp"

namespace suspend {

Test::Test(std::unique_ptr<Subject> subject) : subject_(std::move(subject)), rng_{settings.seed ^ 0x5EED} {
    operations_ = subject_->operations();
    rows_.resize(operations_.size());
    for (unsigned i = 0; i < settings.threads; ++i) {
        auto worker = std::make_unique<Worker>();
        worker->id = i;
        worker->rng.state = mix(settings.seed + i);
        workers_.push_back(std::move(worker));
    }
}

bool Test::run() {
    at_random();
    if (stall_.empty() && Freezable::can_step()) at_every_instruction();
    if (stall_.empty()) fault_ = subject_->verify(workers_);
    if (stall_.empty() && fault_.empty() && subject_->resizes() && (frozen_growths_ < 2 || frozen_shrinks_ < 1))
        fault_ = "it did not resize while threads were frozen: give it more time";
    for (std::size_t i = 0; i < rows_.size(); ++i)
        if (stall_.empty() && fault_.empty() && Freezable::can_step() && rows_[i].parks < 5)
            fault_ = std::string(operations_[i]) + " was hardly parked at all: give it more time";
    return stall_.empty() && fault_.empty();
}

void Test::print() const {
    for (std::size_t i = 0; i < operations_.size(); ++i) {
        const Row& row = rows_[i];
        std::printf("  %-22s %-16s %9llu %9llu %9llu %-6s %s\n", subject_->name().c_str(), operations_[i],
                    static_cast<unsigned long long>(row.frozen_at_random), static_cast<unsigned long long>(row.parks),
                    static_cast<unsigned long long>(row.instructions.size()), row.every ? "all k" : "", stall_.empty() ? "lock-free" : "-");
    }
    std::printf("  %s: %llu freezes in %llu rounds, %llu operations completed meanwhile, longest wait for one share %.0f ms\n",
                subject_->name().c_str(), static_cast<unsigned long long>(freezes_), static_cast<unsigned long long>(rounds_),
                static_cast<unsigned long long>(completed_), longest_ * 1e3);
    if (subject_->resizes())
        std::printf("  %s: grown %llu times and shrunk %llu times while threads were frozen\n", subject_->name().c_str(),
                    static_cast<unsigned long long>(frozen_growths_), static_cast<unsigned long long>(frozen_shrinks_));
    if (!stall_.empty()) std::printf("  %s: BLOCKING: %s\n", subject_->name().c_str(), stall_.c_str());
    if (!fault_.empty()) std::printf("  %s: FAILED: %s\n", subject_->name().c_str(), fault_.c_str());
}

bool Test::others_complete(const std::vector<unsigned>& runners, std::uint64_t share) {
    std::vector<std::uint64_t> goal, seen;
    std::vector<double> since;
    const double begin = now();
    for (unsigned id : runners) {
        seen.push_back(done(id));
        goal.push_back(seen.back() + share);
        since.push_back(begin);
        completed_ += share;
    }
    bool stalled = false;
    wait_until(begin + 1e9, [&] {
        bool all = true;
        const double t = now();
        for (std::size_t i = 0; i < runners.size(); ++i) {
            const std::uint64_t d = done(runners[i]);
            if (d != seen[i]) seen[i] = d, since[i] = t;
            if (d >= goal[i]) continue;
            all = false;
            if (t - since[i] > settings.watchdog) {
                stalled = true;
                stalled_in_ = workers_[runners[i]]->operation.load();
                stalled_ = runners[i];
            }
        }
        return all || stalled;
    });
    longest_ = std::max(longest_, now() - begin);
    return !stalled;
}

void Test::explain_stall(const std::vector<unsigned>& frozen, const std::vector<unsigned>& frozen_in) {
    const std::uint64_t before = done(stalled_);
    const double begin = now();
    for (unsigned id : frozen) workers_[id]->thread.release();
    const bool moved = wait_until(begin + settings.watchdog, [&] { return done(stalled_) != before; });
    char text[400];
    std::string names;
    for (unsigned operation : frozen_in) names += std::string(names.empty() ? "" : ", ") + operations_[operation];
    std::snprintf(text, sizeof text, "a %s stood still for %.1f s while other threads were frozen in: %s; %s", operations_[stalled_in_],
                  settings.watchdog, names.c_str(), moved ? "it went on when they were released" : "it did not go on when they were released either");
    stall_ = text;
}

} // namespace suspend
