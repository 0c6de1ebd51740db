// What stacks and queues have in common under this test: the same operations, tokens as elements, and conservation.
#pragma once

#include <conex/conex.h>

#include "subject.hpp"

namespace suspend {

constexpr std::size_t kBatchSize = 5;

// Retired pointers count themselves, so that each can be shown to be called back once.
inline void count_call(void*, void* ctx) { static_cast<std::atomic<std::uint64_t>*>(ctx)->fetch_add(1, std::memory_order_relaxed); }

// The operations of a domain that take part in every workload: a session around others, flush, retire.
class Clock {
public:
    Clock() { MUST(conex_domain_new(nullptr, &domain)); }

    void flush() { MUST(conex_domain_flush(domain)); }
    // What frozen threads have held back is freed by whoever comes next: thousands of callbacks, which are not to be stepped
    // through one instruction after the other.
    void clear_arrears() {
        conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
        MUST(conex_domain_stats_get(domain, &stats));
        for (int i = 0; i < 4 && stats.pending_objects > 1000; ++i) flush();
    }
    void retire(Worker& worker) {
        MUST(conex_domain_retire(domain, &worker, 64, count_call, &called_));
        retired_.fetch_add(1, std::memory_order_relaxed);
    }
    conex_guard* enter() {
        conex_guard* guard = nullptr;
        MUST(conex_guard_enter(domain, &guard));
        return guard;
    }

    // After the container is gone.
    std::string verify() {
        MUST(conex_domain_destroy(domain));
        if (called_ == retired_) return {};
        return "retirement: " + std::to_string(retired_) + " pointers retired, " + std::to_string(called_) + " called back";
    }

    conex_domain* domain = nullptr;

private:
    std::atomic<std::uint64_t> called_{0}, retired_{0};
};

} // namespace suspend
