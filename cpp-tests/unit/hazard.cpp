// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::hazard_pointer and hazard_pointer_obj_base: every member function.
#include <conex/guard.hpp>
#include <conex/hazard.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <type_traits>
#include <vector>

#include "support/check.hpp"
#include "support/types.hpp"

using namespace std::chrono_literals;

static_assert(std::is_nothrow_default_constructible_v<conex::hazard_pointer>);
static_assert(std::is_nothrow_move_constructible_v<conex::hazard_pointer> && std::is_nothrow_move_assignable_v<conex::hazard_pointer>);
static_assert(!std::is_copy_constructible_v<conex::hazard_pointer> && !std::is_copy_assignable_v<conex::hazard_pointer>);
static_assert(std::is_nothrow_swappable_v<conex::hazard_pointer>);

namespace {

struct node : conex::hazard_pointer_obj_base<node> {
    explicit node(std::uint64_t v) : value(v) {}
    types::tracked value;
};

/// A class whose base is not at its beginning, and whose deleter has state.
struct count_end {
    std::shared_ptr<int> ended;
    template <class T>
    void operator()(T* object) const noexcept {
        delete object;
        ++*ended;
    }
};
struct wide : types::tracked, conex::hazard_pointer_obj_base<wide, count_end> {
    using types::tracked::tracked;
};

}  // namespace

TEST("what is protected stays, then goes") {
    const types::balance balance;
    conex::domain home;
    conex::hazard_pointer hp = conex::make_hazard_pointer(home);
    CHECK(!hp.empty() && hp.native_handle() != nullptr);
    std::atomic<node*> current{new node(1)};
    node* const seen = hp.protect(current);
    current.exchange(new node(2))->retire(home);
    for (std::uint64_t i = 0; i < 1000; ++i) (new node(i))->retire(home);
    CHECK(!home.barrier(1ms));
    CHECK(seen->value.get() == 1);
    CHECK(home.stats().pending_objects == 1);
    CHECK(hp.protect(current)->value.get() == 2);
    CHECK(home.barrier(10s));
    current.exchange(nullptr)->retire(home);
    CHECK(hp.protect(current) == nullptr);
    CHECK(home.barrier(10s));
    CHECK(home.stats().pending_objects == 0);
}

TEST("try_protect") {
    const types::balance balance;
    conex::domain home;
    conex::hazard_pointer hp = conex::make_hazard_pointer(home);
    std::atomic<node*> current{new node(1)};
    node* wanted = current.load();
    CHECK(hp.try_protect(wanted, current));
    node* const old = current.exchange(new node(2));
    CHECK(wanted == old);
    CHECK(!hp.try_protect(wanted, current));
    CHECK(wanted == current.load());
    CHECK(hp.try_protect(wanted, current));
    old->retire(home);
    CHECK(home.barrier(10s));
    delete current.load();
    hp.reset_protection();
    std::atomic<const int*> constant{nullptr};
    CHECK(hp.protect(constant) == nullptr);
}

TEST("reset_protection, swap, moves") {
    const types::balance balance;
    conex::domain home;
    conex::hazard_pointer none;
    CHECK(none.empty() && none.native_handle() == nullptr);
    conex::hazard_pointer one = conex::make_hazard_pointer(home);
    node* const fresh = new node(1);
    one.reset_protection(fresh);
    fresh->retire(home);
    const auto stays = [&] {
        home.flush();
        return home.stats().pending_objects == 1 && fresh->value.get() == 1;
    };
    CHECK(stays());
    swap(one, none);
    CHECK(one.empty() && !none.empty() && stays());
    one.swap(none);
    CHECK(!one.empty() && none.empty() && stays());
    conex::hazard_pointer two(std::move(one));
    CHECK(one.empty() && stays());
    none = std::move(two);
    CHECK(two.empty() && stays());
    none.reset_protection(nullptr);
    CHECK(home.barrier(10s));
    none = conex::hazard_pointer();
    CHECK(none.empty());
}

TEST("destruction ends the protection") {
    const types::balance balance;
    conex::domain home;
    {
        conex::hazard_pointer hp = conex::make_hazard_pointer(home);
        std::atomic<node*> current{new node(1)};
        CHECK(hp.protect(current) != nullptr);
        current.load()->retire(home);
    }
    home.flush();
    CHECK(home.stats().pending_objects == 0);
}

TEST("guards and hazard pointers do not matter to each other") {
    const types::balance balance;
    conex::domain home;
    const conex::guard session(home);
    (new node(1))->retire(home);
    home.flush();
    CHECK(home.stats().pending_objects == 0);
}

TEST("a deleter with state, a base that is not the first") {
    const types::balance balance;
    auto ended = std::make_shared<int>(0);
    {
        conex::domain home;
        conex::hazard_pointer hp = conex::make_hazard_pointer(home);
        std::atomic<wide*> current{new wide(7)};
        const wide* const seen = hp.protect(current);
        current.load()->retire(home, count_end{ended});
        home.flush();
        CHECK(*ended == 0 && seen->get() == 7);
        hp.reset_protection();
        (new wide(8))->retire(home, count_end{ended});
        home.flush();
        CHECK(*ended == 2);
        (new wide(9))->retire(home, count_end{ended});
        hp = conex::hazard_pointer();
    }
    CHECK(*ended == 3);
    CHECK(ended.use_count() == 1);
}

TEST("the default domain") {
    const types::balance balance;
    conex::hazard_pointer hp = conex::make_hazard_pointer();
    std::atomic<node*> current{new node(1)};
    CHECK(hp.protect(current)->value.get() == 1);
    current.load()->retire();
    CHECK(!conex::domain::default_domain().barrier(1ms));
    hp.reset_protection();
    CHECK(conex::domain::default_domain().barrier(10s));
}

TEST("a deleter may retire, protect and use containers' domains") {
    const types::balance balance;
    static std::atomic<int> ended{0};
    ended = 0;
    static conex::domain* home;
    struct chain : conex::hazard_pointer_obj_base<chain, void (*)(chain*)> {
        int left;
        explicit chain(int n) : left(n) {}
        static void end(chain* c) {
            conex::hazard_pointer hp = conex::make_hazard_pointer(*home);
            std::atomic<chain*> mine{c};
            CHECK(hp.protect(mine) == c);
            if (c->left > 0) (new chain(c->left - 1))->retire(*home, end);
            ++ended;
            delete c;
        }
    };
    conex::domain own;
    home = &own;
    (new chain(99))->retire(own, chain::end);
    for (int i = 0; i < 200 && ended < 100; ++i) CHECK(own.barrier(10s));
    CHECK(ended == 100);
}

#if defined(__cpp_exceptions)
TEST("misuse is std::logic_error") {
    conex::domain home;
    const conex::domain moved(std::move(home));
    CHECK_THROWS(std::logic_error, conex::make_hazard_pointer(home));
    node local(1);
    CHECK_THROWS(std::logic_error, local.retire(home));
}
#endif
