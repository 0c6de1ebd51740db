// conex, stack: the C interface, one call an operation and under a guard.
#include "../families/pool.hpp"
#include "conex.hpp"

namespace peer_conex_stack {

using namespace bench;

template <class E, class Pinning>
class stack {
public:
    explicit stack(std::size_t) {
        conex_stack_options o = CONEX_STACK_OPTIONS_INIT;
        o.element.size = sizeof(E);
        o.element.align = alignof(E);
        check(conex_stack_new(&o, &s_));
    }
    stack(const stack&) = delete;
    ~stack() { conex_stack_destroy(s_); }
    struct session {
        explicit session(stack& s) : s_(s.s_) {}
        bool push(const E& e) { return conex_stack_push(s_, &e) == CONEX_OK; }
        bool pop(E& e) { return conex_stack_pop(s_, &e) == CONEX_OK; }
        std::size_t push_n(const E* e, std::size_t n) {
            std::size_t done = 0;
            conex_stack_push_n(s_, e, n, &done);
            return done;
        }
        std::size_t pop_n(E* e, std::size_t n) {
            std::size_t done = 0;
            conex_stack_pop_n(s_, e, n, &done);
            return done;
        }
        void tick() { pin_.renew(); }
        conex_stack* s_;
        Pinning pin_;
    };

private:
    conex_stack* s_ = nullptr;
};

template <class E>
using plain = stack<E, each_operation>;
template <class E>
using guarded = stack<E, one_guard>;

const registration all([] {
    const semantics each{"LIFO", "unbounded", "lock-free", "returned", "one call an operation; push_n, pop_n for batches"};
    const semantics held{"LIFO", "unbounded", "lock-free", "returned", "one guard for 64 operations"};
    add_stack<plain>("conex, C, " BENCH_FORM, "conex", each);
    if (is_form("static")) add_stack<guarded>("conex, C, " BENCH_FORM ", guard", "conex", held);
});

}  // namespace peer_conex_stack
