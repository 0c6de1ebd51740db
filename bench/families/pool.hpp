// The queue and the stack cases: the same ones; only the order that is tested differs. They are in pool_cases.hpp.
//
// An adapter is a class template over the element:
//     explicit Q(std::size_t capacity)       room for so many, or a hint, or nothing, as the peer has it
//     struct session { explicit session(Q&); bool push(const E&); bool pop(E&); }
// and optionally in the session: std::size_t push_n(const E*, std::size_t), std::size_t pop_n(E*, std::size_t), tick().
// `push` answers false when a bounded queue is full.
#pragma once

#include "pool_cases.hpp"

namespace bench {

// An adapter of a peer that holds words or pointers only says so with `static constexpr bool words_only = true`.
template <class Q, class = void>
struct words_only : std::false_type {};
template <class Q>
struct words_only<Q, std::void_t<decltype(Q::words_only)>> : std::bool_constant<Q::words_only> {};
template <template <class> class Pool>
struct takes_wide : std::bool_constant<!words_only<Pool<element<8>>>::value> {};

// Registers a queue or a stack with every case that it can run.
template <template <class> class Pool>
void add_pool(const char* family, const char* name, const char* peer, semantics sem, pool_traits t) {
    using word = pool_cases<Pool, 8>;
    contestant c{family, name, peer, sem, {}};
    const std::string prefix = std::string(family) + "/";
    const auto add = [&](const std::string& id, auto fn) {
        c.cases.emplace_back(id, [fn, full = prefix + id, t](const params& p, report& r) { fn(p, r, full, t); });
    };
    const auto work_suffix = [](int ns) { return ns == 0 ? std::string() : "-work" + std::to_string(ns); };
    for (const int work : {0, 50, 500})
        add("flow-1+1" + work_suffix(work), [work](const params& p, report& r, const std::string& n, const pool_traits& k) {
            word::flow(p, r, n, k, 1, 1, work, 1);
        });
    add("latency", word::latency);
    for (const int batch : {32, 256})
        add("batch-" + std::to_string(batch) + "-1+1",
            [batch](const params& p, report& r, const std::string& n, const pool_traits& k) {
                word::flow(p, r, n, k, 1, 1, 0, batch);
            });
    if (!t.one_to_one_only) {
        add("pairs-1", word::alone);
        if (t.max_capacity >= word::burst_size) add("burst", word::burst);
        for (const int batch : {32, 256})
            add("batch-" + std::to_string(batch), [batch](const params& p, report& r, const std::string& n, const pool_traits& k) {
                word::batch_alone(p, r, n, k, batch);
            });
        for (const int work : {0, 50, 500}) {
            add("pairs-2" + work_suffix(work), [work](const params& p, report& r, const std::string& n, const pool_traits& k) {
                word::pairs(p, r, n, k, 2, work);
            });
            for (const int half : {2, 8}) {
                const std::string h = std::to_string(half);
                add("flow-" + h + "+" + h + work_suffix(work),
                    [work, half](const params& p, report& r, const std::string& n, const pool_traits& k) {
                        word::flow(p, r, n, k, half, half, work, 1);
                    });
            }
        }
    }
    const auto add_wide = [&](auto bytes) {
        using wide = pool_cases<Pool, decltype(bytes)::value>;
        const std::string suffix = "-" + std::to_string(decltype(bytes)::value) + "B";
        if (!t.one_to_one_only) add("pairs-1" + suffix, wide::alone);
        add("flow-1+1" + suffix, [](const params& p, report& r, const std::string& n, const pool_traits& k) {
            wide::flow(p, r, n, k, 1, 1, 0, 1);
        });
        if (!t.one_to_one_only && t.max_capacity >= wide::burst_size) add("burst" + suffix, wide::burst);
    };
    if constexpr (takes_wide<Pool>::value) {
        add_wide(std::integral_constant<std::size_t, 64>{});
        add_wide(std::integral_constant<std::size_t, 256>{});
    }
    contestants().push_back(std::move(c));
}

template <template <class> class Queue>
void add_queue(const char* name, const char* peer, semantics sem, pool_traits t = {}) {
    add_pool<Queue>("queue", name, peer, sem, t);
}

template <template <class> class Stack>
void add_stack(const char* name, const char* peer, semantics sem, pool_traits t = {}) {
    t.lifo = true;
    add_pool<Stack>("stack", name, peer, sem, t);
}

}  // namespace bench
