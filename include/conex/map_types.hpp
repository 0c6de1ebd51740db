// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// The small types that `conex::map` takes and gives: its options, figures, outcomes and cursors.
#ifndef CONEX_MAP_TYPES_HPP
#define CONEX_MAP_TYPES_HPP

#include <conex/domain.hpp>

namespace conex {

/// How a `map` is made. What is left as it is gets the default.
struct map_options {
    /// Where removed entries wait before they are freed; must outlive the map. Null: the default domain.
    conex::domain* domain = nullptr;
    /// Where the map, its keys and its values get their memory. Both functions or neither; neither: the process'
    /// allocator.
    conex_allocator allocator = {nullptr, nullptr, nullptr};
    /// Entries to make room for at once; 0: few. The map grows and shrinks by itself.
    std::size_t capacity = 0;
    /// The seed of the hash; 0: a random one for each map.
    std::uint64_t seed = 0;
};

/// A snapshot of a map; see `map::stats`.
struct map_stats {
    std::size_t entries;    ///< how many entries, about
    std::size_t buckets;    ///< how many buckets its table has
    std::size_t bytes;      ///< memory of the map, about
    std::uint64_t growths;  ///< how often the table has grown
    std::uint64_t shrinks;  ///< how often it has shrunk
    bool resizing;          ///< whether it is growing or shrinking now
};

/// What `map::update` did.
enum class change {
    unchanged = CONEX_UNCHANGED,  ///< kept, or a removal of a key that was absent
    inserted = CONEX_INSERTED,    ///< the key is new
    replaced = CONEX_REPLACED,    ///< the key has a new value
    removed = CONEX_REMOVED,      ///< the key is gone
};

/// How far a `map::scan` has come. A new cursor starts at the beginning. Copy it to remember a position.
struct cursor {
    std::uint64_t position = 0;  ///< meaningful to the library only
};

}  // namespace conex

#endif
