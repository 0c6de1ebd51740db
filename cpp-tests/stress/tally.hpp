// SPDX-License-Identifier: MIT OR Apache-2.0
// Conservation: what went in and what came out, compared as multisets without keeping them.
#ifndef CONEX_TESTS_TALLY_HPP
#define CONEX_TESTS_TALLY_HPP

#include <atomic>
#include <cstdint>

#include "support/check.hpp"

namespace stress {

inline std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/// The number of elements, the sum of their fingerprints and the sum of the fingerprints' fingerprints. Two multisets that
/// differ have the same tally with a chance of about 2^-128.
class tally {
public:
    void add(std::uint64_t element) {
        ++count_;
        const std::uint64_t print = mix(element + 0x9e3779b97f4a7c15U);
        sum_ += print;
        second_ += mix(print);
    }
    void add(const tally& other) {
        count_ += other.count_;
        sum_ += other.sum_;
        second_ += other.second_;
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    friend bool operator==(const tally& a, const tally& b) {
        return a.count_ == b.count_ && a.sum_ == b.sum_ && a.second_ == b.second_;
    }

private:
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t second_ = 0;
};

/// A tally that threads add theirs to when they are done.
class shared_tally {
public:
    void add(const tally& part) {
        while (busy_.exchange(true)) {
        }
        all_.add(part);
        busy_.store(false);
    }
    [[nodiscard]] const tally& total() const { return all_; }

private:
    std::atomic<bool> busy_{false};
    tally all_;
};

}  // namespace stress

#endif
