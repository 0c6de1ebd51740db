// The classic answers: a standard container behind a lock. The baseline of every table.
#include <deque>
#include <mutex>
#include <vector>

#include "../families/pool.hpp"
#include "spinlock.hpp"

namespace peer_std_mutex {

using namespace bench;

template <class E, class Lock>
class locked_queue {
public:
    explicit locked_queue(std::size_t) {}
    struct session {
        explicit session(locked_queue& q) : q_(q) {}
        bool push(const E& e) {
            std::lock_guard<Lock> hold(q_.lock_);
            q_.items_.push_back(e);
            return true;
        }
        bool pop(E& e) {
            std::lock_guard<Lock> hold(q_.lock_);
            if (q_.items_.empty()) return false;
            e = q_.items_.front();
            q_.items_.pop_front();
            return true;
        }
        std::size_t push_n(const E* e, std::size_t n) {
            std::lock_guard<Lock> hold(q_.lock_);
            q_.items_.insert(q_.items_.end(), e, e + n);
            return n;
        }
        std::size_t pop_n(E* e, std::size_t n) {
            std::lock_guard<Lock> hold(q_.lock_);
            if (n > q_.items_.size()) n = q_.items_.size();
            std::copy_n(q_.items_.begin(), n, e);
            q_.items_.erase(q_.items_.begin(), q_.items_.begin() + static_cast<std::ptrdiff_t>(n));
            return n;
        }
        locked_queue& q_;
    };

private:
    alignas(2 * cache_line) Lock lock_;
    std::deque<E> items_;
};

template <class E, class Lock>
class locked_stack {
public:
    explicit locked_stack(std::size_t) {}
    struct session {
        explicit session(locked_stack& q) : q_(q) {}
        bool push(const E& e) {
            std::lock_guard<Lock> hold(q_.lock_);
            q_.items_.push_back(e);
            return true;
        }
        bool pop(E& e) {
            std::lock_guard<Lock> hold(q_.lock_);
            if (q_.items_.empty()) return false;
            e = q_.items_.back();
            q_.items_.pop_back();
            return true;
        }
        std::size_t push_n(const E* e, std::size_t n) {
            std::lock_guard<Lock> hold(q_.lock_);
            q_.items_.insert(q_.items_.end(), e, e + n);
            return n;
        }
        std::size_t pop_n(E* e, std::size_t n) {
            std::lock_guard<Lock> hold(q_.lock_);
            if (n > q_.items_.size()) n = q_.items_.size();
            std::reverse_copy(q_.items_.end() - static_cast<std::ptrdiff_t>(n), q_.items_.end(), e);
            q_.items_.resize(q_.items_.size() - n);
            return n;
        }
        locked_stack& q_;
    };

private:
    alignas(2 * cache_line) Lock lock_;
    std::vector<E> items_;
};

template <class E>
using mutex_queue = locked_queue<E, std::mutex>;
template <class E>
using spin_queue = locked_queue<E, spinlock>;
template <class E>
using mutex_stack = locked_stack<E, std::mutex>;
template <class E>
using spin_stack = locked_stack<E, spinlock>;

const registration all([] {
    add_queue<mutex_queue>("std::deque + mutex", "libstdc++",
                           {"FIFO", "unbounded", "blocking", "returned", "std::mutex around std::deque; batches under one lock"});
    add_queue<spin_queue>("std::deque + spinlock", "libstdc++",
                          {"FIFO", "unbounded", "blocking", "returned",
                           "test-and-test-and-set lock that yields after a while, around std::deque"});
    add_stack<mutex_stack>("std::vector + mutex", "libstdc++",
                           {"LIFO", "unbounded", "blocking", "kept", "std::mutex around std::vector; batches under one lock"});
    add_stack<spin_stack>("std::vector + spinlock", "libstdc++",
                          {"LIFO", "unbounded", "blocking", "kept",
                           "test-and-test-and-set lock that yields after a while, around std::vector"});
});

}  // namespace peer_std_mutex
