// What the user sees at the end.
#pragma once

#include "corpus.hpp"
#include "tally.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

void print_table(const tally& result, std::size_t top);
void print_summary(const corpus& text, const tally& result, unsigned threads);

struct contestant {
    std::string name;
    std::function<tally(std::atomic<std::uint64_t>& progress)> count;
    tally best; // of its rounds
};

// Prints the times side by side. Returns whether all contestants counted the same; says where not.
bool print_comparison(const std::vector<contestant>& contestants);
