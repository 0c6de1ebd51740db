// std::unordered_map behind a lock: a mutex, a shared mutex, a spinlock, and 64 stripes with a mutex each.
#include <array>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "../families/map.hpp"
#include "spinlock.hpp"

namespace peer_std_map {

using namespace bench;

template <class Key>
struct stored {
    using type = std::uint64_t;
    static std::uint64_t of(std::uint64_t k) { return k; }
};
// Strings are looked up through a buffer of the thread, so that a lookup does not allocate.
template <>
struct stored<text_key> {
    using type = std::string;
    static const std::string& of(std::string_view k) {
        thread_local std::string buffer;
        return buffer.assign(k);
    }
};

template <class Key, class V, class Lock, class ReadLock, std::size_t Stripes>
class locked_map {
    using K = typename Key::type;
    using table = std::unordered_map<typename stored<Key>::type, V>;
    struct alignas(2 * cache_line) stripe {
        mutable Lock lock;
        table entries;
    };

public:
    explicit locked_map(std::size_t) : stripes_(new std::array<stripe, Stripes>) {}
    struct session {
        explicit session(locked_map& m) : stripes_(*m.stripes_) {}
        bool get(K k, V& v) {
            const auto& key = stored<Key>::of(k);
            stripe& s = of(key);
            ReadLock hold(s.lock);
            const auto i = s.entries.find(key);
            if (i == s.entries.end()) return false;
            v = i->second;
            return true;
        }
        bool insert(K k, const V& v) {
            const auto& key = stored<Key>::of(k);
            stripe& s = of(key);
            std::lock_guard<Lock> hold(s.lock);
            return s.entries.try_emplace(key, v).second;
        }
        void upsert(K k, const V& v) {
            const auto& key = stored<Key>::of(k);
            stripe& s = of(key);
            std::lock_guard<Lock> hold(s.lock);
            s.entries.insert_or_assign(key, v);
        }
        bool erase(K k) {
            const auto& key = stored<Key>::of(k);
            stripe& s = of(key);
            std::lock_guard<Lock> hold(s.lock);
            return s.entries.erase(key) != 0;
        }
        void add(K k, std::uint64_t delta) {
            if constexpr (std::is_same_v<V, std::uint64_t>) {
                const auto& key = stored<Key>::of(k);
                stripe& s = of(key);
                std::lock_guard<Lock> hold(s.lock);
                s.entries[key] += delta;
            }
        }
        template <class F>
        void for_each(F&& f) {
            for (stripe& s : stripes_) {
                ReadLock hold(s.lock);
                for (const auto& e : s.entries) f(e.second);
            }
        }
        stripe& of(const typename stored<Key>::type& key) {
            if constexpr (Stripes == 1) {
                return stripes_[0];
            } else {  // bits that the table inside does not use
                return stripes_[(std::hash<typename stored<Key>::type>{}(key) * 0x9e3779b97f4a7c15u) >> 58];
            }
        }
        std::array<stripe, Stripes>& stripes_;
    };

private:
    std::unique_ptr<std::array<stripe, Stripes>> stripes_;
};

template <class Key, class V>
using mutex_map = locked_map<Key, V, std::mutex, std::lock_guard<std::mutex>, 1>;
template <class Key, class V>
using shared_map = locked_map<Key, V, std::shared_mutex, std::shared_lock<std::shared_mutex>, 1>;
template <class Key, class V>
using spin_map = locked_map<Key, V, spinlock, std::lock_guard<spinlock>, 1>;
template <class Key, class V>
using striped_map = locked_map<Key, V, std::mutex, std::lock_guard<std::mutex>, 64>;

const registration all([] {
    map_traits few;  // the other locks stand for it among ten million keys
    few.max_entries = 1'000'000;
    add_map<mutex_map>("std::unordered_map + mutex", "libstdc++", {"per key", "grows", "blocking", "entries returned", "one std::mutex"});
    add_map<shared_map>("std::unordered_map + shared_mutex", "libstdc++",
                        {"per key", "grows", "blocking", "entries returned", "one std::shared_mutex, shared by readers"},
                        few);
    add_map<spin_map>("std::unordered_map + spinlock", "libstdc++",
                      {"per key", "grows", "blocking", "entries returned", "test-and-test-and-set lock that yields after a while"},
                      few);
    add_map<striped_map>("std::unordered_map x 64 + mutex", "libstdc++",
                         {"per key", "grows", "blocking", "entries returned", "64 tables, a std::mutex each"});
});

}  // namespace peer_std_map
