// conex, stack: the C++ layer.
#include <conex/stack.hpp>

#include "../families/pool.hpp"
#include "conex.hpp"
#include "conex_guard.hpp"

namespace peer_conex_cpp_stack {

using namespace bench;

template <class E, class Pinning>
class stack {
public:
    explicit stack(std::size_t) {}
    struct session {
        explicit session(stack& q) : q_(q.q_) {}
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
        conex::stack<E>& q_;
        Pinning pin_;
    };

private:
    conex::stack<E> q_;
};

template <class E>
using plain = stack<E, each_operation>;
template <class E>
using guarded = stack<E, cpp_guard>;

const registration all([] {
    if (is_form("shared")) return;  // the C interface stands for it there
    const semantics each{"LIFO", "unbounded", "lock-free", "returned", "conex::stack; push_range, pop_into for batches"};
    const semantics held{"LIFO", "unbounded", "lock-free", "returned", "conex::stack; one conex::guard for 64 operations"};
    add_stack<plain>("conex, C++, " BENCH_FORM, "conex", each);
    if (is_form("xlto")) add_stack<guarded>("conex, C++, " BENCH_FORM ", guard", "conex", held);
});

}  // namespace peer_conex_cpp_stack
