// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::is_trivially_relocatable`: which types may live inside a container's own memory.
#ifndef CONEX_RELOCATABLE_HPP
#define CONEX_RELOCATABLE_HPP

#include <conex/detail/config.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace conex {

/// True when moving a `T` and destroying the source is the same as copying its bytes and forgetting the source.
///
/// A container stores such types inline, without an allocation of their own; every other type it keeps in a box, one
/// allocation each. The trait is true for trivially copyable types, for the smart pointers of the standard library, and
/// for `std::pair`, `std::array` and `std::optional` of such types. Specialise it for a type of your own that owns
/// something but holds no pointer into itself:
/// \code
/// template <> struct conex::is_trivially_relocatable<my_handle> : std::true_type {};
/// \endcode
/// It is not true for `std::string`, which in libstdc++ points into itself, nor for containers, whose debug versions do.
template <class T>
struct is_trivially_relocatable : std::is_trivially_copyable<T> {};

/// A `std::unique_ptr` is a pointer and its deleter.
template <class T, class D>
struct is_trivially_relocatable<std::unique_ptr<T, D>>
    : std::bool_constant<is_trivially_relocatable<typename std::unique_ptr<T, D>::pointer>::value &&
                         (std::is_empty_v<D> || is_trivially_relocatable<D>::value)> {};

/// A `std::shared_ptr` is two pointers; the count lives elsewhere.
template <class T>
struct is_trivially_relocatable<std::shared_ptr<T>> : std::true_type {};

/// As `std::shared_ptr`.
template <class T>
struct is_trivially_relocatable<std::weak_ptr<T>> : std::true_type {};

/// A pair is its two members.
template <class A, class B>
struct is_trivially_relocatable<std::pair<A, B>>
    : std::conjunction<is_trivially_relocatable<A>, is_trivially_relocatable<B>> {};

/// An array is its elements.
template <class T, std::size_t N>
struct is_trivially_relocatable<std::array<T, N>> : is_trivially_relocatable<T> {};

/// An optional is its value and a flag.
template <class T>
struct is_trivially_relocatable<std::optional<T>> : is_trivially_relocatable<T> {};

}  // namespace conex

#endif
