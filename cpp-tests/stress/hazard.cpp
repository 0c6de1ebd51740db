// SPDX-License-Identifier: MIT OR Apache-2.0
// Hazard pointers under many threads: what one protects is alive, what is retired ends exactly once, and what waits stays
// within the bound.
#include <conex/hazard.hpp>

#include <atomic>
#include <vector>

#include "stress/trial.hpp"

namespace {

struct node : conex::hazard_pointer_obj_base<node> {
    explicit node(std::uint64_t v) : value(v) {}
    types::tracked value;
};

/// Each thread has two hazard pointers; there are places for as many objects.
void replace_and_read(conex::domain& home, unsigned threads, std::size_t before) {
    const support::watchdog dog(stress::patience);
    constexpr std::size_t places = 8;
    std::atomic<node*> place[places];
    for (std::size_t i = 0; i < places; ++i) place[i].store(new node(i));
    const support::timer time;
    std::atomic<std::size_t> most{0};
    support::on_threads(threads, [&](unsigned me) {
        support::dice dice(me);
        conex::hazard_pointer hazards[2] = {conex::make_hazard_pointer(home), conex::make_hazard_pointer(home)};
        while (time.running()) {
            for (int i = 0; i < 64; ++i) {
                const std::size_t p = dice.below(places);
                conex::hazard_pointer& hp = hazards[dice.below(2)];
                if (dice.below(3) == 0) {
                    place[p].exchange(new node(p))->retire(home);
                } else {
                    const node* const seen = hp.protect(place[p]);
                    CHECK(seen->value.get() == p);
                    if (dice.below(8) == 0) std::this_thread::yield();
                    CHECK(seen->value.get() == p);
                    if (dice.below(4) == 0) hp.reset_protection();
                }
                if (dice.below(64) == 0) hp = conex::make_hazard_pointer(home);
                if (dice.below(64) == 0) swap(hazards[0], hazards[1]);
            }
            const std::size_t pending = home.stats().pending_objects;
            std::size_t seen = most.load();
            while (pending > seen && !most.compare_exchange_weak(seen, pending)) {
            }
        }
    });
    for (std::atomic<node*>& each : place) delete each.load();
    // At most three hazard pointers a thread at once, and every thread in the middle of a scan at worst.
    const std::size_t list = 64 + 2 * (3 * threads) + threads;
    CHECK(most.load() <= before + (1 + threads) * list);
}

}  // namespace

TEST("what a hazard pointer protects is alive") {
    for (const unsigned n : support::thread_counts) {
        const types::balance balance;
        conex::domain home;
        replace_and_read(home, n, 0);
        CHECK(home.barrier(std::chrono::seconds(60)));
        CHECK(home.stats().pending_objects == 0);
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
                    const auto end = [](void* ptr, void* ctx) {
                        conex::detail::tsan_acquire(ctx);
                        delete static_cast<types::tracked*>(ptr);
                        static_cast<std::atomic<int>*>(ctx)->fetch_add(1);
                    };
                    conex::detail::tsan_release(&gone);
                    CHECK(conex_hazard_retire(home.native_handle(), new types::tracked(1), 8, end, &gone) == CONEX_OK);
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
        std::atomic<node*> current{new node(7)};
        support::on_passing_threads(n, test.time, [&](unsigned, std::uint64_t) {
            conex::hazard_pointer hp = conex::make_hazard_pointer(home);
            CHECK(hp.protect(current)->value.get() == 7);
            for (int i = 0; i < 20; ++i) current.exchange(new node(7))->retire(home);
        });
        delete current.load();
        CHECK(home.barrier(std::chrono::seconds(60)));
        CHECK(home.stats().pending_objects == 0);
    }
}
