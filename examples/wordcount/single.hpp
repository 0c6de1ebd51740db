// The same work on one thread with std::unordered_map: what --compare measures against.
#pragma once

#include "corpus.hpp"
#include "tally.hpp"

#include <atomic>
#include <cstdint>

tally count_on_one_thread(const corpus& text, std::atomic<std::uint64_t>& progress);
