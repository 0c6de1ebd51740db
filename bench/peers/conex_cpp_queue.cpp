// conex, queue: the C++ layer.
#include <conex/queue.hpp>

#include "../families/pool.hpp"
#include "conex.hpp"
#include "conex_guard.hpp"

namespace peer_conex_cpp_queue {

using namespace bench;

template <class E, class Pinning>
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
        std::size_t push_n(const E* e, std::size_t n) {
            q_.push_range(e, e + n);
            return n;
        }
        std::size_t pop_n(E* e, std::size_t n) { return q_.pop_into(e, n); }
        void tick() { pin_.renew(); }
        conex::queue<E>& q_;
        Pinning pin_;
    };

private:
    conex::queue<E> q_;
};

template <class E>
using plain = queue<E, each_operation>;
template <class E>
using guarded = queue<E, cpp_guard>;

const registration all([] {
    if (is_form("shared")) return;  // the C interface stands for it there
    const semantics each{"FIFO", "unbounded", "lock-free", "returned", "conex::queue; push_range, pop_into for batches"};
    const semantics held{"FIFO", "unbounded", "lock-free", "returned", "conex::queue; one conex::guard for 64 operations"};
    add_queue<plain>("conex, C++, " BENCH_FORM, "conex", each);
    if (is_form("xlto")) add_queue<guarded>("conex, C++, " BENCH_FORM ", guard", "conex", held);
});

}  // namespace peer_conex_cpp_queue
