// The subjects of the suspension test without freezes: threads run all operations in any mix, then the oracles must hold.
// What the sanitizers, Valgrind and the coverage are run on.
//
//   churn [--operations N] [--rounds R] [--threads T] [--seed X] [GROUP...]
//
// Each round is of a fresh container; its threads end before it does.
#include <algorithm>
#include <cstring>
#include <thread>

#include "subject.hpp"

namespace suspend {
namespace {

int run(int argc, char** argv) {
    std::uint64_t operations = 20'000, rounds = 2, seed = 1;
    unsigned threads = 4;
    std::vector<std::string> groups;
    for (int i = 1; i < argc; ++i) {
        if (argv[i][0] != '-') {
            groups.emplace_back(argv[i]);
            continue;
        }
        const std::string name = argv[i];
        const std::uint64_t value = ++i < argc ? std::strtoull(argv[i], nullptr, 0) : 0;
        if (name == "--operations") operations = value;
        else if (name == "--rounds") rounds = value;
        else if (name == "--threads") threads = static_cast<unsigned>(value);
        else if (name == "--seed") seed = value;
        else threads = 0;
    }
    if (threads < 1 || threads > kMaxWorkers || operations < 1 || rounds < 1) {
        std::fprintf(stderr, "usage: churn [--operations N] [--rounds R] [--threads 1 to 16] [--seed X] [stack|queue|map|shared|hazard|rcu ...]\n");
        return 2;
    }
    std::uint64_t total = 0;
    for (const Entry& entry : registry()) {
        if (!groups.empty() && std::find(groups.begin(), groups.end(), entry.group) == groups.end()) continue;
        for (std::uint64_t round = 0; round < rounds; ++round) {
            const auto subject = entry.make();
            std::vector<std::unique_ptr<Worker>> workers;
            std::vector<std::thread> running;
            for (unsigned id = 0; id < threads; ++id) {
                workers.push_back(std::make_unique<Worker>());
                Worker& worker = *workers.back();
                worker.id = id;
                worker.rng.state = mix(seed * 1000 + round * 100 + id);
                running.emplace_back([&, operations] {
                    for (std::uint64_t i = 0; i < operations; ++i) subject->run(worker, subject->pick(worker));
                    if (subject->resizes() && operations >= 10'000) subject->storm(worker, false);
                });
            }
            for (auto& thread : running) thread.join();
            total += operations * threads;
            const std::string fault = subject->verify(workers);
            if (!fault.empty()) {
                std::printf("churn: %s, seed %llu, round %llu: %s\n", subject->name().c_str(), static_cast<unsigned long long>(seed), static_cast<unsigned long long>(round), fault.c_str());
                return 1;
            }
        }
    }
    std::printf("churn: %llu operations, all oracles hold\n", static_cast<unsigned long long>(total));
    return total > 0 ? 0 : 1;
}

} // namespace
} // namespace suspend

int main(int argc, char** argv) { return suspend::run(argc, argv); }
