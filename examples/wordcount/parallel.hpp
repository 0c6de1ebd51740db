// Counting words on many threads. Every thread does whatever there is to do: it counts a filled buffer, or fills one.
//
//      unread ──pop──> read into a buffer ──push──> filled ──pop──> count ──fetch_add──> counts
//      queue     ^        ^ pop              queue     │  push            map
//                └─ rest ─┘  └──────── free buffers <──┘
//                 of the file              stack
//
// The bounded stock of buffers bounds the memory; the stack hands out the one used last, which is still in the cache.
#pragma once

#include "corpus.hpp"
#include "tally.hpp"
#include "words.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

template <class Containers>
class parallel_counter {
public:
    parallel_counter(const corpus& text, unsigned threads) : threads_(threads), pending_(text.files.size())
    {
        for (const source& file : text.files) unread_.push(piece{&file, 0});
        for (unsigned i = 0; i < 2 * threads; ++i) free_.push(std::make_unique<buffer>());
    }

    // Adds to `progress` the bytes that have been counted.
    tally run(std::atomic<std::uint64_t>& progress)
    {
        const auto start = std::chrono::steady_clock::now();
        std::vector<std::thread> team;
        try {
            while (team.size() < threads_) team.emplace_back([&] { work(progress); });
        } catch (...) {
            fail(std::current_exception()); // no more threads to be had: the others stop
        }
        for (std::thread& thread : team) thread.join();
        if (error_) std::rethrow_exception(error_);
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

        tally result;
        result.seconds = elapsed.count();
        result.bytes = bytes_.load();
        counts_.for_each([&](const auto& word, std::uint64_t count) { result.words.push_back({std::string(word), count}); });
        result.finish();
        return result;
    }

private:
    void work(std::atomic<std::uint64_t>& progress) noexcept
    {
        try {
            while (pending_.load(std::memory_order_acquire) != 0 && !failed_.load(std::memory_order_relaxed)) {
                if (auto text = filled_.try_pop()) {
                    count(**text);
                    progress.fetch_add((*text)->size, std::memory_order_relaxed);
                    free_.push(std::move(*text));
                    pending_.fetch_sub(1, std::memory_order_release);
                } else if (!fill_one()) {
                    std::this_thread::yield(); // the others have the rest of the text in hand
                }
            }
        } catch (...) {
            fail(std::current_exception());
        }
    }

    void count(buffer& text)
    {
        [[maybe_unused]] const typename Containers::session session;
        for_each_word(text.bytes.data(), text.bytes.data() + text.size, text.markup,
                      [&](std::string_view word) { counts_.fetch_add(word, 1); });
    }

    bool fill_one()
    {
        auto text = free_.try_pop();
        if (!text) return false;
        const auto next = unread_.try_pop();
        if (!next) {
            free_.push(std::move(*text));
            return false;
        }
        // The piece becomes a buffer, so `pending_` grows only if more of the file remains.
        if (const auto rest = read_piece(*next, **text)) {
            pending_.fetch_add(1, std::memory_order_relaxed);
            unread_.push(*rest);
        }
        bytes_.fetch_add((*text)->size, std::memory_order_relaxed);
        filled_.push(std::move(*text));
        return true;
    }

    void fail(std::exception_ptr error) noexcept
    {
        if (!failed_.exchange(true)) error_ = std::move(error); // read after all threads have been joined
    }

    typename Containers::template stack<std::unique_ptr<buffer>> free_;
    typename Containers::template queue<piece> unread_;
    typename Containers::template queue<std::unique_ptr<buffer>> filled_;
    typename Containers::counts counts_;

    const unsigned threads_;
    std::atomic<std::size_t> pending_; // pieces unread, and buffers filled or in a thread's hands: 0 = done
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<bool> failed_{false};
    std::exception_ptr error_;
};
