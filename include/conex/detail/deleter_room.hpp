// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// Where an object keeps the deleter that will end it.
#ifndef CONEX_DETAIL_DELETER_ROOM_HPP
#define CONEX_DETAIL_DELETER_ROOM_HPP

#include <conex/detail/config.hpp>

#include <type_traits>

namespace conex::detail {

/// A deleter that takes no room if it has no state.
template <class D, bool = std::is_empty_v<D> && !std::is_final_v<D>>
class deleter_room : private D {
protected:
    D& kept() noexcept { return *this; }
};

template <class D>
class deleter_room<D, false> {
protected:
    D& kept() noexcept { return kept_; }

private:
    D kept_{};
};

}  // namespace conex::detail

#endif
