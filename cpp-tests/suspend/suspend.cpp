// The mechanical test of "lock-free": threads are frozen at arbitrary instructions, and the others must go on.
//
//   suspend [--seconds S] [--watchdog S] [--threads N] [--seed X] [--no-peers] [GROUP...]
//
// Two parts for each subject:
//  1. At random. N workers run a mix of all operations; again and again up to N-1 of them are frozen wherever they are, and
//     each of the others must complete its share while they are. In every 16th round the share is large, and a container
//     that resizes must have grown twice and shrunk once before the frozen ones go on.
//  2. At each instruction. One thread runs one operation and is parked after k instructions; while it is parked the others
//     must complete their share. k runs through 1, 2, 3 ... until the operation ends before; where the time does not suffice
//     for all, in strides from a random first one. Then again with several parks in one operation, at random distances, so
//     that retries and the help for others are walked through as well.
// Afterwards the oracles of the subject must hold. A subject that stalls is shown to wait for the frozen thread: it goes on
// when that one is released.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <unordered_set>

#include "subject.hpp"

namespace suspend {
namespace {

struct Settings {
    double seconds = 4;
    double watchdog = 5;
    unsigned threads = 4;
    std::uint64_t seed = 0;
    bool peers = true;
    std::vector<std::string> groups;
} settings;

double now() {
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
    explicit Test(std::unique_ptr<Subject> subject) : subject_(std::move(subject)), rng_{settings.seed ^ 0x5EED} {
        operations_ = subject_->operations();
        rows_.resize(operations_.size());
        for (unsigned i = 0; i < settings.threads; ++i) {
            auto worker = std::make_unique<Worker>();
            worker->id = i;
            worker->rng.state = mix(settings.seed + i);
            workers_.push_back(std::move(worker));
        }
    }

    // True: nothing ever waited and the oracles hold.
    bool run() {
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

    const std::string& stall() const { return stall_; }

    void print() const {
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

private:
    void work(Worker& worker, unsigned operation) {
        worker.operation.store(operation, std::memory_order_relaxed);
        subject_->run(worker, operation);
        worker.done.store(worker.done.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    // Every one of `runners` must complete `share` operations, none standing still for as long as the watchdog.
    bool others_complete(const std::vector<unsigned>& runners, std::uint64_t share) {
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

    std::uint64_t done(unsigned id) const { return workers_[id]->done.load(std::memory_order_acquire); }

    // The frozen have been released: does the stalled one go on now?
    void explain_stall(const std::vector<unsigned>& frozen, const std::vector<unsigned>& frozen_in) {
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

    void at_random() {
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

    // One operation of the victim, parked as the arguments say; at each park this thread itself runs operations, as worker 1.
    // False: the operation ended before the first park.
    bool step(unsigned operation, unsigned long first, const unsigned* more, unsigned count) {
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

    // Looks after this thread while it runs operations beside a parked one: after the watchdog's time without one that
    // ends, the parked thread is released, and if that helps, it is what was waited for.
    void watch(const std::atomic<bool>& stop) {
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

    void at_every_instruction() {
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

int usage() {
    std::fprintf(stderr, "usage: suspend [--seconds S] [--watchdog S] [--threads N, 3 to 16] [--seed X] [--no-peers] [stack|queue|map|shared|hazard|rcu ...]\n");
    return 2;
}

int run(int argc, char** argv) {
    settings.seed = static_cast<std::uint64_t>(now() * 1e6);
    for (int i = 1; i < argc; ++i) {
        if (argv[i][0] != '-') {
            settings.groups.emplace_back(argv[i]);
            continue;
        }
        if (!std::strcmp(argv[i], "--no-peers")) {
            settings.peers = false;
            continue;
        }
        if (i + 1 == argc) return usage();
        const char* const value = argv[++i];
        if (!std::strcmp(argv[i - 1], "--seconds")) settings.seconds = std::atof(value);
        else if (!std::strcmp(argv[i - 1], "--watchdog")) settings.watchdog = std::atof(value);
        else if (!std::strcmp(argv[i - 1], "--threads")) settings.threads = static_cast<unsigned>(std::atoi(value));
        else if (!std::strcmp(argv[i - 1], "--seed")) settings.seed = std::strtoull(value, nullptr, 0);
        else return usage();
    }
    if (settings.threads < 3 || settings.threads > kMaxWorkers || settings.seconds <= 0 || settings.watchdog <= 0) return usage();

    Freezable::install();
    std::printf("suspend: seed %llu, %u threads, watchdog %.0f s\n", static_cast<unsigned long long>(settings.seed), settings.threads, settings.watchdog);
    std::printf("  %-22s %-16s %9s %9s %9s %-6s %s\n", "container", "operation", "at random", "parked", "at instr.", "", "verdict");
    bool as_expected = true;
    unsigned tested = 0;
    for (const Entry& entry : registry()) {
        if (!settings.groups.empty() && std::find(settings.groups.begin(), settings.groups.end(), entry.group) == settings.groups.end()) continue;
        if (entry.blocks && !settings.peers) continue;
        ++tested;
        Test test(entry.make());
        const bool free = test.run();
        test.print();
        std::fflush(stdout);
        if (free == entry.blocks) {
            as_expected = false;
            std::printf("  ^ not as expected: %s\n", entry.blocks ? "this peer is known to block, and the test did not notice" : "this must be lock-free");
        }
    }
    std::printf("suspend: %u subjects, %s\n", tested, as_expected ? "all as expected" : "NOT ALL AS EXPECTED");
    return as_expected && tested > 0 ? 0 : 1;
}

} // namespace
} // namespace suspend

int main(int argc, char** argv) { return suspend::run(argc, argv); }
