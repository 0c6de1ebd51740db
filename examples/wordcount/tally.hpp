// What counting yields.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

struct word_count {
    std::string word;
    std::uint64_t count;

    bool operator==(const word_count& other) const { return count == other.count && word == other.word; }
};

struct tally {
    std::vector<word_count> words; // after finish(): most frequent first, equals by the alphabet
    std::uint64_t total = 0;       // of all counts
    std::uint64_t bytes = 0;       // of text, binary files not included
    double seconds = 0;            // of reading and counting

    // Brings the words into order and adds them up.
    void finish()
    {
        std::sort(words.begin(), words.end(), [](const word_count& a, const word_count& b) {
            return a.count != b.count ? a.count > b.count : a.word < b.word;
        });
        total = 0;
        for (const word_count& entry : words) total += entry.count;
    }
};
