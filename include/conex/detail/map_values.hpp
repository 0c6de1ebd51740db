// SPDX-License-Identifier: MIT OR Apache-2.0
/// \file
/// The operations of `conex::map` on one key. Plain values go in and out through the C functions as they are; all others
/// are copied by the layer, inside `update` or under a guard: a copy that throws does so where nothing has happened yet.
#ifndef CONEX_DETAIL_MAP_VALUES_HPP
#define CONEX_DETAIL_MAP_VALUES_HPP

#include <conex/detail/map_core.hpp>
#include <conex/map_types.hpp>

#include <optional>

namespace conex::detail {

template <class K, class V, class Hash, class Eq>
class map_values : public map_core<K, V, Hash, Eq> {
    using base = map_core<K, V, Hash, Eq>;
    using size = std::size_t;

public:
    using base::base;
    using base::native;
    using base::put;
    using base::run;
    using base::update;
    using typename base::keys;
    using typename base::view;

    const V* find(const guard& session, view key) const {
        const void* image = nullptr;
        const conex_status status = run(key, on_throw::miss, [&](const void* data, size length) {
            return conex_map_get_ref(native(), session.native_handle(), data, length, &image);
        });
        return status == CONEX_OK ? std::addressof(object_at<V>(image)) : nullptr;
    }

    template <class F>
    bool visit(view key, F& look) const {
        if constexpr (is_plain<V> && sizeof(V) <= 64) {  // to copy is cheaper than to protect
            const std::optional<V> value = get(key);
            if (value.has_value()) static_cast<void>(look(*value));
            return value.has_value();
        } else {
            guard session(base::home());
            const V* const value = find(session, key);
            if (value != nullptr) static_cast<void>(look(*value));
            return value != nullptr;
        }
    }

    std::optional<V> get(view key) const {
        if constexpr (is_plain<V>) {
            return plain(key, CONEX_OK, [&](const void* data, size length, void* out) {
                return conex_map_get(native(), data, length, out);
            });
        } else {
            return get_copy(key);
        }
    }

    template <class U>
    bool insert(view key, U&& value) {
        return put(&conex_map_insert, key, on_throw::find, std::forward<U>(value)) == CONEX_OK;
    }

    template <class U>
    bool replace(view key, U&& value) {
        return put(&conex_map_replace, key, on_throw::miss, std::forward<U>(value)) == CONEX_OK;
    }

    template <class U>
    bool assign(view key, U&& value) {
        if constexpr (keys::may_throw) {
            // Neither answer of a doubtful equality is safe for an upsert. Both halves have a safe one.
            for (;;) {
                if (insert(key, std::forward<U>(value))) return true;
                if (replace(key, std::forward<U>(value))) return false;
            }
        } else {
            return put(&conex_map_upsert, key, on_throw::miss, std::forward<U>(value)) == CONEX_OK;
        }
    }

    std::optional<V> exchange(view key, const V& value) {
        if constexpr (is_plain<V> && !keys::may_throw) {
            return plain(key, CONEX_EXISTS, [&](const void* data, size length, void* out) {
                return conex_map_upsert(native(), data, length, std::addressof(value), out);
            });
        } else {
            return exchange_copy(key, value);
        }
    }

    std::optional<V> take(view key) {
        if constexpr (is_plain<V>) {
            return plain(key, CONEX_OK, [&](const void* data, size length, void* out) {
                return conex_map_remove(native(), data, length, out);
            });
        } else {
            return take_copy(key);
        }
    }

    bool compare_exchange(view key, V& expected, const V& desired) {
        if constexpr (is_plain<V> && is_bytewise_equal<V>::value) {
            element<V> current(nullptr);
            const conex_status status = run(key, on_throw::miss, [&](const void* data, size length) {
                return conex_map_compare_exchange(native(), data, length, std::addressof(expected),
                                                  std::addressof(desired), current.address());
            });
            if (status == CONEX_MISMATCH) expected = *current;
            return status == CONEX_OK;
        } else {
            std::optional<V> current;
            auto decide = [&](const V* old, slot<V>& next) {
                current.reset();
                if (old == nullptr) return;
                if (*old == expected) {
                    next.store(desired);
                } else {
                    current.emplace(*old);
                }
            };
            const conex_change done = update(key, decide);
            if (current.has_value()) expected = std::move(*current);
            return done == CONEX_REPLACED;
        }
    }

    template <class F>
    V get_or_insert(view key, F& make) {
        if constexpr (is_plain<V>) {
            element<V> out(nullptr);
            base::make_absent(key, make, out.address());
            return *out;
        } else {
            std::optional<V> made;
            std::optional<V> present;
            auto decide = [&](const V* old, slot<V>& next) {
                present.reset();
                if (old != nullptr) {
                    present.emplace(*old);
                    return;
                }
                if (!made.has_value()) made.emplace(make());
                next.store(std::as_const(*made));
            };
            update(key, decide);
            return present.has_value() ? std::move(*present) : std::move(*made);
        }
    }

    V fetch_add(view key, V delta) {
        std::uint64_t previous = 0;
        if constexpr (keys::may_throw) {
            auto decide = [&](const V* old, slot<V>& next) {
                previous = old != nullptr ? static_cast<std::uint64_t>(*old) : 0;
                next.store(static_cast<V>(previous + static_cast<std::uint64_t>(delta)));
            };
            update(key, decide);
        } else {
            run(key, on_throw::miss, [&](const void* data, size length) {
                return conex_map_fetch_add(native(), data, length, static_cast<std::uint64_t>(delta), &previous);
            });
        }
        return static_cast<V>(previous);
    }

private:
    /// A C function that writes a plain value exactly when it answers `yields`.
    template <class Call>
    std::optional<V> plain(view key, conex_status yields, Call&& call) const {
        element<V> out(nullptr);
        const conex_status status =
            run(key, on_throw::miss, [&](const void* data, size length) { return call(data, length, out.address()); });
        if (status != yields) return std::nullopt;
        return std::optional<V>(*out);
    }

    // Functions of their own, so that the result is built in the caller's place and not moved there.
    std::optional<V> get_copy(view key) const {
        std::optional<V> copy;
        auto look = [&copy](const V& value) { copy.emplace(value); };
        visit(key, look);
        return copy;
    }

    std::optional<V> exchange_copy(view key, const V& value) {
        std::optional<V> copy;
        auto decide = [&](const V* old, slot<V>& next) {
            copy.reset();
            if (old != nullptr) copy.emplace(*old);
            next.store(value);
        };
        update(key, decide);
        return copy;
    }

    std::optional<V> take_copy(view key) {
        std::optional<V> copy;
        auto decide = [&copy](const V* old, slot<V>& next) {
            copy.reset();
            if (old == nullptr) return;
            copy.emplace(*old);
            next.remove();
        };
        update(key, decide);
        return copy;
    }
};

}  // namespace conex::detail

#endif
