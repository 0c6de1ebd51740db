// The driver's command line.
//
//   DRIVER --list                                                   one line a contestant, then one a case
//   DRIVER --run FAMILY/CASE --contestant NAME [--ms N] [--warm N] [--loops-per-ns X] [--seed N] [--quick]
//
// A run is one process: a fresh heap, no memory of another contestant, and a crash or a hang is the contestant's own.
#include <cstring>

#include "registry.hpp"

int main(int argc, char** argv) {
    using namespace bench;
    params p;
    std::string run, who;
    bool list = false;
    for (int i = 1; i < argc; ++i) {
        const std::string a = argv[i];
        const auto value = [&]() -> const char* {
            if (i + 1 >= argc) {
                std::fprintf(stderr, "%s needs a value\n", a.c_str());
                std::exit(2);
            }
            return argv[++i];
        };
        if (a == "--list") list = true;
        else if (a == "--run") run = value();
        else if (a == "--contestant") who = value();
        else if (a == "--ms") p.ms = std::atoi(value());
        else if (a == "--warm") p.warm_ms = std::atoi(value());
        else if (a == "--loops-per-ns") p.loops_per_ns = std::atof(value());
        else if (a == "--seed") p.seed = std::strtoull(value(), nullptr, 10);
        else if (a == "--quick") p.quick = true;
        else {
            std::fprintf(stderr, "unknown option %s\n", a.c_str());
            return 2;
        }
    }
    if (list) {
        for (const auto& c : contestants()) {
            std::printf("contestant\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.family.c_str(), c.name.c_str(), c.peer.c_str(),
                        c.sem.order, c.sem.bound, c.sem.progress, c.sem.memory, c.sem.how);
            for (const auto& k : c.cases) std::printf("case\t%s\t%s\t%s\n", c.family.c_str(), c.name.c_str(), k.first.c_str());
        }
        return 0;
    }
    if (p.loops_per_ns <= 0) p.loops_per_ns = measure_loops_per_ns();
    (void)cpus();  // before any pinning
    for (const auto& c : contestants()) {
        if (c.name != who) continue;
        for (const auto& k : c.cases) {
            if (c.family + "/" + k.first != run) continue;
            report r;
            k.second(p, r);
            std::printf("done\n");
            std::fflush(stdout);
            std::_Exit(0);  // a peer's static destructors are not part of the run
        }
    }
    std::fprintf(stderr, "no contestant %s for %s\n", who.c_str(), run.c_str());
    return 2;
}
