#include "options.hpp"

#include "corpus.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <thread>

const char* const usage =
    "usage: wordcount [option...] [file or folder...]\n"
    "\n"
    "Counts the words of all files, with all cores, and prints the most frequent ones.\n"
    "Files with a zero byte in their beginning are taken for binary and skipped; in HTML, tags do not count.\n"
    "\n"
    "  --threads N   count with N threads (1 to 1024); as many as there are cores unless told\n"
    "  --top N       print the N most frequent words (1 to 1000000); 20 unless told\n"
    "  --compare     count also with std::unordered_map on one thread, and with std containers behind\n"
    "                mutexes on N threads; check that all three agree, and print their times\n"
    "  --help        print this\n"
    "\n"
    "Exit code: 0 done, 1 the counts of --compare differ, 2 a wrong option or a file that cannot be read.\n";

namespace {

std::size_t parse_number(std::string_view name, const char* text, std::size_t largest)
{
    std::size_t value = 0;
    const char* const end = text != nullptr ? text + std::strlen(text) : nullptr;
    const auto [stop, error] = std::from_chars(text, end, value);
    if (text == nullptr || error != std::errc() || stop != end || value < 1 || value > largest)
        throw failure(std::string(name) + " needs a number from 1 to " + std::to_string(largest) +
                      (text != nullptr ? ", not '" + std::string(text) + "'" : ""));
    return value;
}

} // namespace

options parse_options(int argc, char** argv)
{
    options parsed;
    parsed.threads = std::max(1u, std::min(1024u, std::thread::hardware_concurrency()));
    bool options_end = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        // argv ends with a null pointer: an option at the end has that as its value.
        if (options_end || argument.empty() || argument[0] != '-') parsed.paths.emplace_back(argument);
        else if (argument == "--") options_end = true;
        else if (argument == "--threads") parsed.threads = static_cast<unsigned>(parse_number(argument, argv[++i], 1024));
        else if (argument == "--top") parsed.top = parse_number(argument, argv[++i], 1000000);
        else if (argument == "--compare") parsed.compare = true;
        else if (argument == "--help" || argument == "-h") parsed.help = true;
        else throw failure("there is no option '" + std::string(argument) + "'; --help lists them");
    }
    if (parsed.paths.empty() && *WORDCOUNT_DEFAULT_TEXT != '\0') parsed.paths.emplace_back(WORDCOUNT_DEFAULT_TEXT);
    if (parsed.paths.empty() && !parsed.help) throw failure("name a file or a folder to count; --help says more");
    return parsed;
}
