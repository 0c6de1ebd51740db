// libcuckoo: two buckets and two spinlocks an operation.
#include <libcuckoo/cuckoohash_map.hh>

#include <string>

#include "../families/map.hpp"

namespace peer_libcuckoo {

using namespace bench;

struct text_hash {
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
struct text_equal {
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

template <class Key, class V>
struct kinds {
    using table = libcuckoo::cuckoohash_map<std::uint64_t, V>;
    static std::uint64_t own(std::uint64_t k) { return k; }
};
template <class V>
struct kinds<text_key, V> {
    using table = libcuckoo::cuckoohash_map<std::string, V, text_hash, text_equal>;
    static std::string own(std::string_view k) { return std::string(k); }
};

template <class Key, class V>
class cuckoo_map {
    using K = typename Key::type;
    using table = typename kinds<Key, V>::table;

public:
    explicit cuckoo_map(std::size_t) {}
    struct session {
        explicit session(cuckoo_map& m) : m_(m.m_) {}
        bool get(K k, V& v) { return m_.find(k, v); }
        bool insert(K k, const V& v) { return m_.insert(kinds<Key, V>::own(k), v); }
        // The table makes a string of its own from the key if it turns out to be new.
        void upsert(K k, const V& v) { m_.insert_or_assign(k, v); }
        bool erase(K k) { return m_.erase(k); }
        void add(K k, std::uint64_t delta) {
            if constexpr (std::is_same_v<V, std::uint64_t>)
                m_.upsert(k, [delta](std::uint64_t& v) { v += delta; }, delta);
        }
        template <class F>
        void for_each(F&& f) {
            auto all = m_.lock_table();
            for (const auto& e : all) f(e.second);
        }
        table& m_;
    };

private:
    table m_;
};

const registration all([] {
    add_map<cuckoo_map>("libcuckoo", "libcuckoo-dev",
                        {"per key", "grows", "blocking", "kept", "spinlocks; iteration locks the whole table"});
});

}  // namespace peer_libcuckoo
