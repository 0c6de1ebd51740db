// SPDX-License-Identifier: MIT OR Apache-2.0
// Reclamation under many threads, for a structure of the user's own: what a guard protects is alive, what is retired is
// destroyed exactly once, memory does not pile up.
#include <conex/guard.hpp>

#include <atomic>
#include <vector>

#include "stress/trial.hpp"

namespace {

/// Writers replace and retire objects that readers are looking at.
void replace_and_read(conex::domain& home, unsigned threads) {
    const support::watchdog dog(stress::patience);
    constexpr std::size_t places = 8;
    std::atomic<types::tracked*> place[places];
    for (std::size_t i = 0; i < places; ++i) place[i].store(new types::tracked(i));
    const support::timer time;
    std::atomic<std::size_t> most{0};
    support::on_threads(threads, [&](unsigned me) {
        support::dice dice(me);
        while (time.running()) {
            conex::guard session(home);
            for (int i = 0; i < 64; ++i) {
                const std::size_t p = dice.below(places);
                if (dice.below(3) == 0) {
                    home.retire(place[p].exchange(new types::tracked(p)));
                } else {
                    const types::tracked* const seen = place[p].load();
                    CHECK(seen->get() == p);
                    if (dice.below(8) == 0) std::this_thread::yield();
                    CHECK(seen->get() == p);
                }
                if (dice.below(16) == 0) session.refresh();
            }
            const std::size_t pending = home.stats().pending_objects;
            std::size_t before = most.load();
            while (pending > before && !most.compare_exchange_weak(before, pending)) {
            }
        }
    });
    for (std::atomic<types::tracked*>& each : place) delete each.load();
    CHECK(most.load() < 1000000);
}

}  // namespace

TEST("what a guard protects is alive") {
    for (const unsigned n : support::thread_counts) {
        const types::balance balance;
        conex::domain home;
        replace_and_read(home, n);
    }
}

TEST("the default domain too") {
    for (const unsigned n : support::thread_counts) {
        const types::balance balance;
        replace_and_read(conex::domain::default_domain(), n);
        CHECK(conex::domain::default_domain().barrier(std::chrono::seconds(60)));
    }
}

TEST("barrier: all that was retired before is gone after") {
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        conex::domain home;
        support::on_threads(n, [&](unsigned) {
            while (test.running()) {
                std::atomic<int> gone{0};
                for (int i = 0; i < 10; ++i) {
                    conex::guard session(home);
                    home.retire(new types::tracked(1), [&gone](types::tracked* p) {
                        delete p;
                        gone.fetch_add(1);
                    });
                }
                if (!CHECK(home.barrier(std::chrono::seconds(60)))) std::abort();  // `gone` would not outlive this
                CHECK(gone.load() == 10);
            }
        });
    }
}

TEST("threads come and go") {
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        conex::domain home;
        support::on_passing_threads(n, test.time, [&](unsigned, std::uint64_t) {
            conex::guard session(home);
            for (int i = 0; i < 20; ++i) home.retire(new types::tracked(1));
        });
        CHECK(home.barrier(std::chrono::seconds(60)));
        CHECK(home.stats().pending_objects == 0);
    }
}

TEST("domains are made and destroyed by many threads") {
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        support::on_threads(n, [&](unsigned) {
            while (test.running()) {
                conex::domain home;
                for (int i = 0; i < 10; ++i) {
                    conex::guard session(home);
                    home.retire(new types::tracked(1));
                }
            }
        });
    }
}
