// liburcu: queues, stack and hash table; nodes are the user's. Flavour memb, the library's default: its read sections cost no
// fence, and a thread that sleeps holds nothing up.
#define _LGPL_SOURCE 1  // read sections inlined, as its README advises
#include <urcu/rculfhash.h>
#include <urcu/urcu-memb.h>
#undef _LGPL_SOURCE  // the inline forms of these three do not compile as C++ in this version
#include <urcu/lfstack.h>
#include <urcu/rculfqueue.h>
#include <urcu/wfcqueue.h>

#include "../families/map.hpp"
#include "../families/pool.hpp"
#include "node_pool.hpp"

namespace peer_urcu {

using namespace bench;

template <class N, class L>
N* node_of(L* link) {
    return reinterpret_cast<N*>(reinterpret_cast<char*>(link) - offsetof(N, link));
}

struct registered {
    registered() {
        if (depth()++ == 0) urcu_memb_register_thread();
    }
    registered(const registered&) = delete;
    ~registered() {
        if (--depth() == 0) urcu_memb_unregister_thread();
    }
    static int& depth() {
        thread_local int d = 0;
        return d;
    }
};

// Wait-free push; a pop takes a lock, after which the node is the popper's.
template <class E>
class wait_free_queue {
    struct node {
        cds_wfcq_node link;
        E e;
    };

public:
    explicit wait_free_queue(std::size_t) { cds_wfcq_init(&head_, &tail_); }
    struct session {
        explicit session(wait_free_queue& q) : q_(q), nodes_(q.nodes_) {}
        bool push(const E& e) {
            node* n = nodes_.take();
            n->e = e;
            cds_wfcq_node_init(&n->link);
            cds_wfcq_enqueue(q_.head(), &q_.tail_, &n->link);
            return true;
        }
        bool pop(E& e) {
            cds_wfcq_node* l = cds_wfcq_dequeue_blocking(&q_.head_, &q_.tail_);
            if (l == nullptr) return false;
            node* n = node_of<node>(l);
            e = n->e;
            nodes_.put(n);
            return true;
        }
        wait_free_queue& q_;
        typename node_pool<node>::local nodes_;
    };

private:
    cds_wfcq_head_ptr_t head() {  // a transparent union, which C++ does not know
        cds_wfcq_head_ptr_t p;
        p.h = &head_;
        return p;
    }
    node_pool<node> nodes_;
    alignas(2 * cache_line) cds_wfcq_head head_;
    alignas(2 * cache_line) cds_wfcq_tail tail_;
};

// Push without a lock; pops exclude one another by the library's mutex, so nodes can be used again at once.
template <class E>
class stack {
    struct node {
        cds_lfs_node link;
        E e;
    };

public:
    explicit stack(std::size_t) { cds_lfs_init(&s_); }
    struct session {
        explicit session(stack& s) : s_(s.s_), nodes_(s.nodes_) {}
        bool push(const E& e) {
            node* n = nodes_.take();
            n->e = e;
            cds_lfs_node_init(&n->link);
            cds_lfs_push(ptr(), &n->link);
            return true;
        }
        bool pop(E& e) {
            cds_lfs_node* l = cds_lfs_pop_blocking(&s_);
            if (l == nullptr) return false;
            node* n = node_of<node>(l);
            e = n->e;
            nodes_.put(n);
            return true;
        }
        cds_lfs_stack_ptr_t ptr() {  // a transparent union, which C++ does not know
            cds_lfs_stack_ptr_t p;
            p.s = &s_;
            return p;
        }
        cds_lfs_stack& s_;
        typename node_pool<node>::local nodes_;
    };

private:
    node_pool<node> nodes_;
    alignas(2 * cache_line) cds_lfs_stack s_;
};

// A node is freed a grace period after it left.
template <class E>
class lock_free_queue {
    struct node {
        cds_lfq_node_rcu link;
        rcu_head rcu;
        E e;
    };
    static void free_node(rcu_head* h) { std::free(reinterpret_cast<char*>(h) - offsetof(node, rcu)); }

public:
    explicit lock_free_queue(std::size_t) { cds_lfq_init_rcu(&q_, urcu_memb_call_rcu); }
    ~lock_free_queue() {}  // the process ends with the run
    struct session {
        explicit session(lock_free_queue& q) : q_(q.q_) {}
        bool push(const E& e) {
            auto* n = static_cast<node*>(std::malloc(sizeof(node)));
            n->e = e;
            cds_lfq_node_init_rcu(&n->link);
            urcu_memb_read_lock();
            cds_lfq_enqueue_rcu(&q_, &n->link);
            urcu_memb_read_unlock();
            return true;
        }
        bool pop(E& e) {
            urcu_memb_read_lock();
            cds_lfq_node_rcu* l = cds_lfq_dequeue_rcu(&q_);
            urcu_memb_read_unlock();
            if (l == nullptr) return false;
            node* n = node_of<node>(l);
            e = n->e;
            urcu_memb_call_rcu(&n->rcu, free_node);
            return true;
        }
        registered me_;
        cds_lfq_queue_rcu& q_;
    };

private:
    alignas(2 * cache_line) cds_lfq_queue_rcu q_;
};

template <class Key, class V>
class hash_table {
    struct node {
        cds_lfht_node link;
        std::uint64_t key, value;
        rcu_head rcu;
    };
    static void free_node(rcu_head* h) { std::free(reinterpret_cast<char*>(h) - offsetof(node, rcu)); }
    static int match(cds_lfht_node* n, const void* key) {
        return node_of<node>(n)->key == *static_cast<const std::uint64_t*>(key);
    }

public:
    static constexpr bool words_only = true;
    static constexpr bool presized = true;
    explicit hash_table(std::size_t room)
        : t_(cds_lfht_new_flavor(std::size_t{1} << (64 - __builtin_clzll(room - 1)), 1, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &urcu_memb_flavor, nullptr)) {}
    struct session {
        explicit session(hash_table& m) : t_(m.t_) {}
        bool get(std::uint64_t k, std::uint64_t& v) {
            urcu_memb_read_lock();
            cds_lfht_iter i;
            cds_lfht_lookup(t_, splitmix(k), match, &k, &i);
            cds_lfht_node* n = cds_lfht_iter_get_node(&i);
            if (n != nullptr) v = node_of<node>(n)->value;
            urcu_memb_read_unlock();
            return n != nullptr;
        }
        bool insert(std::uint64_t k, const std::uint64_t& v) {
            node* n = make(k, v);
            urcu_memb_read_lock();
            cds_lfht_node* won = cds_lfht_add_unique(t_, splitmix(k), match, &k, &n->link);
            urcu_memb_read_unlock();
            if (won == &n->link) return true;
            std::free(n);
            return false;
        }
        void upsert(std::uint64_t k, const std::uint64_t& v) {
            node* n = make(k, v);
            urcu_memb_read_lock();
            cds_lfht_node* old = cds_lfht_add_replace(t_, splitmix(k), match, &k, &n->link);
            urcu_memb_read_unlock();
            if (old != nullptr) urcu_memb_call_rcu(&node_of<node>(old)->rcu, free_node);
        }
        bool erase(std::uint64_t k) {
            urcu_memb_read_lock();
            cds_lfht_iter i;
            cds_lfht_lookup(t_, splitmix(k), match, &k, &i);
            cds_lfht_node* n = cds_lfht_iter_get_node(&i);
            const bool gone = n != nullptr && cds_lfht_del(t_, n) == 0;
            urcu_memb_read_unlock();
            if (gone) urcu_memb_call_rcu(&node_of<node>(n)->rcu, free_node);
            return gone;
        }
        void add(std::uint64_t k, std::uint64_t delta) {
            urcu_memb_read_lock();
            cds_lfht_iter i;
            cds_lfht_lookup(t_, splitmix(k), match, &k, &i);
            cds_lfht_node* n = cds_lfht_iter_get_node(&i);
            if (n == nullptr) {
                node* fresh = make(k, 0);
                n = cds_lfht_add_unique(t_, splitmix(k), match, &k, &fresh->link);
                if (n != &fresh->link) std::free(fresh);
            }
            __atomic_fetch_add(&node_of<node>(n)->value, delta, __ATOMIC_RELAXED);
            urcu_memb_read_unlock();
        }
        template <class F>
        void for_each(F&& f) {
            urcu_memb_read_lock();
            cds_lfht_iter i;
            for (cds_lfht_first(t_, &i); cds_lfht_iter_get_node(&i) != nullptr; cds_lfht_next(t_, &i))
                f(node_of<node>(cds_lfht_iter_get_node(&i))->value);
            urcu_memb_read_unlock();
        }

