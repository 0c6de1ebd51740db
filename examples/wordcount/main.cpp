// wordcount: counts words with all cores. Free buffers live in a conex::stack, work waits in a conex::queue, and the
// counts are in a conex::map that all threads share (parallel.hpp).

#include "containers.hpp"
#include "corpus.hpp"
#include "options.hpp"
#include "parallel.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "single.hpp"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using byte_counter = std::atomic<std::uint64_t>;

// Reads the text once, so that each contestant finds it in the page cache.
tally read_only(const corpus& text, byte_counter& progress)
{
    const auto space = std::make_unique<buffer>();
    for (const source& file : text.files) {
        for (std::optional<piece> next = piece{&file, 0}; next; progress += space->size) next = read_piece(*next, *space);
    }
    return {};
}

tally count_with_conex(const corpus& text, unsigned threads, byte_counter& progress)
{
    return parallel_counter<conex_containers>(text, threads).run(progress);
}

tally count_with_locks(const corpus& text, unsigned threads, byte_counter& progress)
{
    return parallel_counter<locked_containers>(text, threads).run(progress);
}

template <class Count>
tally with_progress(const std::string& label, const corpus& text, Count count)
{
    progress_bar bar(label, text.bytes);
    return count(bar.done);
}

// The best of three rounds each. The rounds go round, so that no contestant runs all its rounds first or last.
std::vector<contestant> compare(const corpus& text, unsigned threads)
{
    const std::string on_threads = ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
    std::vector<contestant> contestants = {
        {"conex" + on_threads, [&](byte_counter& progress) { return count_with_conex(text, threads, progress); }, {}},
        {"std::unordered_map, 1 thread", [&](byte_counter& progress) { return count_on_one_thread(text, progress); }, {}},
        {"std containers and mutexes" + on_threads, [&](byte_counter& progress) { return count_with_locks(text, threads, progress); }, {}},
    };
    with_progress("reading", text, [&](byte_counter& progress) { return read_only(text, progress); });
    for (int round = 0; round < 3; ++round) {
        for (contestant& each : contestants) {
            tally result = with_progress(each.name, text, each.count);
            if (round == 0 || result.seconds < each.best.seconds) each.best = std::move(result);
        }
    }
    return contestants;
}

int run(const options& wanted)
{
    const corpus text = list_files(wanted.paths);
    bool agree = true;
    if (wanted.compare) {
        const auto contestants = compare(text, wanted.threads);
        print_table(contestants.front().best, wanted.top);
        print_summary(text, contestants.front().best, wanted.threads);
        agree = print_comparison(contestants);
    } else {
        const tally result = with_progress("counting", text, [&](byte_counter& progress) {
            return count_with_conex(text, wanted.threads, progress);
        });
        print_table(result, wanted.top);
        print_summary(text, result, wanted.threads);
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) throw failure("cannot write the result");
    return agree ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
try {
    const options wanted = parse_options(argc, argv);
    if (wanted.help) return std::fputs(usage, stdout) < 0 ? 2 : 0;
    return run(wanted);
} catch (const std::exception& error) {
    std::fprintf(stderr, "wordcount: %s\n", error.what());
    return 2;
}
