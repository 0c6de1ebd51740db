// conex, queue: the C interface, one call an operation and under a guard.
#include "../families/pool.hpp"
#include "conex.hpp"

namespace peer_conex_queue {

using namespace bench;

template <class E, class Pinning>
class queue {
public:
    explicit queue(std::size_t) {
        conex_queue_options o = CONEX_QUEUE_OPTIONS_INIT;
        o.element.size = sizeof(E);
        o.element.align = alignof(E);
        check(conex_queue_new(&o, &q_));
    }
    queue(const queue&) = delete;
    ~queue() { conex_queue_destroy(q_); }
    struct session {
        explicit session(queue& q) : q_(q.q_) {}
        bool push(const E& e) { return conex_queue_push(q_, &e) == CONEX_OK; }
        bool pop(E& e) { return conex_queue_pop(q_, &e) == CONEX_OK; }
        std::size_t push_n(const E* e, std::size_t n) {
            std::size_t done = 0;
            conex_queue_push_n(q_, e, n, &done);
            return done;
        }
        std::size_t pop_n(E* e, std::size_t n) {
            std::size_t done = 0;
            conex_queue_pop_n(q_, e, n, &done);
            return done;
        }
        void tick() { pin_.renew(); }
        conex_queue* q_;
        Pinning pin_;
    };

private:
    conex_queue* q_ = nullptr;
};

template <class E>
using plain = queue<E, each_operation>;
template <class E>
using guarded = queue<E, one_guard>;

const registration all([] {
    const semantics each{"FIFO", "unbounded", "lock-free", "returned", "one call an operation; push_n, pop_n for batches"};
    const semantics held{"FIFO", "unbounded", "lock-free", "returned", "one guard for 64 operations"};
    add_queue<plain>("conex, C, " BENCH_FORM, "conex", each);
    if (is_form("static")) add_queue<guarded>("conex, C, " BENCH_FORM ", guard", "conex", held);
});

}  // namespace peer_conex_queue
