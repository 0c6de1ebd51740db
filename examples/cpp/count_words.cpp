// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Counting words on several threads. `fetch_add` adds to a key's number and inserts the key if it is new, as one atomic
// step. Keys are std::string, looked up by std::string_view: no string is made for a word that is there already.
#include <conex/map.hpp>

#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

void count(conex::map<std::string, std::uint64_t>& counts, std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = text.find(' ');
        const std::string_view word = text.substr(0, end);
        if (!word.empty()) counts.fetch_add(word, 1);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
}

int main() {
    conex::map<std::string, std::uint64_t> counts;

    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] { count(counts, "the quick brown fox jumps over the lazy dog and the dog looks at the fox"); });
    }
    for (auto& each : threads) each.join();

    counts.for_each([](std::string_view word, std::uint64_t n) {
        if (n > 4) std::cout << word << ": " << n << '\n';
    });
    return counts.get("the") == 16u && !counts.get("cat").has_value() ? 0 : 1;
}
