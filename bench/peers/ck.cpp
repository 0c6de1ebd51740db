// Concurrency Kit: a C library; nodes and memory are the user's. Compiled with -fpermissive, for its headers are C.
#include <cstdbool>
#include <cstring>
#include <mutex>

#define false 0  // a header returns `false` where a pointer is due, which is C only
extern "C" {
#include <ck_epoch.h>
#include <ck_fifo.h>
#include <ck_ht.h>
#include <ck_ring.h>
#include <ck_stack.h>
}
#undef false

#include "../families/map.hpp"
#include "../families/pool.hpp"
#include "node_pool.hpp"

namespace peer_ck {

using namespace bench;

#ifdef CK_F_FIFO_MPMC
// The queue carries pointers and takes nodes; a dequeue hands an older node back for reuse. The pointers are numbers here,
// never followed: an element inside the node could be overwritten before it is read.
template <class E>
class fifo {
    struct node {
        ck_fifo_mpmc_entry_t link;
    };

public:
    static constexpr bool words_only = true;
    explicit fifo(std::size_t) : mine_(nodes_) { ck_fifo_mpmc_init(&q_, &mine_.take()->link); }
    struct session {
        explicit session(fifo& q) : q_(q.q_), nodes_(q.nodes_) {}
        bool push(const E& e) {
            node* n = nodes_.take();
            ck_fifo_mpmc_enqueue(&q_, &n->link, reinterpret_cast<void*>(e.word[0]));
            return true;
        }
        bool pop(E& e) {
            ck_fifo_mpmc_entry_t* garbage;
            void* value;
            if (!ck_fifo_mpmc_dequeue(&q_, &value, &garbage)) return false;
            e.word[0] = reinterpret_cast<std::uint64_t>(value);
            nodes_.put(reinterpret_cast<node*>(garbage));
            return true;
        }
        ck_fifo_mpmc_t& q_;
        typename node_pool<node>::local nodes_;
    };

private:
    node_pool<node> nodes_;
    typename node_pool<node>::local mine_;
    alignas(16) ck_fifo_mpmc_t q_;
};
#endif

// The ring of pointers; the pointers are numbers here, never followed.
template <class E>
class ring {
public:
    static constexpr bool words_only = true;
    explicit ring(std::size_t room) {
        const unsigned size = 1u << (32 - __builtin_clz(static_cast<unsigned>(room)));
        slots_.resize(size);
        ck_ring_init(&ring_, size);
    }
    struct session {
        explicit session(ring& q) : q_(q) {}
        bool push(const E& e) {
            return ck_ring_enqueue_mpmc(&q_.ring_, q_.slots_.data(), reinterpret_cast<void*>(e.word[0]));
        }
        bool pop(E& e) {
            void* p;
            if (!ck_ring_dequeue_mpmc(&q_.ring_, q_.slots_.data(), &p)) return false;
            e.word[0] = reinterpret_cast<std::uint64_t>(p);
            return true;
        }
        ring& q_;
    };

private:
    ck_ring_t ring_;
    std::vector<ck_ring_buffer_t> slots_;
};

template <class E>
class stack {
    struct node {
        ck_stack_entry_t link;
        E e;
    };

public:
    explicit stack(std::size_t) { ck_stack_init(&s_); }
    struct session {
        explicit session(stack& s) : s_(s.s_), nodes_(s.nodes_) {}
        bool push(const E& e) {
            node* n = nodes_.take();
            n->e = e;
            ck_stack_push_mpmc(&s_, &n->link);
            return true;
        }
        bool pop(E& e) {
            ck_stack_entry_t* top = ck_stack_pop_mpmc(&s_);
            if (top == nullptr) return false;
            node* n = reinterpret_cast<node*>(top);
            e = n->e;
            nodes_.put(n);
            return true;
        }
        ck_stack_t& s_;
        typename node_pool<node>::local nodes_;
    };

private:
    node_pool<node> nodes_;
    alignas(16) ck_stack_t s_;
};

// One writer at a time, so a mutex around writes; readers run beside it. A table that growth leaves behind is freed after
// a grace period of ck_epoch, so readers are in an epoch section.
ck_epoch_t epoch;
thread_local ck_epoch_record_t* my_record = nullptr;
thread_local void* left_behind = nullptr;

void* table_malloc(std::size_t n) { return std::malloc(n); }
void table_free(void* p, std::size_t, bool defer) {
    if (!defer || left_behind != nullptr) {
        if (!defer) std::free(p);
        return;  // two tables in one operation do not occur: an operation grows at most once
    }
    left_behind = p;
}
ck_malloc table_memory;
void table_hash(ck_ht_hash_t* h, const void* key, std::size_t, std::uint64_t) {
    std::uint64_t k;
    std::memcpy(&k, key, 8);
    h->value = splitmix(k);
}

template <class Key, class V>
class hash_table {
public:
    static constexpr bool words_only = true;
    explicit hash_table(std::size_t) {
        static const bool once = [] {
            ck_epoch_init(&epoch);
            table_memory.malloc = table_malloc;
            table_memory.free = table_free;
            return true;
        }();
        (void)once;
        if (!ck_ht_init(&t_, CK_HT_MODE_DIRECT, table_hash, &table_memory, 64, 1)) std::abort();
    }
    struct session {
        explicit session(hash_table& m) : m_(m), record_(new ck_epoch_record_t) {
            ck_epoch_register(&epoch, record_, nullptr);
        }
        session(const session&) = delete;
        ~session() { ck_epoch_unregister(record_); }
        bool get(std::uint64_t k, std::uint64_t& v) {
            ck_ht_hash_t h;
            ck_ht_hash_direct(&h, &m_.t_, k);
            ck_ht_entry_t e;
            ck_ht_entry_key_set_direct(&e, k);
            ck_epoch_begin(record_, nullptr);
            const bool found = ck_ht_get_spmc(&m_.t_, h, &e);
            ck_epoch_end(record_, nullptr);
            if (found) v = ck_ht_entry_value_direct(&e);
            return found;
        }
        bool insert(std::uint64_t k, const std::uint64_t& v) {
            return write([&](ck_ht_hash_t h) {
                ck_ht_entry_t e;
                ck_ht_entry_key_set_direct(&e, k);
                if (ck_ht_get_spmc(&m_.t_, h, &e)) return false;  // ck_ht_put_spmc of 0.7.1 is wrong after removals
                ck_ht_entry_set_direct(&e, h, k, v);
                return ck_ht_set_spmc(&m_.t_, h, &e);
            }, k);
        }
        void upsert(std::uint64_t k, const std::uint64_t& v) {
            write([&](ck_ht_hash_t h) {
                ck_ht_entry_t e;
                ck_ht_entry_set_direct(&e, h, k, v);
                return ck_ht_set_spmc(&m_.t_, h, &e);
            }, k);
        }
        bool erase(std::uint64_t k) {
            return write([&](ck_ht_hash_t h) {
                ck_ht_entry_t e;
                ck_ht_entry_key_set_direct(&e, k);
                return ck_ht_remove_spmc(&m_.t_, h, &e);
            }, k);
        }
        void add(std::uint64_t k, std::uint64_t delta) {
            write([&](ck_ht_hash_t h) {
                ck_ht_entry_t e;
                ck_ht_entry_key_set_direct(&e, k);
                const std::uint64_t old = ck_ht_get_spmc(&m_.t_, h, &e) ? ck_ht_entry_value_direct(&e) : 0;
                ck_ht_entry_set_direct(&e, h, k, old + delta);
                return ck_ht_set_spmc(&m_.t_, h, &e);
            }, k);
        }
        template <class F>
        void for_each(F&& f) {
            ck_ht_iterator_t i = CK_HT_ITERATOR_INITIALIZER;
            ck_ht_entry_t* e;
            while (ck_ht_next(&m_.t_, &i, &e)) f(static_cast<std::uint64_t>(ck_ht_entry_value_direct(e)));
        }