    private:
        static node* make(std::uint64_t k, std::uint64_t v) {
            auto* n = static_cast<node*>(std::malloc(sizeof(node)));
            cds_lfht_node_init(&n->link);
            n->key = k;
            n->value = v;
            return n;
        }
        registered me_;
        cds_lfht* t_;
    };

private:
    cds_lfht* t_;
};

const registration all([] {
    const char* peer = "liburcu-dev";
    add_queue<wait_free_queue>("liburcu wfcqueue", peer,
                               {"FIFO", "unbounded", "push wait-free, pop blocking", "user's nodes", "nodes from a pool; pop under the queue's mutex"});
    add_queue<lock_free_queue>("liburcu rculfqueue", peer,
                               {"FIFO", "unbounded", "lock-free", "user's nodes", "memb flavour; malloc, call_rcu"});
    add_stack<stack>("liburcu lfstack", peer,
                     {"LIFO", "unbounded", "push lock-free, pop blocking", "user's nodes", "nodes from a pool; pop under the stack's mutex"});
    add_map<hash_table>("liburcu rculfhash", peer,
                        {"per key", "presized", "lock-free", "user's nodes",
                         "memb flavour; malloc, call_rcu; made for the final number of entries, for its worker thread, which "
                         "grows it otherwise, does not keep up with two writers"});
});

}  // namespace peer_urcu
