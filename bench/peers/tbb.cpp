// oneTBB: the two queues and the two hash maps.
#include <tbb/concurrent_hash_map.h>
#include <tbb/concurrent_queue.h>
#include <tbb/concurrent_unordered_map.h>

#include <atomic>
#include <string>

#include "../families/map.hpp"
#include "../families/pool.hpp"

namespace peer_tbb {

using namespace bench;

template <class E>
class queue {
public:
    explicit queue(std::size_t) {}
    struct session {
        explicit session(queue& q) : q_(q.q_) {}
        bool push(const E& e) {
            q_.push(e);
            return true;
        }
        bool pop(E& e) { return q_.try_pop(e); }
        tbb::concurrent_queue<E>& q_;
    };

private:
    tbb::concurrent_queue<E> q_;
};

template <class E>
class bounded {
public:
    explicit bounded(std::size_t room) { q_.set_capacity(static_cast<std::ptrdiff_t>(room)); }
    struct session {
        explicit session(bounded& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.try_push(e); }
        bool pop(E& e) { return q_.try_pop(e); }
        tbb::concurrent_bounded_queue<E>& q_;
    };

private:
    tbb::concurrent_bounded_queue<E> q_;
};

// Lookup by string_view without a copy, as the documentation of heterogeneous lookup shows.
struct text_hash_compare {
    using is_transparent = void;
    static std::size_t hash(std::string_view s) { return std::hash<std::string_view>{}(s); }
    static bool equal(std::string_view a, std::string_view b) { return a == b; }
};

template <class Key>
struct kinds {
    using stored = std::uint64_t;
    using compare = tbb::tbb_hash_compare<std::uint64_t>;
    static std::uint64_t own(std::uint64_t k) { return k; }
};
template <>
struct kinds<text_key> {
    using stored = std::string;
    using compare = text_hash_compare;
    static std::string own(std::string_view k) { return std::string(k); }
};

template <class Key, class V>
class hash_map {
    using table = tbb::concurrent_hash_map<typename kinds<Key>::stored, V, typename kinds<Key>::compare>;
    using K = typename Key::type;

public:
    explicit hash_map(std::size_t) {}
    struct session {
        explicit session(hash_map& m) : m_(m.m_) {}
        bool get(K k, V& v) {
            typename table::const_accessor a;
            if (!m_.find(a, k)) return false;
            v = a->second;
            return true;
        }
        bool insert(K k, const V& v) { return m_.emplace(kinds<Key>::own(k), v); }
        void upsert(K k, const V& v) {
            typename table::accessor a;
            if (m_.find(a, k)) {
                a->second = v;
                return;
            }
            m_.insert(a, kinds<Key>::own(k));
            a->second = v;
        }
        bool erase(K k) { return m_.erase(k); }
        void add(K k, std::uint64_t delta) {
            if constexpr (std::is_same_v<V, std::uint64_t>) {
                typename table::accessor a;
                m_.insert(a, k);  // makes a string from the key only if it is new
                a->second += delta;
            }
        }
        template <class F>
        void for_each(F&& f) {
            for (const auto& e : m_) f(e.second);
        }
        table& m_;
    };

private:
    table m_;
};

// Values are atomics: the container lets readers and writers of one value meet.
template <class Key, class V>
class unordered_map {
    using table = tbb::concurrent_unordered_map<std::uint64_t, std::atomic<std::uint64_t>>;

public:
    static constexpr bool erases = false;
    static constexpr bool words_only = true;
    explicit unordered_map(std::size_t) {}
    struct session {
        explicit session(unordered_map& m) : m_(m.m_) {}
        bool get(std::uint64_t k, std::uint64_t& v) {
            const auto i = m_.find(k);
            if (i == m_.end()) return false;
            v = i->second.load(std::memory_order_acquire);
            return true;
        }
        bool insert(std::uint64_t k, const std::uint64_t& v) { return m_.emplace(k, v).second; }
        void upsert(std::uint64_t k, const std::uint64_t& v) {
            const auto i = m_.find(k);
            if (i != m_.end()) {
                i->second.store(v, std::memory_order_release);
                return;
            }
            const auto made = m_.emplace(k, v);
            if (!made.second) made.first->second.store(v, std::memory_order_release);
        }
        bool erase(std::uint64_t) { return false; }
        void add(std::uint64_t k, std::uint64_t delta) {
            auto i = m_.find(k);
            if (i == m_.end()) i = m_.emplace(k, 0).first;
            i->second.fetch_add(delta, std::memory_order_relaxed);
        }
        template <class F>
        void for_each(F&& f) {
            for (const auto& e : m_) f(e.second.load(std::memory_order_relaxed));
        }
        table& m_;
    };

private:
    table m_;
};

const registration all([] {
    add_queue<queue>("oneTBB concurrent_queue", "libtbb-dev",
                     {"per producer", "unbounded", "blocking", "returned", "push waits for its turn in a micro-queue; tbbmalloc, as Debian installs it"});
    add_queue<bounded>("oneTBB concurrent_bounded_queue", "libtbb-dev",
                       {"per producer", "bounded", "blocking", "kept", "try_push, try_pop"});
    add_map<hash_map>("oneTBB concurrent_hash_map", "libtbb-dev",
                      {"per key", "grows", "blocking", "kept", "lock for each element; iteration is not safe beside writers; tbbmalloc, as Debian installs it"});
    add_map<unordered_map>("oneTBB concurrent_unordered_map", "libtbb-dev",
                           {"per key", "grows", "lock-free", "no concurrent erase", "atomic values; no concurrent erase"});
});

}  // namespace peer_tbb