    private:
        template <class F>
        bool write(F&& f, std::uint64_t k) {
            std::lock_guard<std::mutex> hold(m_.writer_);
            ck_ht_hash_t h;
            ck_ht_hash_direct(&h, &m_.t_, k);
            const bool done = f(h);
            if (left_behind != nullptr) {
                ck_epoch_synchronize(record_);
                std::free(left_behind);
                left_behind = nullptr;
            }
            return done;
        }
        hash_table& m_;
        ck_epoch_record_t* record_;  // stays: the epoch may still look at it
    };

private:
    ck_ht_t t_;
    std::mutex writer_;
};

const registration all([] {
    const char* peer = "libck-dev";
#ifdef CK_F_FIFO_MPMC
    add_queue<fifo>("ck_fifo_mpmc", peer, {"FIFO", "unbounded", "lock-free", "user's nodes", "pointers; nodes from a pool, 128-bit exchange"});
#endif
    add_queue<ring>("ck_ring mpmc", peer, {"FIFO", "bounded", "blocking", "user's memory", "pointers"});
    add_stack<stack>("ck_stack mpmc", peer, {"LIFO", "unbounded", "lock-free", "user's nodes", "nodes from a pool, 128-bit exchange"});
    add_map<hash_table>("ck_ht + mutex", peer,
                        {"per key", "grows", "blocking", "kept", "words; one writer at a time, readers lock-free in an epoch section"});
});

}  // namespace peer_ck
