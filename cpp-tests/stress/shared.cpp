// SPDX-License-Identifier: MIT OR Apache-2.0
// Counted values under many threads: what a reference keeps is alive, each value is destroyed once, and none is kept that
// nobody has.
#include <conex/shared.hpp>

#include <vector>

#include "stress/trial.hpp"

TEST("what a reference keeps is alive") {
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        using pointer = conex::shared_ptr<types::tracked>;
        conex::domain home;
        {
            conex::atomic_shared_ptr<types::tracked> a(home), b(home), c(home);
            conex::atomic_shared_ptr<types::tracked>* const place[] = {&a, &b, &c};
            support::on_threads(n, [&](unsigned me) {
                support::dice dice(me);
                std::vector<pointer> kept(8);
                while (test.running()) {
                    for (int i = 0; i < 64; ++i) {
                        auto& here = *place[dice.below(3)];
                        pointer& mine = kept[dice.below(kept.size())];
                        switch (dice.below(6)) {
                            case 0: here.store(conex::make_shared_in<types::tracked>(home, 7u)); break;
                            case 1: mine = here.exchange(std::move(mine)); break;
                            case 2: static_cast<void>(here.compare_exchange_strong(mine, kept[0])); break;
                            case 3: here.store(mine); break;
                            default: mine = here.load();
                        }
                        if (mine) CHECK(mine->get() == 7);
                    }
                }
            });
        }
        CHECK(home.barrier(std::chrono::seconds(60)));
        CHECK(home.stats().pending_objects == 0);
    }
}

TEST("a counter by compare_exchange: nothing is lost") {
    for (const unsigned n : support::thread_counts) {
        const stress::trial test;
        conex::atomic_shared_ptr<const std::uint64_t> sum(conex::make_shared<std::uint64_t>(0u));
        std::atomic<std::uint64_t> added{0};
        support::on_threads(n, [&](unsigned) {
            std::uint64_t mine = 0;
            while (test.running()) {
                conex::shared_ptr<const std::uint64_t> seen = sum.load();
                while (!sum.compare_exchange_weak(seen, conex::make_shared<std::uint64_t>(*seen + 1))) {
                }
                ++mine;
            }
            added.fetch_add(mine);
        });
        CHECK(*sum.load() == added.load());
    }
}
