// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// What the C++ layer asks of the compiler, and what it found: every other header includes this one first.
#ifndef CONEX_DETAIL_CONFIG_HPP
#define CONEX_DETAIL_CONFIG_HPP

#if !defined(__cplusplus)
#error "conex: the .hpp headers are C++; a C program includes <conex/conex.h>"
#elif defined(_MSVC_LANG)
#if _MSVC_LANG < 201703L
#error "conex: the C++ layer needs C++17 or later (/std:c++17); <conex/conex.h> works with every C++"
#endif
#elif __cplusplus < 201703L
#error "conex: the C++ layer needs C++17 or later (-std=c++17); <conex/conex.h> works with every C++"
#endif

/// 1 when the translation unit is compiled with exceptions. Without them, what would throw prints a message and aborts.
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define CONEX_DETAIL_EXCEPTIONS 1
#else
#define CONEX_DETAIL_EXCEPTIONS 0
#endif

/// 1 when ThreadSanitizer watches this translation unit. gcc says it with a macro, clang with a feature.
#if defined(__SANITIZE_THREAD__)
#define CONEX_DETAIL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CONEX_DETAIL_TSAN 1
#endif
#endif
#if !defined(CONEX_DETAIL_TSAN)
#define CONEX_DETAIL_TSAN 0
#endif

/// Set it to 0 when the library itself is built with ThreadSanitizer: the tool then sees the real synchronisation, and
/// annotations would only hide races from it.
#if !defined(CONEX_TSAN_ANNOTATE)
#define CONEX_TSAN_ANNOTATE 1
#endif

/// The text of a `static_assert` that several members of `map` share.
#define CONEX_DETAIL_NEEDS_COPY \
    "conex: this returns a copy of a value, and the map's value type is not copyable; use visit, find or update"

#endif
