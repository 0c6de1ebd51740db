#include "report.hpp"

#include <algorithm>
#include <cstdio>

namespace {

constexpr std::size_t widest_column = 32;

// 1234567 as 1 234 567
std::string grouped(std::uint64_t number)
{
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ' ');
    return digits;
}

double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

// How many columns a UTF-8 text takes: its characters, that is, all bytes that do not continue one.
std::size_t columns(const std::string& text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void explain_difference(const contestant& a, const contestant& b)
{
    std::fprintf(stderr, "wordcount: '%s' counted %s words (%s different), '%s' counted %s (%s different)\n",
                 a.name.c_str(), grouped(a.best.total).c_str(), grouped(a.best.words.size()).c_str(),
                 b.name.c_str(), grouped(b.best.total).c_str(), grouped(b.best.words.size()).c_str());
}

} // namespace

void print_table(const tally& result, std::size_t top)
{
    const std::size_t rows = std::min(top, result.words.size());
    if (rows == 0) return;
    std::size_t width = 4;
    for (std::size_t i = 0; i < rows; ++i) width = std::max(width, columns(result.words[i].word));
    width = std::min(width, widest_column); // a longer word pushes its own row aside, not the whole table

    const double most = static_cast<double>(result.words.front().count);
    std::printf("  rank  word%*s         count   share\n", static_cast<int>(width - 4), "");
    for (std::size_t i = 0; i < rows; ++i) {
        const auto& [word, count] = result.words[i];
        const std::size_t padding = width - std::min(width, columns(word));
        std::string bar;
        for (int blocks = static_cast<int>(20 * static_cast<double>(count) / most); blocks > 0; --blocks) bar += "▪";
        std::printf("%6zu  %s%*s  %12s  %4.1f %%  %s\n", i + 1, word.c_str(), static_cast<int>(padding), "",
                    grouped(count).c_str(), 100 * static_cast<double>(count) / static_cast<double>(result.total), bar.c_str());
    }
    std::printf("\n");
}

void print_summary(const corpus& text, const tally& result, unsigned threads)
{
    std::printf("%s words, %s different, in %s files with %.1f MB\n", grouped(result.total).c_str(),
                grouped(result.words.size()).c_str(), grouped(text.files.size()).c_str(), static_cast<double>(result.bytes) / 1e6);
    std::printf("%.3f s with %u thread%s: %.1f MB/s, %.1f million words/s\n", result.seconds, threads, threads == 1 ? "" : "s",
                per_second(static_cast<double>(result.bytes) / 1e6, result.seconds),
                per_second(static_cast<double>(result.total) / 1e6, result.seconds));
}

bool print_comparison(const std::vector<contestant>& contestants)
{
    std::size_t width = 0;
    for (const contestant& each : contestants) width = std::max(width, each.name.size());
    std::printf("\n%*s      time      MB/s  Mwords/s   time of conex = 1\n", static_cast<int>(width), "");
    for (const contestant& each : contestants) {
        const tally& result = each.best;
        std::printf("%-*s  %6.3f s  %8.1f  %8.1f  %8.2f\n", static_cast<int>(width), each.name.c_str(), result.seconds,
                    per_second(static_cast<double>(result.bytes) / 1e6, result.seconds),
                    per_second(static_cast<double>(result.total) / 1e6, result.seconds),
                    per_second(result.seconds, contestants.front().best.seconds));
    }

    bool agree = true;
    for (const contestant& each : contestants) {
        if (each.best.words == contestants.front().best.words) continue;
        agree = false;
        explain_difference(contestants.front(), each);
    }
    if (agree) std::printf("\nAll %zu counted the same.\n", contestants.size());
    return agree;
}
