// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::guard and conex::domain: every member function.
#include <conex/guard.hpp>
#include <conex/queue.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <type_traits>

#include "support/check.hpp"
#include "support/types.hpp"

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<conex::guard> && !std::is_move_constructible_v<conex::guard>);
static_assert(std::is_nothrow_move_constructible_v<conex::domain> && std::is_nothrow_move_assignable_v<conex::domain>);
static_assert(!std::is_copy_constructible_v<conex::domain>);

TEST("what is retired waits for the guard, then goes") {
    const types::balance balance;
    conex::domain home;
    const long before = types::alive.load();
    {
        conex::guard session(home);
        CHECK(session.native_handle() != nullptr);
        CHECK(home.stats().guards == 1);
        for (std::uint64_t i = 0; i < 1000; ++i) home.retire(new types::tracked(i));
        home.flush();
        CHECK(types::alive.load() == before + 1000);
        CHECK(home.stats().pending_objects == 1000);
        CHECK(home.stats().pending_bytes == 1000 * ((sizeof(types::tracked) + 15) / 16 * 16)); // each rounded up to 16
        CHECK(home.stats().oldest_guard >= 0ns);
    }
    CHECK(home.barrier(10s));
    CHECK(types::alive.load() == before);
    CHECK(home.stats().pending_objects == 0);
    CHECK(home.stats().pending_bytes == 0);
    CHECK(home.stats().guards == 0);
}

TEST("guards nest, in each order of leaving that scopes allow") {
    conex::domain home;
    conex::guard outer(home);
    {
        conex::guard inner(home);
        inner.refresh();
        CHECK(home.stats().guards >= 1);
    }
    outer.refresh();
    conex::guard in_default;
    conex::guard by_handle(conex_domain_default());
}

TEST("refresh lets memory go") {
    const types::balance balance;
    conex::domain home;
    const long before = types::alive.load();
    std::atomic<int> step{0};
    std::thread reader([&] {
        conex::guard session(home);
        step.store(1);
        while (step.load() != 2) std::this_thread::yield();
        // Refreshing again and again, as a long-running reader does, the domain must become free.
        while (step.load() != 3) session.refresh();
    });
    while (step.load() != 1) std::this_thread::yield();
    home.retire(new types::tracked(1));
    CHECK(!home.barrier(20ms));
    CHECK(types::alive.load() == before + 1);
    step.store(2);
    CHECK(home.barrier(10s));
    CHECK(types::alive.load() == before);
    step.store(3);
    reader.join();
}

TEST("deleters: without state, with state, function pointers") {
    const types::balance balance;
    static std::atomic<int> ran{0};
    ran = 0;
    struct stateless {
        void operator()(types::tracked* p) const noexcept {
            delete p;
            ++ran;
        }
    };
    conex::domain home;
    home.retire(new types::tracked(1), stateless());
    auto count = std::make_shared<int>(0);
    home.retire(new types::tracked(2), [count](types::tracked* p) {
        delete p;
        ++*count;
    });
    void (*function)(types::tracked*) = [](types::tracked* p) { delete p; };
    home.retire(new types::tracked(3), function);
    home.retire(new const types::tracked(4));
    auto owned = std::make_unique<types::move_only>(5u);
    types::move_only* const raw = owned.get();
    home.retire(raw, [keep = std::move(owned)](types::move_only*) {});
    CHECK(home.barrier(10s));
    CHECK(ran.load() == 1);
    CHECK(*count == 1);
    CHECK(count.use_count() == 1);
}

TEST("a deleter may use the domain and a container") {
    const types::balance balance;
    conex::domain home;
    {
        conex::queue<int> seen(home);
        home.retire(new types::tracked(1), [&](types::tracked* p) {
            delete p;
            seen.push(1);
            home.retire(new types::tracked(2), [&](types::tracked* q) {
                delete q;
                seen.push(2);
            });
        });
        for (int i = 0; i < 10 && seen.size_approx() < 2; ++i) CHECK(home.barrier(10s));
        CHECK(seen.try_pop() == 1);
        CHECK(seen.try_pop() == 2);
    }
}

TEST("destroying a domain runs what is pending") {
    const types::balance balance;
    conex::domain home;
    for (std::uint64_t i = 0; i < 100; ++i) home.retire(new types::tracked(i));
    conex::domain moved(std::move(home));
    CHECK(home.native_handle() == nullptr);
    moved.retire(new types::tracked(1));
    moved = conex::domain();
    moved.retire(new types::tracked(1));
}

TEST("a limit tells when a guard holds back too much") {
    const types::balance balance;
    std::atomic<int> calls{0};
    conex::domain first(10000, [&](const conex::domain_stats& now) {
        CHECK(now.pending_bytes >= 10000);
        ++calls;
    });
    conex::domain home(std::move(first));
    {
        const conex::guard session(home);
        for (std::uint64_t i = 0; i < 1000; ++i) home.retire(new types::tracked(i));
    }
    CHECK(calls >= 1 && calls <= 4);
    CHECK(home.barrier(10s));
#if defined(__cpp_exceptions)
    CHECK_THROWS(std::logic_error, conex::domain(0, [](const conex::domain_stats&) {}));
    CHECK_THROWS(std::logic_error, conex::domain(1, nullptr));
#endif
}

TEST("the default domain is one, and works") {
    const types::balance balance;
    conex::domain& home = conex::domain::default_domain();
    CHECK(&home == &conex::domain::default_domain());
    CHECK(home.native_handle() == conex_domain_default());
    home.retire(new types::tracked(1));
    CHECK(home.barrier(10s));
}

TEST("barrier takes every duration") {
    conex::domain home;
    int object = 0;
    home.retire(&object, [](int* p) { ++*p; });
    // With no time it makes one attempt, which may or may not be enough; it must come back.
    static_cast<void>(home.barrier(0s));
    static_cast<void>(home.barrier(-5s));
    static_cast<void>(home.barrier(1ns));
    CHECK(home.barrier(std::chrono::hours::max()));
    CHECK(object == 1);
    CHECK(home.barrier(std::chrono::duration<double>(10.5)));
    CHECK(home.barrier(std::chrono::duration<int, std::ratio<86400>>(1)));
}

#if defined(__cpp_exceptions)
TEST("misuse is std::logic_error") {
    conex::domain home;
    {
        conex::guard session(home);
        CHECK_THROWS(std::logic_error, home.barrier(1s));
    }
    CHECK_THROWS(std::logic_error, home.retire(static_cast<int*>(nullptr)));
    CHECK_THROWS(std::logic_error, home.retire(static_cast<int*>(nullptr), [&](int*) { CHECK(false); }));
    conex::queue<int> q;
    CHECK_THROWS(std::logic_error, conex::guard(reinterpret_cast<conex_domain*>(q.native_handle())));
}
#endif

#if defined(__cpp_exceptions)
TEST("a domain that was moved from is not taken for the default one") {
    conex::domain home;
    const conex::domain moved(std::move(home));
    CHECK_THROWS(std::logic_error, home.flush());
    CHECK_THROWS(std::logic_error, home.stats());
    CHECK_THROWS(std::logic_error, home.barrier(0s));
    CHECK_THROWS(std::logic_error, conex::guard(home));
    CHECK_THROWS(std::logic_error, conex::queue<int>(home));
    int object = 0;
    CHECK_THROWS(std::logic_error, home.retire(&object));
}
#endif
