// The command line.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

struct options {
    std::vector<std::string> paths;
    unsigned threads = 0;
    std::size_t top = 20;
    bool compare = false;
    bool help = false;
};

// Throws failure for anything that is not understood.
options parse_options(int argc, char** argv);

extern const char* const usage;
