// SPDX-License-Identifier: MIT OR Apache-2.0
// Read-copy-update under many threads: what a region sees is alive, and synchronize separates regions from ends.
#include <conex/rcu.hpp>

#include <atomic>
#include <mutex>

#include "stress/trial.hpp"

namespace {
struct node : conex::rcu_obj_base<node> {
    explicit node(std::uint64_t v) : value(v) {}
    types::tracked value;
};
}  // namespace

TEST("what a region sees is alive") {
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        conex::domain own;
        conex::rcu_domain home(own);
        std::atomic<node*> place[4];
        for (std::size_t i = 0; i < 4; ++i) place[i].store(new node(i));
        support::on_threads(n, [&](unsigned me) {
            support::dice dice(me);
            while (test.running()) {
                const std::size_t p = dice.below(4);
                switch (dice.below(6)) {
                    case 0: place[p].exchange(new node(p))->retire({}, home); break;
                    case 1: {
                        node* const old = place[p].exchange(new node(p));
                        if (dice.below(50) == 0) {
                            conex::rcu_synchronize(home);
                            delete old;
                        } else {
                            conex::rcu_retire(old, std::default_delete<node>(), home);
                        }
                        break;
                    }
                    default: {
                        const std::scoped_lock region(home);
                        const node* const seen = place[p].load();
                        CHECK(seen->value.get() == p);
                        if (dice.below(8) == 0) std::this_thread::yield();
                        if (dice.below(8) == 0) {
                            const std::scoped_lock inner(home);
                            CHECK(seen->value.get() == p);
                        }
                        CHECK(seen->value.get() == p);
                    }
                }
            }
        });
        for (std::atomic<node*>& each : place) delete each.load();
        conex::rcu_barrier(home);
    }
}
