// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// `conex::slot`: the place into which `map::update` lets a function put a value.
#ifndef CONEX_SLOT_HPP
#define CONEX_SLOT_HPP

#include <conex/detail/element.hpp>

#include <cstdint>

namespace conex {

/// What the function given to `map::update` decides. Nothing called: the entry stays as it is.
///
/// Lives for one call of that function; made by the library.
template <class V>
class slot {
public:
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
    ~slot() { withdraw(); }

    /// Constructs the value that the key is to have from now on, replacing an earlier decision.
    ///
    /// \return the value, which may still be changed inside the function.
    ///
    /// Allocates if `V` is kept in a box. Throws `std::bad_alloc` and what the constructor throws.
    template <class... A>
    V& store(A&&... args) {
        withdraw();
        if (!detail::try_construct<V>(owner_, place_, std::forward<A>(args)...)) detail::raise(CONEX_ERR_NO_MEMORY);
        decision_ = CONEX_STORE;
        return detail::object_at<V>(place_);
    }

    /// The key is to be removed; no change if it is absent. Replaces an earlier decision. Throws nothing.
    void remove() noexcept {
        withdraw();
        decision_ = CONEX_REMOVE;
    }

    /// The entry is to stay as it is. Replaces an earlier decision. Throws nothing.
    void keep() noexcept { withdraw(); }

    /// \cond internal
    slot(detail::memory* owner, void* place) noexcept : owner_(owner), place_(place) {}

    /// The decision goes to the C function, and a stored value with it.
    std::int32_t settle() noexcept {
        const std::int32_t decision = decision_;
        decision_ = CONEX_KEEP;
        return decision;
    }
    /// \endcond

private:
    void withdraw() noexcept {
        if (decision_ == CONEX_STORE) detail::end<V>(owner_, place_);
        decision_ = CONEX_KEEP;
    }

    detail::memory* owner_;
    void* place_;
    std::int32_t decision_ = CONEX_KEEP;
};

}  // namespace conex

#endif
