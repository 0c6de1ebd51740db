// The entries that go through maps: keys, values that show whose they are, and the orders in which they are drawn.
#pragma once

#include <cmath>
#include <string_view>

#include "element.hpp"

namespace bench {

// Keys: entry number i has a key that looks random, so that neither insertion order nor an identity hash helps.
struct word_key {
    using type = std::uint64_t;
    static constexpr const char* label = "u64";
    struct store {
        type at(std::uint64_t i) { return splitmix(i + 1); }
    };
};

// Printable strings of 16 to 32 bytes, made in registers: a table of them would be measured instead of the map.
struct text_key {
    using type = std::string_view;
    static constexpr const char* label = "text";
    struct store {
        alignas(8) char bytes[32];
        type at(std::uint64_t i) {
            std::uint64_t x = splitmix(i + 1);
            const std::size_t len = 16 + x % 17;
            for (int w = 0; w < 4; ++w) {
                const std::uint64_t printable = (x & 0x3f3f3f3f3f3f3f3fu) + 0x3030303030303030u;
                std::memcpy(bytes + 8 * w, &printable, 8);
                x = (x ^ (x >> 31)) * 0x94d049bb133111ebu + i;
            }
            return {bytes, len};
        }
    };
};

struct wide_value {
    std::uint64_t word[8];
};

// A value carries a mark of its entry, so that a reader sees when it gets another entry's value or half of two.
template <class V>
struct marked;
template <>
struct marked<std::uint64_t> {
    static std::uint64_t of(std::uint64_t i, std::uint64_t free_bits) {
        return (splitmix(i) & ~std::uint64_t{0xffff}) | (free_bits & 0xffff);
    }
    static bool right(std::uint64_t v, std::uint64_t i) { return ((v ^ splitmix(i)) >> 16) == 0; }
};
template <>
struct marked<wide_value> {
    static wide_value of(std::uint64_t i, std::uint64_t free_bits) {
        wide_value v;
        const std::uint64_t w = marked<std::uint64_t>::of(i, free_bits);
        for (auto& x : v.word) x = w;
        return v;
    }
    static bool right(const wide_value& v, std::uint64_t i) {
        return marked<std::uint64_t>::right(v.word[0], i) && v.word[0] == v.word[7] && v.word[0] == v.word[3];
    }
};

// Draws of 0..n-1 after Zipf's law with exponent 0.99, made before the timed part (Gray et al., SIGMOD 1994).
inline std::vector<std::uint32_t> zipf_draws(std::uint32_t n, std::size_t draws, std::uint64_t seed) {
    constexpr double theta = 0.99;
    double zeta = 0;
    if (n <= 100'000) {
        for (std::uint32_t i = 1; i <= n; ++i) zeta += std::pow(i, -theta);
    } else {  // the tail by its integral: the error is far below a draw
        for (std::uint32_t i = 1; i <= 100'000; ++i) zeta += std::pow(i, -theta);
        zeta += (std::pow(n + 0.5, 1 - theta) - std::pow(100'000.5, 1 - theta)) / (1 - theta);
    }
    const double zeta2 = 1 + std::pow(2.0, -theta), alpha = 1 / (1 - theta);
    const double eta = (1 - std::pow(2.0 / n, 1 - theta)) / (1 - zeta2 / zeta);
    std::vector<std::uint32_t> v(draws);
    rng r(seed);
    for (auto& x : v) {
        const double u = static_cast<double>(r.next() >> 11) * 0x1p-53, uz = u * zeta;
        double rank;
        if (uz < 1) rank = 0;
        else if (uz < zeta2) rank = 1;
        else rank = n * std::pow(eta * u - eta + 1, alpha);
        x = rank >= n ? n - 1 : static_cast<std::uint32_t>(rank);
    }
    return v;
}

// A fixed scattering of 0..2^bits-1, so that a pass does not follow the order of insertion.
inline std::uint64_t scatter(std::uint64_t i, int bits) {
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    const int half = (bits + 1) / 2;
    i = (i * 0x9e3779b97f4a7c15u) & mask;
    i ^= i >> half;
    i = (i * 0xd6e8feb86659fd93u) & mask;
    i ^= i >> half;
    return i;
}

}  // namespace bench
