// What the cases of the map share: what an adapter can do, tables, lookups in batches.
#pragma once

#include "entries.hpp"

namespace bench {

template <class S, class = void>
struct has_for_each : std::false_type {};
struct ignore_value {
    template <class V>
    void operator()(const V&) const {}
};
template <class S>
struct has_for_each<S, std::void_t<decltype(std::declval<S&>().for_each(ignore_value{}))>> : std::true_type {};

template <class S, class K, class = void>
struct has_add : std::false_type {};
template <class S, class K>
struct has_add<S, K, std::void_t<decltype(std::declval<S&>().add(std::declval<K>(), std::uint64_t{}))>> : std::true_type {};

template <class S, class K, class V, class = void>
struct has_get_n : std::false_type {};
template <class S, class K, class V>
struct has_get_n<S, K, V,
                 std::void_t<decltype(std::declval<S&>().get_n(std::declval<const K*>(), std::declval<V*>(), std::size_t{}))>>
    : std::true_type {};

template <class M, class = void>
struct is_presized : std::false_type {};
template <class M>
struct is_presized<M, std::void_t<decltype(M::presized)>> : std::bool_constant<M::presized> {};
template <class M, class = void>
struct can_erase : std::true_type {};
template <class M>
struct can_erase<M, std::void_t<decltype(M::erases)>> : std::bool_constant<M::erases> {};

template <class M, class = void>
struct can_update : std::true_type {};
template <class M>
struct can_update<M, std::void_t<decltype(M::updates)>> : std::bool_constant<M::updates> {};

// The base of the classes of cases.
template <template <class, class> class Map, class Key, class V>
class map_case {
protected:
    using M = Map<Key, V>;
    using S = typename M::session;
    using K = typename Key::type;
    using mark = marked<V>;

    // A table for a run, which its process does not outlive: taking ten million entries down would only cost time.
    static M& table(std::size_t final_size) { return *new M(is_presized<M>::value ? final_size : 0); }

    static unsigned long long u(std::uint64_t v) { return v; }
    static std::uint64_t first_word(std::uint64_t v) { return v; }
    static std::uint64_t first_word(const wide_value& v) { return v.word[0]; }
    static double bytes_per(std::size_t now, std::size_t base, double per) {
        return now > base ? static_cast<double>(now - base) * per : 0.0;
    }
    static double total(const thread_count* c, int n) {
        std::uint64_t sum = 0;
        for (int i = 0; i < n; ++i) sum += c[i].measured();
        return static_cast<double>(sum);
    }

    static std::size_t get_n(S& me, const K* keys, V* values, std::size_t n) {
        if constexpr (has_get_n<S, K, V>::value) {
            return me.get_n(keys, values, n);
        } else {
            std::size_t found = 0;
            for (std::size_t i = 0; i < n; ++i) found += me.get(keys[i], values[i]);
            return found;
        }
    }
};

}  // namespace bench
