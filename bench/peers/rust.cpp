// The Rust peers: crossbeam's queues; papaya, dashmap and scc. Each call is one call of the static library in peers/rust/.
#include "../families/map.hpp"
#include "../families/pool.hpp"

using visit_word = void (*)(const std::uint64_t*, void*);
using visit_wide = void (*)(const bench::wide_value*, void*);

#define QUEUES(n)                                            \
    void* rp_seg##n##_new();                                 \
    void rp_seg##n##_free(void*);                            \
    void rp_seg##n##_push(void*, const void*);               \
    bool rp_seg##n##_pop(void*, void*);                      \
    void* rp_arr##n##_new(std::size_t);                      \
    void rp_arr##n##_free(void*);                            \
    bool rp_arr##n##_push(void*, const void*);               \
    bool rp_arr##n##_pop(void*, void*);
#define PAPAYA(x, visit)                                                                          \
    void* rp_##x##_new(std::size_t);                                                              \
    void rp_##x##_free(void*);                                                                    \
    void* rp_##x##_enter(void*);                                                                  \
    void rp_##x##_refresh(void*);                                                                 \
    void rp_##x##_leave(void*);                                                                   \
    bool rp_##x##_get(void*, void*, const void*, std::size_t, void*);                             \
    bool rp_##x##_insert(void*, void*, const void*, std::size_t, const void*);                    \
    void rp_##x##_upsert(void*, void*, const void*, std::size_t, const void*);                    \
    bool rp_##x##_remove(void*, void*, const void*, std::size_t);                                 \
    void rp_##x##_each(void*, visit, void*);
#define PLAIN(x, visit)                                                                           \
    void* rp_##x##_new(std::size_t);                                                              \
    void rp_##x##_free(void*);                                                                    \
    bool rp_##x##_get(void*, const void*, std::size_t, void*);                                    \
    bool rp_##x##_insert(void*, const void*, std::size_t, const void*);                           \
    void rp_##x##_upsert(void*, const void*, std::size_t, const void*);                           \
    bool rp_##x##_remove(void*, const void*, std::size_t);                                        \
    void rp_##x##_each(void*, visit, void*);

extern "C" {
QUEUES(8)
QUEUES(64)
QUEUES(256)
PAPAYA(pap_w, visit_word)
PAPAYA(pab_w, visit_word)
PAPAYA(pap_s, visit_word)
PAPAYA(pap_v, visit_wide)
PLAIN(dash_w, visit_word)
PLAIN(dash_s, visit_word)
PLAIN(dash_v, visit_wide)
PLAIN(scc_w, visit_word)
PLAIN(scc_s, visit_word)
PLAIN(scc_v, visit_wide)
void rp_pap_w_add(void*, void*, std::uint64_t, std::uint64_t);
void rp_dash_w_add(void*, std::uint64_t, std::uint64_t);
void rp_scc_w_add(void*, std::uint64_t, std::uint64_t);
void rp_pap_s_add(void*, void*, const void*, std::size_t, std::uint64_t);
void rp_dash_s_add(void*, const void*, std::size_t, std::uint64_t);
void rp_scc_s_add(void*, const void*, std::size_t, std::uint64_t);
}

