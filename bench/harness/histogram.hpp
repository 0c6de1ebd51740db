// Latencies in ticks, kept with a relative error under 1/64, so that recording costs about a nanosecond.
#pragma once

#include <cstdint>
#include <vector>

namespace bench {

class histogram {
public:
    histogram() : counts_(64 * 64, 0) {}

    void add(std::uint64_t v) {
        if (v > max_) max_ = v;
        ++counts_[slot(v)];
        ++n_;
    }

    void merge(const histogram& o) {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += o.counts_[i];
        n_ += o.n_;
        if (o.max_ > max_) max_ = o.max_;
    }

    std::uint64_t percentile(double p) const {
        const double want = p / 100.0 * static_cast<double>(n_);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (static_cast<double>(seen) >= want && seen != 0) return lower(i) < max_ ? lower(i) : max_;
        }
        return max_;
    }

    std::uint64_t max() const { return max_; }
    std::uint64_t count() const { return n_; }

private:
    // Below 64 exact; above, 64 slots an octave.
    static std::size_t slot(std::uint64_t v) {
        if (v < 64) return static_cast<std::size_t>(v);
        const int e = 63 - __builtin_clzll(v);  // >= 6
        const std::uint64_t m = (v >> (e - 6)) & 63;
        const std::size_t i = static_cast<std::size_t>(e - 5) * 64 + static_cast<std::size_t>(m);
        return i < 64 * 64 ? i : 64 * 64 - 1;
    }
    static std::uint64_t lower(std::size_t i) {
        if (i < 64) return i;
        const int e = static_cast<int>(i / 64) + 5;
        return (std::uint64_t{64} + (i % 64)) << (e - 6);
    }

    std::vector<std::uint64_t> counts_;
    std::uint64_t n_ = 0, max_ = 0;
};

}  // namespace bench
