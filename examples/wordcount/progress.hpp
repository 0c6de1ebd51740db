// A progress bar on the terminal.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

// Draws a bar on standard error while it lives, if that is a terminal, and wipes it away at its end.
class progress_bar {
public:
    progress_bar(std::string label, std::uint64_t total);
    ~progress_bar();
    progress_bar(const progress_bar&) = delete;
    progress_bar& operator=(const progress_bar&) = delete;

    std::atomic<std::uint64_t> done{0};

private:
    void draw_until_told();
    void draw() const;

    const std::string label_;
    const std::uint64_t total_;
    bool stop_ = false; // guarded by mutex_
    std::mutex mutex_;
    std::condition_variable told_;
    std::thread painter_;
};
