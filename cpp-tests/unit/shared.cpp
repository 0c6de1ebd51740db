// SPDX-License-Identifier: MIT OR Apache-2.0
// conex::shared_ptr and atomic_shared_ptr: every member function.
#include <conex/guard.hpp>
#include <conex/shared.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <type_traits>

#include "support/check.hpp"
#include "support/types.hpp"

using namespace std::chrono_literals;

static_assert(std::is_nothrow_default_constructible_v<conex::shared_ptr<int>>);
static_assert(std::is_nothrow_copy_constructible_v<conex::shared_ptr<int>>);
static_assert(std::is_nothrow_move_constructible_v<conex::shared_ptr<int>>);
static_assert(std::is_nothrow_swappable_v<conex::shared_ptr<int>>);
static_assert(std::is_convertible_v<conex::shared_ptr<int>, conex::shared_ptr<const int>>);
static_assert(!std::is_convertible_v<conex::shared_ptr<const int>, conex::shared_ptr<int>>);
static_assert(!std::is_copy_constructible_v<conex::atomic_shared_ptr<int>> && !std::is_move_constructible_v<conex::atomic_shared_ptr<int>>);
static_assert(conex::atomic_shared_ptr<int>::is_always_lock_free);

TEST("shared_ptr: copies, moves, counts") {
    const types::balance balance;
    const long before = types::alive.load();
    conex::shared_ptr<types::tracked> none;
    CHECK(!none && none == nullptr && none.get() == nullptr && none.use_count() == 0 && none.native_handle() == nullptr);
    auto one = conex::make_shared<types::tracked>(7u);
    CHECK(one && one != nullptr && one->get() == 7 && (*one).get() == 7 && one.use_count() == 1);
    auto two = one;
    CHECK(two == one && two.use_count() == 2 && one.get() == two.get());
    conex::shared_ptr<types::tracked> three(std::move(two));
    CHECK(!two && three == one && one.use_count() == 2);
    conex::shared_ptr<const types::tracked> constant = three;
    CHECK(constant->get() == 7 && one.use_count() == 3);
    constant = std::move(three);
    CHECK(!three && one.use_count() == 2);
    one = one;  // NOLINT: what is tested
    CHECK(one->get() == 7);
    swap(one, none);
    CHECK(!one && none->get() == 7);
    none.reset();
    CHECK(types::alive.load() == before + 1);
    constant.reset();
    CHECK(types::alive.load() == before);
}

TEST("make_shared: any arguments, any layout") {
    const types::balance balance;
    struct alignas(256) wide {
        std::string text;
        std::unique_ptr<int> owned;
        int& out;
        wide(std::string t, std::unique_ptr<int> o, int& r) : text(std::move(t)), owned(std::move(o)), out(r) {}
        wide(const wide&) = delete;
        ~wide() { ++out; }
    };
    int ended = 0;
    {
        const auto made = conex::make_shared<wide>("text", std::make_unique<int>(3), ended);
        CHECK(reinterpret_cast<std::uintptr_t>(made.get()) % 256 == 0);
        CHECK(made->text == "text" && *made->owned == 3);
    }
    CHECK(ended == 1);
    CHECK(*conex::make_shared<char>('c') == 'c');
}

TEST("atomic_shared_ptr: every operation") {
    const types::balance balance;
    using pointer = conex::shared_ptr<types::tracked>;
    conex::atomic_shared_ptr<types::tracked> place;
    CHECK(place.is_lock_free() && place.native_handle() != nullptr);
    CHECK(place.load() == nullptr);
    place.store(conex::make_shared<types::tracked>(1u));
    pointer seen = place;
    CHECK(seen->get() == 1 && seen.use_count() == 2);
    place = conex::make_shared<types::tracked>(2u);
    CHECK(seen.use_count() == 1 && seen->get() == 1);
    pointer two = place.exchange(seen);
    CHECK(two->get() == 2 && place.load() == seen);

    pointer expected = two;
    CHECK(!place.compare_exchange_strong(expected, two));
    CHECK(expected == seen);
    CHECK(place.compare_exchange_strong(expected, two));
    CHECK(place.load() == two && expected == seen);
    expected = nullptr;
    CHECK(!place.compare_exchange_weak(expected, nullptr) && expected == two);
    CHECK(place.compare_exchange_weak(expected, nullptr) && place.load() == nullptr);
    expected = nullptr;
    CHECK(place.compare_exchange_strong(expected, seen) && place.load() == seen);
}

TEST("a value outlives its place; readers see const") {
    const types::balance balance;
    conex::shared_ptr<const types::tracked> kept;
    {
        conex::atomic_shared_ptr<const types::tracked> place(conex::make_shared<types::tracked>(5u));
        kept = place.load();
    }
    CHECK(kept->get() == 5 && kept.use_count() == 1);
}

TEST("a domain of one's own, held back by nothing") {
    const types::balance balance;
    conex::domain home;
    const long before = types::alive.load();
    {
        conex::atomic_shared_ptr<types::tracked> place(home, conex::make_shared_in<types::tracked>(home, 1u));
        const conex::guard session(home);
        for (std::uint64_t i = 0; i < 1000; ++i) place.store(conex::make_shared_in<types::tracked>(home, i));
        CHECK(types::alive.load() == before + 1);  // the guard holds back memory, not ends
    }
    CHECK(types::alive.load() == before);
    CHECK(home.barrier(10s));
    CHECK(home.stats().pending_objects == 0);
}

TEST("the end of a value may use the place") {
    const types::balance balance;
    struct chain {
        conex::atomic_shared_ptr<chain>* place;
        int left;
        types::life life;
        chain(conex::atomic_shared_ptr<chain>* p, int n) : place(p), left(n) {}
        ~chain() {
            if (left == 0) return;
            place->store(conex::make_shared<chain>(place, left - 1));
            place->store(nullptr);
        }
    };
    conex::atomic_shared_ptr<chain> place;
    place.store(conex::make_shared<chain>(&place, 50));
    place.store(nullptr);
}

#if defined(__cpp_exceptions)
TEST("an exception of a constructor comes out, and nothing is left") {
    const types::balance balance;
    struct refuses {
        types::life life;
        explicit refuses(int n) {
            if (n == 1) throw n;
        }
    };
    int caught = 0;
    try {
        static_cast<void>(conex::make_shared<refuses>(1));
    } catch (int n) {
        caught = n;
    }
    CHECK(caught == 1);
    CHECK(conex::make_shared<refuses>(2) != nullptr);
}

TEST("misuse is std::logic_error") {
    const types::balance balance;
    conex::domain one, two;
    auto mine = conex::make_shared_in<types::tracked>(one, 1u);
    conex::atomic_shared_ptr<types::tracked> place(two);
    CHECK_THROWS(std::logic_error, place.store(mine));
    CHECK_THROWS(std::logic_error, place.exchange(mine));
    conex::shared_ptr<types::tracked> none;
    CHECK_THROWS(std::logic_error, place.compare_exchange_strong(none, mine));
    CHECK_THROWS(std::logic_error, conex::atomic_shared_ptr<types::tracked>(mine));
    CHECK(mine.use_count() == 1 && place.load() == nullptr);
    conex::domain gone;
    const conex::domain taken(std::move(gone));
    CHECK_THROWS(std::logic_error, conex::make_shared_in<int>(gone, 1));
    CHECK_THROWS(std::logic_error, conex::atomic_shared_ptr<int>(gone));
}
#endif
