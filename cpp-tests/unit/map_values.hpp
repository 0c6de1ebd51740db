// SPDX-License-Identifier: MIT OR Apache-2.0
// Values of many types, made from numbers: for the tests of conex::map that are the same for each of them.
#ifndef CONEX_TESTS_UNIT_MAP_VALUES_HPP
#define CONEX_TESTS_UNIT_MAP_VALUES_HPP

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "support/types.hpp"

namespace unit {

template <class V>
V make(std::uint64_t i);
template <>
inline std::uint64_t make(std::uint64_t i) {
    return i;
}
template <>
inline int make(std::uint64_t i) {
    return static_cast<int>(i);
}
template <>
inline double make(std::uint64_t i) {
    return static_cast<double>(i);
}
template <>
inline std::string make(std::uint64_t i) {
    return std::string(i % 2 == 0 ? 0 : 40, '0') + std::to_string(i);
}
template <>
inline types::tracked make(std::uint64_t i) {
    return types::tracked(i);
}
template <>
inline std::shared_ptr<types::tracked> make(std::uint64_t i) {
    // Equal values must be equal pointers for compare_exchange: one object for each number.
    static auto* const pool = new std::map<std::uint64_t, std::weak_ptr<types::tracked>>;
    std::shared_ptr<types::tracked> found = (*pool)[i].lock();
    if (found == nullptr) (*pool)[i] = found = std::make_shared<types::tracked>(i);
    return found;
}
template <>
inline types::plain<64> make(std::uint64_t i) {
    return types::plain<64>(i);
}
template <>
inline types::kilobyte make(std::uint64_t i) {
    return types::kilobyte(i);
}
template <>
inline types::aligned_tracked make(std::uint64_t i) {
    return types::aligned_tracked(i);
}

}  // namespace unit

#endif
