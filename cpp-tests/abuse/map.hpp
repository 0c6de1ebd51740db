// SPDX-License-Identifier: MIT OR Apache-2.0
// What the files about the map have in common: a map with three entries, and callbacks that must not be called.
#ifndef CONEX_TESTS_ABUSE_MAP_HPP
#define CONEX_TESTS_ABUSE_MAP_HPP

#include "abuse/bad_input.hpp"

namespace abuse {

/// What an output holds that must not be written to.
constexpr std::uint64_t untouched = 0x1234567812345678;

inline std::int32_t never_make(void*, void*) {
    CHECK(false);
    return 0;
}

/// Keys 1 to 3 with ten times that as value, which must still be so.
inline void fill(conex_map* m) {
    for (std::uint64_t k = 1; k <= 3; ++k) {
        const std::uint64_t v = k * 10;
        CHECK(conex_map_insert(m, &k, 8, &v, nullptr) == CONEX_OK);
    }
}

inline void verify(conex_map* m) {
    std::size_t n = 0;
    CHECK(conex_map_len(m, &n) == CONEX_OK && n == 3);
    for (std::uint64_t k = 1; k <= 3; ++k) {
        std::uint64_t v = 0;
        CHECK(conex_map_get(m, &k, 8, &v) == CONEX_OK && v == k * 10);
    }
}

}  // namespace abuse

#endif
