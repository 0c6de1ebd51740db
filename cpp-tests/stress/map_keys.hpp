// SPDX-License-Identifier: MIT OR Apache-2.0
// Maps with keys of each kind, words, strings and such as collide, for the stress tests that are the same for all of them.
#ifndef CONEX_TESTS_STRESS_MAP_KEYS_HPP
#define CONEX_TESTS_STRESS_MAP_KEYS_HPP

#include <conex/map.hpp>

#include <string>
#include <type_traits>

#include "stress/trial.hpp"

namespace stress {

/// A key of each kind for a number.
template <class K>
K key(std::uint64_t i);
template <>
inline std::uint64_t key(std::uint64_t i) {
    return i;
}
template <>
inline std::string key(std::uint64_t i) {
    return std::string(i % 3 == 0 ? 40 : 0, 'k') + std::to_string(i);
}
template <>
inline types::tracked key(std::uint64_t i) {
    return types::tracked(i);
}

struct few_hashes {  // many keys collide
    std::size_t operator()(const types::tracked& k) const noexcept { return static_cast<std::size_t>(k.get() % 16); }
};

template <class K, class V>
using map_of =
    conex::map<K, V, std::conditional_t<std::is_same_v<K, types::tracked>, few_hashes, conex::default_hash<K>>>;

template <class F>
void each_thread_count(F run) {
    for (const unsigned n : support::thread_counts) run(n);
}

}  // namespace stress

#endif
