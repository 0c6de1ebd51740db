// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// conex: lock-free containers for C++17 and later, in one include.
///
///     conex::stack<T>     last in, first out                  <conex/stack.hpp>
///     conex::queue<T>     first in, first out                 <conex/queue.hpp>
///     conex::map<K, V>    a hash map, atomic for each key     <conex/map.hpp>
///     conex::guard        a session over many operations      <conex/guard.hpp>
///     conex::domain       where removed memory waits          <conex/domain.hpp>
///     conex::hazard_pointer   protects one object             <conex/hazard.hpp>
///     conex::rcu_domain   read-copy-update                    <conex/rcu.hpp>
///     conex::atomic_shared_ptr   a place for a counted value  <conex/shared.hpp>
///
/// The layer is header-only and adds types, ownership and exceptions to the C functions of <conex/conex.h>, where the
/// guarantees are written down. All classes are move-only, except `guard`, which stays where it is.
///
/// Types. Trivially copyable elements, and those that declare themselves `conex::is_trivially_relocatable`, live inside
/// the containers' own memory; every other type costs one more allocation an element.
///
/// Exceptions. Want of memory is `std::bad_alloc`, misuse is `std::logic_error`; an exception from a function given to a
/// container comes out of the call. The layer also compiles without exceptions and without RTTI.
///
/// ThreadSanitizer. Compiled with it, the layer tells the tool about the synchronisation inside the library; see
/// `CONEX_TSAN_ANNOTATE`.
///
/// Not for signal handlers.
#ifndef CONEX_HPP
#define CONEX_HPP

#include <conex/conex.h>

#include <conex/domain.hpp>
#include <conex/guard.hpp>
#include <conex/hash.hpp>
#include <conex/hazard.hpp>
#include <conex/map.hpp>
#include <conex/map_types.hpp>
#include <conex/queue.hpp>
#include <conex/rcu.hpp>
#include <conex/relocatable.hpp>
#include <conex/shared.hpp>
#include <conex/slot.hpp>
#include <conex/stack.hpp>
#include <conex/status.hpp>

#endif
