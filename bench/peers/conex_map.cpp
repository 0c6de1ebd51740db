// conex, map: C interface, one call an operation and under a guard.
#include "../families/map.hpp"
#include "conex.hpp"

namespace peer_conex_map {

using namespace bench;

struct key_ref {
    explicit key_ref(const std::uint64_t& k) : data(&k), len(8) {}
    explicit key_ref(const std::string_view& k) : data(k.data()), len(k.size()) {}
    const void* data;
    std::size_t len;
};

template <class Key, class V, class Pinning>
class map {
    using K = typename Key::type;

public:
    explicit map(std::size_t) {
        conex_map_options o = CONEX_MAP_OPTIONS_INIT;
        if (std::is_same_v<Key, text_key>) o.key = CONEX_KEY_BYTES;
        o.value.size = sizeof(V);
        o.value.align = alignof(V);
        check(conex_map_new(&o, &m_));
    }
    map(const map&) = delete;
    ~map() { conex_map_destroy(m_); }
    struct session {
        explicit session(map& m) : m_(m.m_) {}
        bool get(K k, V& v) { return conex_map_get(m_, key_ref(k).data, key_ref(k).len, &v) == CONEX_OK; }
        bool insert(K k, const V& v) { return conex_map_insert(m_, key_ref(k).data, key_ref(k).len, &v, nullptr) == CONEX_OK; }
        void upsert(K k, const V& v) { conex_map_upsert(m_, key_ref(k).data, key_ref(k).len, &v, nullptr); }
        bool erase(K k) { return conex_map_remove(m_, key_ref(k).data, key_ref(k).len, nullptr) == CONEX_OK; }
        void add(K k, std::uint64_t delta) { conex_map_fetch_add(m_, key_ref(k).data, key_ref(k).len, delta, nullptr); }
        std::size_t get_n(const K* keys, V* values, std::size_t n) {
            conex_status status[64];
            std::size_t found = 0;
            conex_map_get_n(m_, keys, n, values, status, &found);
            return found;
        }
        template <class F>
        void for_each(F&& f) {
            using function = std::remove_reference_t<F>;
            conex_map_for_each(
                m_,
                [](const void*, std::size_t, const void* value, void* ctx) -> std::int32_t {
                    (*static_cast<function*>(ctx))(*static_cast<const V*>(value));
                    return 0;
                },
                &f);
        }
        void tick() { pin_.renew(); }
        conex_map* m_;
        Pinning pin_;
    };

private:
    conex_map* m_ = nullptr;
};

template <class Key, class V>
using plain_map = map<Key, V, each_operation>;
template <class Key, class V>
using guarded_map = map<Key, V, one_guard>;

const registration all([] {
    map_traits traits;
    if (!is_form("static")) traits.max_entries = 1'000'000;  // one form stands for the others among ten million keys
    add_map<plain_map>("conex, C, " BENCH_FORM, "conex", {"per key", "grows", "lock-free", "returned", "one call an operation"}, traits);
    if (is_form("static"))
        add_map<guarded_map>("conex, C, " BENCH_FORM ", guard", "conex",
                             {"per key", "grows", "lock-free", "returned", "one guard for 64 operations"}, traits);
});

}  // namespace peer_conex_map
