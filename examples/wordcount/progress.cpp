#include "progress.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <unistd.h>
#include <utility>

progress_bar::progress_bar(std::string label, std::uint64_t total) : label_(std::move(label)), total_(total)
{
    if (::isatty(STDERR_FILENO)) painter_ = std::thread([this] { draw_until_told(); });
}

progress_bar::~progress_bar()
{
    if (!painter_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    told_.notify_one();
    painter_.join();
    std::fputs("\r\033[K", stderr);
}

void progress_bar::draw_until_told()
{
    std::unique_lock lock(mutex_);
    do draw();
    while (!told_.wait_for(lock, std::chrono::milliseconds(50), [this] { return stop_; }));
}

void progress_bar::draw() const
{
    constexpr int width = 40;
    const double share = total_ == 0 ? 1.0 : std::min(1.0, static_cast<double>(done.load()) / static_cast<double>(total_));
    const int filled = static_cast<int>(share * width);
    std::string bar;
    for (int i = 0; i < width; ++i) bar += i < filled ? "█" : "░";
    std::fprintf(stderr, "\r%s %s %3d %%\033[K", label_.c_str(), bar.c_str(), static_cast<int>(share * 100));
    std::fflush(stderr);
}
