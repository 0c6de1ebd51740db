// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::rcu_domain, rcu_obj_base and the functions of RCU.
#include <conex/rcu.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>

#include "support/check.hpp"
#include "support/types.hpp"

static_assert(!std::is_copy_constructible_v<conex::rcu_domain> && !std::is_move_constructible_v<conex::rcu_domain>);

namespace {

struct node : conex::rcu_obj_base<node> {
    explicit node(std::uint64_t v) : value(v) {}
    types::tracked value;
};

struct count_end {
    std::shared_ptr<int> ended;
    template <class T>
    void operator()(T* object) const noexcept {
        delete object;
        ++*ended;
    }
};
struct wide : types::tracked, conex::rcu_obj_base<wide, count_end> {
    using types::tracked::tracked;
};

std::size_t guards(conex::rcu_domain& home) {
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    CHECK(conex_domain_stats_get(home.native_handle(), &stats) == CONEX_OK);
    return stats.guards;
}

}  // namespace

TEST("what was reachable in a region stays to its end") {
    const types::balance balance;
    conex::rcu_domain& rcu = conex::rcu_default_domain();
    CHECK(&rcu == &conex::rcu_default_domain() && rcu.native_handle() == conex_domain_default());
    std::atomic<node*> current{new node(1)};
    const long before = types::alive.load();
    {
        const std::scoped_lock region(rcu);
        const node* const seen = current.load();
        current.exchange(new node(2))->retire();
        for (std::uint64_t i = 0; i < 1000; ++i) (new node(i))->retire();
        CHECK(seen->value.get() == 1);
        CHECK(types::alive.load() == before + 1001);
    }
    conex::rcu_barrier();
    CHECK(types::alive.load() == before);
    delete current.load();
}

TEST("regions nest, in one domain and over several") {
    conex::domain a, b;
    conex::rcu_domain one(a), two(b);
    one.lock();
    CHECK(one.try_lock());
    two.lock();
    one.lock();
    CHECK(guards(one) == 3 && guards(two) == 1);
    one.unlock();
    one.unlock();
    CHECK(guards(one) == 1);
    CHECK(conex_domain_destroy(a.native_handle()) == CONEX_BUSY);
    one.unlock();
    CHECK(guards(one) == 0 && guards(two) == 1);
    CHECK(conex_domain_unlock(one.native_handle()) == CONEX_ERR_INVALID);
    one.lock();
    two.unlock();
    CHECK(guards(one) == 1 && guards(two) == 0);
    one.unlock();
    CHECK(guards(one) == 0);
    conex::rcu_barrier(one);
    conex::rcu_synchronize(two);
}

TEST("synchronize waits for a region of another thread, and not for a later one") {
    conex::domain home;
    conex::rcu_domain rcu(home);
    std::atomic<int> step{0};
    std::thread reader([&] {
        rcu.lock();
        step = 1;
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        step = 2;
        rcu.unlock();
    });
    while (step.load() == 0) std::this_thread::yield();
    conex::rcu_synchronize(rcu);
    CHECK(step.load() == 2);
    reader.join();
    conex::rcu_synchronize(rcu);
}

TEST("rcu_retire, deleters with state, bases that are not the first") {
    const types::balance balance;
    auto ended = std::make_shared<int>(0);
    conex::domain home;
    conex::rcu_domain rcu(home);
    conex::rcu_retire(new types::tracked(1), std::default_delete<types::tracked>(), rcu);
    conex::rcu_retire(new types::tracked(2), count_end{ended}, rcu);
    (new wide(3))->retire(count_end{ended}, rcu);
    conex::rcu_barrier(rcu);
    CHECK(*ended == 2 && ended.use_count() == 1);
    conex::rcu_retire(new types::tracked(4));
    (new wide(5))->retire(count_end{ended});
    conex::rcu_barrier();
    CHECK(*ended == 3);
    (new wide(6))->retire(count_end{ended}, rcu);  // ended with the domain
}

TEST("a deleter may retire") {
    const types::balance balance;
    static std::atomic<int> ended{0};
    ended = 0;
    struct chain : conex::rcu_obj_base<chain, void (*)(chain*)> {
        int left;
        explicit chain(int n) : left(n) {}
        static void end(chain* c) {
            const std::scoped_lock region(conex::rcu_default_domain());
            if (c->left > 0) (new chain(c->left - 1))->retire(end);
            ++ended;
            delete c;
        }
    };
    (new chain(99))->retire(chain::end);
    for (int i = 0; i < 1000 && ended < 100; ++i) conex::rcu_barrier();
    CHECK(ended == 100);
}

#if defined(__cpp_exceptions)
TEST("misuse is std::logic_error") {
    conex::domain gone;
    const conex::domain taken(std::move(gone));
    CHECK_THROWS(std::logic_error, (conex::rcu_domain(gone), 0));
    CHECK_THROWS(std::logic_error, (conex::rcu_retire(static_cast<int*>(nullptr)), 0));
}
#endif
