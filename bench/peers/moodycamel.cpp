// moodycamel::ConcurrentQueue: each producer has a queue of its own inside, so the order holds only per producer.
#include <concurrentqueue/concurrentqueue.h>

#include "../families/pool.hpp"

namespace peer_moodycamel {

using namespace bench;

template <class E>
class implicit_queue {
public:
    explicit implicit_queue(std::size_t room) : q_(room) {}
    struct session {
        explicit session(implicit_queue& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.enqueue(e); }
        bool pop(E& e) { return q_.try_dequeue(e); }
        std::size_t push_n(const E* e, std::size_t n) { return q_.enqueue_bulk(e, n) ? n : 0; }
        std::size_t pop_n(E* e, std::size_t n) { return q_.try_dequeue_bulk(e, n); }
        moodycamel::ConcurrentQueue<E>& q_;
    };

private:
    moodycamel::ConcurrentQueue<E> q_;
};

template <class E>
class token_queue {
public:
    explicit token_queue(std::size_t room) : q_(room) {}
    struct session {
        explicit session(token_queue& q) : q_(q.q_), in_(q.q_), out_(q.q_) {}
        bool push(const E& e) { return q_.enqueue(in_, e); }
        bool pop(E& e) { return q_.try_dequeue(out_, e); }
        std::size_t push_n(const E* e, std::size_t n) { return q_.enqueue_bulk(in_, e, n) ? n : 0; }
        std::size_t pop_n(E* e, std::size_t n) { return q_.try_dequeue_bulk(out_, e, n); }
        moodycamel::ConcurrentQueue<E>& q_;
        moodycamel::ProducerToken in_;
        moodycamel::ConsumerToken out_;
    };

private:
    moodycamel::ConcurrentQueue<E> q_;
};

const registration all([] {
    add_queue<implicit_queue>("moodycamel", "libconcurrentqueue-dev",
                              {"per producer", "unbounded", "lock-free", "kept", "no tokens; bulk operations for batches"});
    add_queue<token_queue>("moodycamel, tokens", "libconcurrentqueue-dev",
                           {"per producer", "unbounded", "lock-free", "kept",
                            "a producer and a consumer token for each thread; bulk operations for batches"});
});

}  // namespace peer_moodycamel
