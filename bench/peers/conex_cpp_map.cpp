// conex, map: the C++ layer.
#include <conex/map.hpp>

#include <string>

#include "../families/map.hpp"
#include "conex.hpp"
#include "conex_guard.hpp"

namespace peer_conex_cpp_map {

using namespace bench;

template <class Key, class V, class Pinning>
class map {
    using K = typename Key::type;
    using table = conex::map<std::conditional_t<std::is_same_v<Key, text_key>, std::string, std::uint64_t>, V>;

public:
    explicit map(std::size_t) {}
    struct session {
        explicit session(map& m) : m_(m.m_) {}
        bool get(K k, V& v) {
            const std::optional<V> found = m_.get(k);
            if (!found) return false;
            v = *found;
            return true;
        }
        bool insert(K k, const V& v) { return m_.insert(k, v); }
        void upsert(K k, const V& v) { m_.insert_or_assign(k, v); }
        bool erase(K k) { return m_.erase(k); }
        void add(K k, std::uint64_t delta) {
            if constexpr (std::is_same_v<V, std::uint64_t>) m_.fetch_add(k, delta);
        }
        std::size_t get_n(const K* keys, V* values, std::size_t n) {
            std::optional<V> found[64];
            const std::size_t hits = m_.get_n(keys, keys + n, found);
            for (std::size_t i = 0; i < n; ++i)
                if (found[i]) values[i] = *found[i];
            return hits;
        }
        template <class F>
        void for_each(F&& f) {
            m_.for_each([&](const auto&, const V& value) { f(value); });
        }
        void tick() { pin_.renew(); }
        table& m_;
        Pinning pin_;
    };

private:
    table m_;
};

template <class Key, class V>
using plain = map<Key, V, each_operation>;
template <class Key, class V>
using guarded = map<Key, V, cpp_guard>;

const registration all([] {
    if (is_form("shared")) return;  // the C interface stands for it there
    map_traits few;  // among ten million keys the C interface of the static form stands for the others
    few.max_entries = 1'000'000;
    few.mixes = is_form("xlto");  // and in the mixes the fastest form of the C++ layer for the others
    add_map<plain>("conex, C++, " BENCH_FORM, "conex", {"per key", "grows", "lock-free", "returned", "conex::map"}, few);
    few.mixes = false;
    if (is_form("xlto"))
        add_map<guarded>("conex, C++, " BENCH_FORM ", guard", "conex",
                         {"per key", "grows", "lock-free", "returned", "conex::map; one conex::guard for 64 operations"}, few);
});

}  // namespace peer_conex_cpp_map
