// Boost.Lockfree: queue and stack over a free list that is never given back.
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/lockfree/stack.hpp>

#include "../families/pool.hpp"

namespace peer_boost {

using namespace bench;
namespace lf = boost::lockfree;

template <class Container, class E>
class adapter {
public:
    explicit adapter(std::size_t room) : q_(room) {}
    struct session {
        explicit session(adapter& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.push(e); }
        bool pop(E& e) { return q_.pop(e); }
        Container& q_;
    };

private:
    Container q_;
};

// The stack takes a whole range with one exchange.
template <class E>
class stack {
public:
    explicit stack(std::size_t room) : q_(room) {}
    struct session {
        explicit session(stack& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.push(e); }
        bool pop(E& e) { return q_.pop(e); }
        std::size_t push_n(const E* e, std::size_t n) { return static_cast<std::size_t>(q_.push(e, e + n) - e); }
        std::size_t pop_n(E* e, std::size_t n) {
            std::size_t i = 0;
            while (i < n && q_.pop(e[i])) ++i;
            return i;
        }
        lf::stack<E>& q_;
    };

private:
    lf::stack<E> q_;
};

template <class E>
class spsc {
public:
    explicit spsc(std::size_t room) : q_(room) {}
    struct session {
        explicit session(spsc& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.push(e); }
        bool pop(E& e) { return q_.pop(e); }
        std::size_t push_n(const E* e, std::size_t n) { return q_.push(e, n); }
        std::size_t pop_n(E* e, std::size_t n) { return q_.pop(e, n); }
        lf::spsc_queue<E>& q_;
    };

private:
    lf::spsc_queue<E> q_;
};

template <class E>
using queue = adapter<lf::queue<E>, E>;
// A compile-time bound lets the queue index its nodes with 16 bits and use a narrow compare-exchange.
template <class E>
using fixed_queue_base = lf::queue<E, lf::capacity<32'768>>;
template <class E>
class fixed_queue {
public:
    explicit fixed_queue(std::size_t) : q_(std::make_unique<fixed_queue_base<E>>()) {}
    struct session {
        explicit session(fixed_queue& q) : q_(*q.q_) {}
        bool push(const E& e) { return q_.push(e); }
        bool pop(E& e) { return q_.pop(e); }
        fixed_queue_base<E>& q_;
    };

private:
    std::unique_ptr<fixed_queue_base<E>> q_;  // its nodes are inside it: too large for a stack
};

const registration all([] {
    pool_traits fixed;
    fixed.max_capacity = 32'768;
    pool_traits one;
    one.one_to_one_only = true;
    add_queue<queue>("Boost.Lockfree queue", "libboost1.81-dev",
                     {"FIFO", "unbounded", "lock-free", "kept", "nodes allocated in advance for the bounded cases and the burst"});
    add_queue<fixed_queue>("Boost.Lockfree queue, capacity<>", "libboost1.81-dev",
                           {"FIFO", "bounded", "lock-free", "kept", "compile-time bound, at most 65534 elements"}, fixed);
    add_queue<spsc>("Boost.Lockfree spsc_queue", "libboost1.81-dev",
                    {"FIFO", "bounded", "wait-free", "kept", "one producer and one consumer only"}, one);
    add_stack<stack>("Boost.Lockfree stack", "libboost1.81-dev",
                     {"LIFO", "unbounded", "lock-free", "kept", "nodes allocated in advance; range push is one step"});
});

}  // namespace peer_boost
