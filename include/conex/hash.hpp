// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// How a `map` hashes and compares its keys: `conex::default_hash` and `conex::is_bytewise_equal`.
#ifndef CONEX_HASH_HPP
#define CONEX_HASH_HPP

#include <conex/detail/config.hpp>

#include <cstddef>
#include <functional>
#include <type_traits>

namespace conex {

/// True when two objects are equal exactly if their bytes are. Such keys are hashed and compared by the library itself,
/// without a callback, with a hash that is seeded for each map; such values `compare_exchange` compares by their bytes.
///
/// It is true for integers, enumerations, pointers, and structs of these without padding. Specialise it as
/// `std::false_type` for such a struct whose `operator==` does not mean "the same bytes":
/// \code
/// template <> struct conex::is_bytewise_equal<caseless_tag> : std::false_type {};
/// \endcode
template <class T>
struct is_bytewise_equal : std::bool_constant<std::has_unique_object_representations_v<T>> {};

namespace detail {
template <class K, class = void>
struct has_std_hash : std::false_type {};
template <class K>
struct has_std_hash<K, std::void_t<decltype(std::declval<const std::hash<K>&>()(std::declval<const K&>()))>>
    : std::is_default_constructible<std::hash<K>> {};
}  // namespace detail

/// The hash of a `map` that names none: the library's own for bytewise keys and for `std::string`, `std::hash<K>` for
/// all other keys. The map mixes its seed in afterwards, so a weak hash function is no trouble.
template <class K>
struct default_hash {
    /// `std::hash<K>`; throws what that throws.
    [[nodiscard]] std::size_t operator()(const K& key) const {
        static_assert(detail::has_std_hash<K>::value,
                      "conex: this key type has no hash: specialise std::hash<K>, name a Hash for the map, or, if its "
                      "bytes are its value, specialise conex::is_bytewise_equal<K>");
        return std::hash<K>()(key);
    }
};

}  // namespace conex

#endif
