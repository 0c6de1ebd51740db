// libcds: hash maps.
#include <cds/container/michael_kvlist_hp.h>
#include <cds/container/michael_map.h>
#include <cds/container/split_list_map.h>

#include "../families/map.hpp"
#include "libcds.hpp"

namespace peer_libcds_map {

using namespace bench;
using libcds::attached;
namespace cc = cds::container;

// Values change in place, under readers: they are atomics.
struct value_cell {
    value_cell() = default;
    explicit value_cell(std::uint64_t x) : v(x) {}
    value_cell(const value_cell& o) : v(o.v.load(std::memory_order_relaxed)) {}
    std::atomic<std::uint64_t> v{0};
};
struct word_hash {
    std::size_t operator()(std::uint64_t k) const { return k ^ (k >> 32); }
};
struct list_traits : cc::michael_list::traits {
    using less = std::less<std::uint64_t>;
};
using list = cc::MichaelKVList<cds::gc::HP, std::uint64_t, value_cell, list_traits>;
struct map_hash : cc::michael_map::traits {
    using hash = word_hash;
};
using michael_table = cc::MichaelHashMap<cds::gc::HP, list, map_hash>;
struct split_traits : cc::split_list::traits {
    using ordered_list = cc::michael_list_tag;
    using hash = word_hash;
    struct ordered_list_traits : cc::michael_list::traits {
        using less = std::less<std::uint64_t>;
    };
};
using split_table = cc::SplitListMap<cds::gc::HP, std::uint64_t, value_cell, split_traits>;

template <class Key, class V, class Table>
class map {
public:
    static constexpr bool words_only = true;
    static constexpr bool presized = true;
    explicit map(std::size_t room) {
        libcds::start();
        attached me;
        m_ = std::make_unique<Table>(room, 1);
    }
    ~map() {
        attached me;
        m_.reset();
    }
    struct session {
        explicit session(map& m) : m_(*m.m_) {}
        bool get(std::uint64_t k, std::uint64_t& v) {
            return m_.find(k, [&v](typename Table::value_type& e) { v = e.second.v.load(std::memory_order_acquire); });
        }
        bool insert(std::uint64_t k, const std::uint64_t& v) { return m_.insert(k, value_cell(v)); }
        void upsert(std::uint64_t k, const std::uint64_t& v) {
            m_.update(k, [v](bool, typename Table::value_type& e) { e.second.v.store(v, std::memory_order_release); });
        }
        bool erase(std::uint64_t k) { return m_.erase(k); }
        void add(std::uint64_t k, std::uint64_t delta) {
            m_.update(k, [delta](bool, typename Table::value_type& e) { e.second.v.fetch_add(delta, std::memory_order_relaxed); });
        }
        attached me_;
        Table& m_;
    };

private:
    std::unique_ptr<Table> m_;
};
template <class Key, class V>
using michael_map = map<Key, V, michael_table>;
template <class Key, class V>
using split_map = map<Key, V, split_table>;

const registration all([] {
    const char* peer = "libcds-dev";
    map_traits few;  // MichaelHashMap stands for it among ten million keys
    few.max_entries = 1'000'000;
    add_map<michael_map>("libcds MichaelHashMap, HP", peer,
                         {"per key", "presized", "lock-free", "entries returned", "atomic values; made for the final number of entries"});
    add_map<split_map>("libcds SplitListMap, HP", peer,
                       {"per key", "presized", "lock-free", "entries returned", "atomic values; grows up to the number it was made for"},
                       few);
});

}  // namespace peer_libcds_map
