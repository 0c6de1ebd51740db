// xenium: queues and hash maps over several reclamation schemes.
#include <cassert>  // the headers use it without including it
#include <xenium/harris_michael_hash_map.hpp>
#include <xenium/michael_scott_queue.hpp>
#include <xenium/ramalhete_queue.hpp>
#include <xenium/reclamation/generic_epoch_based.hpp>
#include <xenium/reclamation/hazard_pointer.hpp>
#include <xenium/reclamation/stamp_it.hpp>
#include <xenium/vyukov_bounded_queue.hpp>
#include <xenium/vyukov_hash_map.hpp>

#include "../families/map.hpp"
#include "../families/pool.hpp"

namespace peer_xenium {

using namespace bench;

using ebr = xenium::reclamation::epoch_based<>;
using nebr = xenium::reclamation::new_epoch_based<>;
using debra = xenium::reclamation::debra<>;
using hazard = xenium::reclamation::hazard_pointer<>::with<
    xenium::policy::allocation_strategy<xenium::reclamation::hp_allocation::static_strategy<3>>>;
using stamp = xenium::reclamation::stamp_it;

// A session of many operations in one critical region: what the documentation of region_guard recommends.
template <class Reclaimer>
class region {
public:
    region() : guard_(std::make_unique<typename Reclaimer::region_guard>()) {}
    void renew() {
        guard_.reset();
        guard_ = std::make_unique<typename Reclaimer::region_guard>();
    }

private:
    std::unique_ptr<typename Reclaimer::region_guard> guard_;
};

// The queue holds pointers (null means empty): the elements are numbers dressed up as pointers, which it never follows.
struct item;
template <class E, class Reclaimer>
class ramalhete {
    using queue = xenium::ramalhete_queue<item*, xenium::policy::reclaimer<Reclaimer>, xenium::policy::entries_per_node<512>>;

public:
    static constexpr bool words_only = true;
    explicit ramalhete(std::size_t) {}
    struct session {
        explicit session(ramalhete& q) : q_(q.q_) {}
        bool push(const E& e) {
            q_.push(reinterpret_cast<item*>((e.word[0] + 1) << 1));
            return true;
        }
        bool pop(E& e) {
            item* p;
            if (!q_.try_pop(p)) return false;
            e.word[0] = (reinterpret_cast<std::uint64_t>(p) >> 1) - 1;
            return true;
        }
        void tick() { region_.renew(); }
        queue& q_;
        region<Reclaimer> region_;
    };

private:
    queue q_;
};

template <class E>
class michael_scott {
    using queue = xenium::michael_scott_queue<E, xenium::policy::reclaimer<nebr>>;

public:
    explicit michael_scott(std::size_t) {}
    struct session {
        explicit session(michael_scott& q) : q_(q.q_) {}
        bool push(const E& e) {
            q_.push(e);
            return true;
        }
        bool pop(E& e) { return q_.try_pop(e); }
        void tick() { region_.renew(); }
        queue& q_;
        region<nebr> region_;
    };

private:
    queue q_;
};

template <class E>
class bounded {
public:
    explicit bounded(std::size_t room) : q_(std::size_t{1} << (64 - __builtin_clzll(room - 1))) {}
    struct session {
        explicit session(bounded& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.try_push(e); }
        bool pop(E& e) { return q_.try_pop(e); }
        xenium::vyukov_bounded_queue<E>& q_;
    };

private:
    xenium::vyukov_bounded_queue<E> q_;
};

template <class E>
using ramalhete_nebr = ramalhete<E, nebr>;
template <class E>
using ramalhete_ebr = ramalhete<E, ebr>;
template <class E>
using ramalhete_debra = ramalhete<E, debra>;
template <class E>
using ramalhete_hp = ramalhete<E, hazard>;
template <class E>
using ramalhete_stamp = ramalhete<E, stamp>;

template <class Key, class V, class Reclaimer>
class vyukov_map {
    using table = xenium::vyukov_hash_map<std::uint64_t, std::uint64_t, xenium::policy::reclaimer<Reclaimer>>;

public:
    static constexpr bool words_only = true;
    static constexpr bool updates = false;
    explicit vyukov_map(std::size_t) {}
    struct session {
        explicit session(vyukov_map& m) : m_(m.m_) {}
        bool get(std::uint64_t k, std::uint64_t& v) {
            typename table::accessor a;
            if (!m_.try_get_value(k, a)) return false;
            v = *a;
            return true;
        }
        bool insert(std::uint64_t k, const std::uint64_t& v) { return m_.emplace(k, v); }
        void upsert(std::uint64_t, const std::uint64_t&) {}
        bool erase(std::uint64_t k) { return m_.erase(k); }
        template <class F>
        void for_each(F&& f) {
            for (auto i = m_.begin(); i != m_.end(); ++i) f((*i).second);
        }
        void tick() { region_.renew(); }
        table& m_;
        region<Reclaimer> region_;
    };

private:
    table m_;
};
template <class Key, class V>
using vyukov_nebr = vyukov_map<Key, V, nebr>;
template <class Key, class V>
using vyukov_hp = vyukov_map<Key, V, hazard>;

// The number of buckets is fixed when it is compiled; values are atomics, so that a value can change in place.
struct value_cell {
    explicit value_cell(std::uint64_t v) : v(v) {}
    std::atomic<std::uint64_t> v;
};
template <class Key, class V>
class harris_michael {
    using table = xenium::harris_michael_hash_map<std::uint64_t, value_cell, xenium::policy::reclaimer<nebr>,
                                                  xenium::policy::buckets<1 << 20>>;

public:
    static constexpr bool words_only = true;
    static constexpr bool presized = true;
    explicit harris_michael(std::size_t) : m_(std::make_unique<table>()) {}
    struct session {
        explicit session(harris_michael& m) : m_(*m.m_) {}
        bool get(std::uint64_t k, std::uint64_t& v) {
            const auto i = m_.find(k);
            if (i == m_.end()) return false;
            v = i->second.v.load(std::memory_order_acquire);
            return true;
        }
        bool insert(std::uint64_t k, const std::uint64_t& v) { return m_.emplace(k, v); }
        void upsert(std::uint64_t k, const std::uint64_t& v) {
            const auto r = m_.get_or_emplace(k, v);
            if (!r.second) r.first->second.v.store(v, std::memory_order_release);
        }
        bool erase(std::uint64_t k) { return m_.erase(k); }
        void add(std::uint64_t k, std::uint64_t delta) {
            const auto r = m_.get_or_emplace(k, delta);
            if (!r.second) r.first->second.v.fetch_add(delta, std::memory_order_relaxed);
        }
        template <class F>
        void for_each(F&& f) {
            for (auto i = m_.begin(); i != m_.end(); ++i) f(i->second.v.load(std::memory_order_relaxed));
        }
        void tick() { region_.renew(); }
        table& m_;
        region<nebr> region_;
    };

private:
    std::unique_ptr<table> m_;
};

const registration all([] {
    const char* how = "pointers only; pop waits for a slow push up to 1000 rounds, then gives its slot up; a region_guard for 64 operations";
    add_queue<ramalhete_nebr>("xenium ramalhete, NEBR", "libxenium-dev", {"FIFO", "unbounded", "lock-free", "returned", how});
    add_queue<ramalhete_ebr>("xenium ramalhete, EBR", "libxenium-dev", {"FIFO", "unbounded", "lock-free", "returned", how});
    add_queue<ramalhete_debra>("xenium ramalhete, DEBRA", "libxenium-dev", {"FIFO", "unbounded", "lock-free", "returned", how});
    add_queue<ramalhete_hp>("xenium ramalhete, HP", "libxenium-dev", {"FIFO", "unbounded", "lock-free", "returned", how});
    add_queue<ramalhete_stamp>("xenium ramalhete, stamp-it", "libxenium-dev", {"FIFO", "unbounded", "lock-free", "returned", how});
    add_queue<michael_scott>("xenium michael_scott, NEBR", "libxenium-dev",
                             {"FIFO", "unbounded", "lock-free", "returned", "a region_guard for 64 operations"});
    add_queue<bounded>("xenium vyukov_bounded", "libxenium-dev", {"FIFO", "bounded", "blocking", "kept", "try_push, try_pop (strong)"});
    map_traits few;
    few.max_entries = 1'000'000;
    add_map<vyukov_nebr>("xenium vyukov_hash_map, NEBR", "libxenium-dev",
                         {"per key", "grows", "blocking", "kept",
                          "reads without locks; no update of a value; words; a region_guard for 64 operations"});
    add_map<vyukov_hp>("xenium vyukov_hash_map, HP", "libxenium-dev",
                       {"per key", "grows", "blocking", "kept", "reads without locks; no update of a value; words"},
                       few);
    add_map<harris_michael>("xenium harris_michael, NEBR", "libxenium-dev",
                            {"per key", "2^20 buckets, fixed", "lock-free", "entries returned", "atomic values; a region_guard for 64 operations"},
                            few);
});

}  // namespace peer_xenium
