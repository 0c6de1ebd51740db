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
//
// Here are the command line and the table; the test is in test.cpp, its parts in random.cpp and stepped.cpp.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test.hpp"

namespace suspend {

Settings settings;

namespace {

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
