#include "single.hpp"

#include "words.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

tally count_on_one_thread(const corpus& text, std::atomic<std::uint64_t>& progress)
{
    const auto start = std::chrono::steady_clock::now();
    std::unordered_map<std::string, std::uint64_t> counts;
    std::string key; // kept between words: looking one up allocates nothing
    const auto space = std::make_unique<buffer>();
    tally result;

    for (const source& file : text.files) {
        for (std::optional<piece> next = piece{&file, 0}; next;) {
            next = read_piece(*next, *space);
            for_each_word(space->bytes.data(), space->bytes.data() + space->size, space->markup, [&](std::string_view word) {
                key.assign(word);
                ++counts[key];
            });
            result.bytes += space->size;
            progress.fetch_add(space->size, std::memory_order_relaxed);
        }
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

    result.seconds = elapsed.count();
    for (const auto& [word, count] : counts) result.words.push_back({word, count});
    result.finish();
    return result;
}