namespace peer_rust {

using namespace bench;

template <class E>
struct seg;
template <class E>
struct arr;
#define QUEUE_CALLS(n)                                                                        \
    template <>                                                                               \
    struct seg<element<n>> {                                                                  \
        static void* make(std::size_t) { return rp_seg##n##_new(); }                          \
        static void free(void* q) { rp_seg##n##_free(q); }                                    \
        static bool push(void* q, const void* e) { return rp_seg##n##_push(q, e), true; }     \
        static bool pop(void* q, void* e) { return rp_seg##n##_pop(q, e); }                   \
    };                                                                                        \
    template <>                                                                               \
    struct arr<element<n>> {                                                                  \
        static void* make(std::size_t room) { return rp_arr##n##_new(room); }                 \
        static void free(void* q) { rp_arr##n##_free(q); }                                    \
        static bool push(void* q, const void* e) { return rp_arr##n##_push(q, e); }           \
        static bool pop(void* q, void* e) { return rp_arr##n##_pop(q, e); }                   \
    };
QUEUE_CALLS(8)
QUEUE_CALLS(64)
QUEUE_CALLS(256)

template <class E, class Calls>
class queue {
public:
    explicit queue(std::size_t room) : q_(Calls::make(room)) {}
    ~queue() { Calls::free(q_); }
    struct session {
        explicit session(queue& q) : q_(q.q_) {}
        bool push(const E& e) { return Calls::push(q_, &e); }
        bool pop(E& e) { return Calls::pop(q_, &e); }
        void* q_;
    };

private:
    void* q_;
};
template <class E>
using seg_queue = queue<E, seg<E>>;
template <class E>
using array_queue = queue<E, arr<E>>;

// A key as (address, length).
struct key_ref {
    explicit key_ref(const std::uint64_t& k) : data(&k), len(8) {}
    explicit key_ref(const std::string_view& k) : data(k.data()), len(k.size()) {}
    std::uint64_t word() const { return *static_cast<const std::uint64_t*>(data); }
    const void* data;
    std::size_t len;
};

template <class F, class V>
void call_visitor(const V* v, void* f) {
    (*static_cast<F*>(f))(*v);
}

#define PAPAYA_CALLS(name, x)                                                                                          \
    struct name {                                                                                                      \
        static void* make(std::size_t room) { return rp_##x##_new(room); }                                             \
        static void free(void* m) { rp_##x##_free(m); }                                                                \
        static void* enter(void* m) { return rp_##x##_enter(m); }                                                      \
        static void refresh(void* g) { rp_##x##_refresh(g); }                                                          \
        static void leave(void* g) { rp_##x##_leave(g); }                                                              \
        static bool get(void* m, void* g, key_ref k, void* v) { return rp_##x##_get(m, g, k.data, k.len, v); }          \
        static bool insert(void* m, void* g, key_ref k, const void* v) { return rp_##x##_insert(m, g, k.data, k.len, v); } \
        static void upsert(void* m, void* g, key_ref k, const void* v) { rp_##x##_upsert(m, g, k.data, k.len, v); }     \
        static bool remove(void* m, void* g, key_ref k) { return rp_##x##_remove(m, g, k.data, k.len); }                \
        template <class Visit>                                                                                         \
        static void each(void* m, Visit visit, void* ctx) {                                                            \
            rp_##x##_each(m, visit, ctx);                                                                              \
        }                                                                                                              \
    };
#define PLAIN_CALLS(name, x)                                                                                           \
    struct name {                                                                                                      \
        static void* make(std::size_t room) { return rp_##x##_new(room); }                                             \
        static void free(void* m) { rp_##x##_free(m); }                                                                \
        static void* enter(void*) { return nullptr; }                                                                  \
        static void refresh(void*) {}                                                                                  \
        static void leave(void*) {}                                                                                    \
        static bool get(void* m, void*, key_ref k, void* v) { return rp_##x##_get(m, k.data, k.len, v); }               \
        static bool insert(void* m, void*, key_ref k, const void* v) { return rp_##x##_insert(m, k.data, k.len, v); }   \
        static void upsert(void* m, void*, key_ref k, const void* v) { rp_##x##_upsert(m, k.data, k.len, v); }          \
        static bool remove(void* m, void*, key_ref k) { return rp_##x##_remove(m, k.data, k.len); }                     \
        template <class Visit>                                                                                         \
        static void each(void* m, Visit visit, void* ctx) {                                                            \
            rp_##x##_each(m, visit, ctx);                                                                              \
        }                                                                                                              \
    };
PAPAYA_CALLS(papaya_words, pap_w)
PAPAYA_CALLS(papaya_words_blocking, pab_w)
PAPAYA_CALLS(papaya_texts, pap_s)
PAPAYA_CALLS(papaya_wides, pap_v)
PLAIN_CALLS(dash_words, dash_w)
PLAIN_CALLS(dash_texts, dash_s)
PLAIN_CALLS(dash_wides, dash_v)
PLAIN_CALLS(scc_words, scc_w)
PLAIN_CALLS(scc_texts, scc_s)
PLAIN_CALLS(scc_wides, scc_v)

// Those with counters: insert or add, in the peer's own words.
#define COUNTING(calls, call)                                                               \
    struct counting_##calls : calls {                                                       \
        static void add(void* m, void* g, key_ref k, std::uint64_t delta) { (void)g, call; } \
    };
COUNTING(papaya_words, rp_pap_w_add(m, g, k.word(), delta))
COUNTING(papaya_texts, rp_pap_s_add(m, g, k.data, k.len, delta))
COUNTING(dash_words, rp_dash_w_add(m, k.word(), delta))
COUNTING(dash_texts, rp_dash_s_add(m, k.data, k.len, delta))
COUNTING(scc_words, rp_scc_w_add(m, k.word(), delta))
COUNTING(scc_texts, rp_scc_s_add(m, k.data, k.len, delta))

template <class Key, class V, class Words, class Texts, class Wides>
using pick = std::conditional_t<std::is_same_v<Key, text_key>, Texts,
                                std::conditional_t<std::is_same_v<V, wide_value>, Wides, Words>>;

template <class Key, class V, class Calls>
class map_base {
    using K = typename Key::type;

public:
    explicit map_base(std::size_t room) : m_(Calls::make(room)) {}
    ~map_base() { Calls::free(m_); }
    struct session {
        explicit session(map_base& m) : m_(m.m_), g_(Calls::enter(m.m_)) {}
        session(const session&) = delete;
        session& operator=(const session&) = delete;
        ~session() { Calls::leave(g_); }
        bool get(K k, V& v) { return Calls::get(m_, g_, key_ref(k), &v); }
        bool insert(K k, const V& v) { return Calls::insert(m_, g_, key_ref(k), &v); }
        void upsert(K k, const V& v) { Calls::upsert(m_, g_, key_ref(k), &v); }
        bool erase(K k) { return Calls::remove(m_, g_, key_ref(k)); }
        template <class C = Calls, class = decltype(&C::add)>
        void add(K k, std::uint64_t delta) {
            C::add(m_, g_, key_ref(k), delta);
        }
        template <class F>
        void for_each(F&& f) {
            Calls::each(m_, call_visitor<std::remove_reference_t<F>, V>, &f);
        }
        void tick() { Calls::refresh(g_); }
        void *m_, *g_;
    };

private:
    void* m_;
};

template <class Key, class V>
using papaya_map = map_base<Key, V, pick<Key, V, counting_papaya_words, counting_papaya_texts, papaya_wides>>;
template <class Key, class V>
struct papaya_blocking_map : map_base<word_key, std::uint64_t, papaya_words_blocking> {
    static constexpr bool words_only = true;
    using map_base<word_key, std::uint64_t, papaya_words_blocking>::map_base;
};
template <class Key, class V>
using dash_map = map_base<Key, V, pick<Key, V, counting_dash_words, counting_dash_texts, dash_wides>>;
template <class Key, class V>
using scc_map = map_base<Key, V, pick<Key, V, counting_scc_words, counting_scc_texts, scc_wides>>;

const registration all([] {
    add_queue<seg_queue>("crossbeam SegQueue", "crossbeam-queue",
                         {"FIFO", "unbounded", "blocking", "returned", "static library; a pop waits for an unfinished push"});
    add_queue<array_queue>("crossbeam ArrayQueue", "crossbeam-queue",
                           {"FIFO", "bounded", "blocking", "kept", "static library; a slot waits for an unfinished operation"});
    add_map<papaya_map>("papaya", "papaya",
                        {"per key", "grows", "lock-free but for growth", "entries returned",
                         "static library; one guard for 64 operations, incremental growth (its default), foldhash"});
    map_traits few;  // the other form of papaya stands for it among ten million keys
    few.max_entries = 1'000'000;
    add_map<papaya_blocking_map>("papaya, blocking growth", "papaya",
                                 {"per key", "grows", "blocking", "entries returned",
                                  "static library; one guard for 64 operations, ResizeMode::Blocking, foldhash"},
                                 few);
    add_map<dash_map>("dashmap", "dashmap", {"per key", "grows", "blocking", "kept", "static library; lock for each shard, foldhash"});
    add_map<scc_map>("scc::HashMap", "scc",
                     {"per key", "grows", "blocking", "returned", "static library; lock for each bucket, *_sync functions, foldhash"});
});

}  // namespace peer_rust
