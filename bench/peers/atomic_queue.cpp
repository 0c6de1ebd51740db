// atomic_queue: bounded rings whose push and pop take a ticket and wait for its slot.
#include <atomic_queue/atomic_queue.h>

#include "../families/pool.hpp"

namespace peer_atomic_queue {

using namespace bench;

// Words: the element itself is the slot's state, so one value is reserved for "empty".
template <class E>
class words {
    using ring = atomic_queue::AtomicQueueB<std::uint64_t, std::allocator<std::uint64_t>, ~std::uint64_t{0}>;

public:
    static constexpr bool words_only = true;
    explicit words(std::size_t room) : q_(static_cast<unsigned>(room)) {}
    struct session {
        explicit session(words& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.try_push(e.word[0]); }
        bool pop(E& e) { return q_.try_pop(e.word[0]); }
        ring& q_;
    };

private:
    ring q_;
};

template <class E>
class any {
    using ring = atomic_queue::AtomicQueueB2<E>;

public:
    explicit any(std::size_t room) : q_(static_cast<unsigned>(room)) {}
    struct session {
        explicit session(any& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.try_push(e); }
        bool pop(E& e) { return q_.try_pop(e); }
        ring& q_;
    };

private:
    ring q_;
};

const registration all([] {
    pool_traits unordered;
    unordered.ordered = false;
    add_queue<words>("atomic_queue AtomicQueueB", "libatomic-queue-dev",
                     {"none without TOTAL_ORDER", "bounded", "blocking", "kept",
                      "try_push, try_pop, defaults; one value reserved; a slot is a spinlock"},
                     unordered);
    add_queue<any>("atomic_queue AtomicQueueB2", "libatomic-queue-dev",
                   {"none without TOTAL_ORDER", "bounded", "blocking", "kept", "try_push, try_pop, defaults; a slot is a spinlock"},
                   unordered);
});

}  // namespace peer_atomic_queue
