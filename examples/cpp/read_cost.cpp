// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a protected read of one's own pointer costs, by each technique, while nobody writes. Prints nanoseconds a read; an
// argument is the number of reads to measure.
#include <conex/guard.hpp>
#include <conex/hazard.hpp>
#include <conex/rcu.hpp>
#include <conex/shared.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>

struct value {
    long number = 1;
};

static long sum;

template <class F>
static void measure(const char* name, long reads, F&& read) {
    double best = 1e9;
    for (int round = 0; round < 5; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (long i = 0; i < reads; ++i) sum += read();
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count() / static_cast<double>(reads));
    }
    std::printf("%-52s %7.1f ns\n", name, best);
}

int main(int argc, char** argv) {
    const long reads = argc > 1 ? std::atol(argv[1]) : 20000;
    std::atomic<value*> one{new value}, other{new value};
    std::mutex mutex;
    std::shared_mutex rw_mutex;
    conex::atomic_shared_ptr<value> counted(conex::make_shared<value>());
    conex::hazard_pointer hp = conex::make_hazard_pointer();
    conex::rcu_domain& rcu = conex::rcu_default_domain();

    measure("no protection (for comparison)", reads, [&] { return one.load(std::memory_order_acquire)->number; });
    {
        conex::guard session;
        measure("guard: a read inside of one", reads, [&] { return one.load(std::memory_order_acquire)->number; });
        measure("guard: refreshed for each read", reads, [&] {
            session.refresh();
            return one.load(std::memory_order_acquire)->number;
        });
        const std::scoped_lock outer(rcu);
        measure("rcu: a region inside of another", reads, [&] {
            const std::scoped_lock region(rcu);
            return one.load(std::memory_order_acquire)->number;
        });
    }
    measure("guard: entered and left for each read", reads, [&] {
        conex::guard session;
        return one.load(std::memory_order_acquire)->number;
    });
    measure("rcu: a region for each read", reads, [&] {
        const std::scoped_lock region(rcu);
        return one.load(std::memory_order_acquire)->number;
    });
    measure("hazard pointer: the object that it has already", reads, [&] { return hp.protect(one)->number; });
    bool turn = false;
    measure("hazard pointer: another object each time", reads, [&] {
        turn = !turn;
        return hp.protect(turn ? one : other)->number;
    });
    measure("hazard pointer: made for each read", reads, [&] {
        return conex::make_hazard_pointer().protect(one)->number;
    });
    measure("shared: load, read, release", reads, [&] { return counted.load()->number; });
    measure("std::mutex", reads, [&] {
        const std::scoped_lock lock(mutex);
        return one.load()->number;
    });
    measure("std::shared_mutex, shared", reads, [&] {
        const std::shared_lock lock(rw_mutex);
        return one.load()->number;
    });
    hp.reset_protection();
    delete one.load();
    delete other.load();
    return sum > 0 ? 0 : 1;
}
