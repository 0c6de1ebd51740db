// SPDX-License-Identifier: MIT OR Apache-2.0
// An allocator that fails at the N-th call, for every N of a scenario: the operation answers CONEX_ERR_NO_MEMORY and has
// changed nothing, the container goes on when there is memory again, no element is lost, and every byte is given back.
#include <conex/conex.h>

#include <map>
#include <string>
#include <vector>

#include "support/allocator.hpp"
#include "support/check.hpp"

namespace {

/// Elements that are pointers to counted objects: one that is lost stays in `alive`.
struct object {
    std::uint64_t number;
};
std::size_t alive = 0;

object* make_object(std::uint64_t number) {
    ++alive;
    return new object{number};
}
void free_object(object* o) {
    --alive;
    delete o;
}
void drop_object(void* element, void*) {
    object* o = nullptr;
    std::memcpy(static_cast<void*>(&o), element, sizeof o);
    free_object(o);
}
std::int32_t clone_object(void* to, const void* from, void*) {
    object* o = nullptr;
    std::memcpy(static_cast<void*>(&o), from, sizeof o);
    o = make_object(o->number);
    std::memcpy(to, static_cast<const void*>(&o), sizeof o);
    return 0;
}

conex_element objects() {
    conex_element e = CONEX_ELEMENT_WORD;
    e.drop = drop_object;
    e.clone = clone_object;
    return e;
}

/// Runs `scenario(allocator)` with no failure, then with the N-th allocation failing, for all N.
template <class Scenario>
void at_every_allocation(Scenario scenario) {
    long calls = 0;
    {
        support::counting_allocator allocator;
        scenario(allocator);
        calls = static_cast<long>(allocator.calls());
        CHECK(allocator.refusals() == 0);
        CHECK(allocator.bytes() == 0);
        CHECK(alive == 0);
    }
    CHECK(calls > 0);
    for (long n = 0; n < calls; ++n) {
        support::counting_allocator allocator;
        allocator.fail_after(n);
        scenario(allocator);
        CHECK(allocator.refusals() > 0);
        CHECK(allocator.bytes() == 0);
        CHECK(alive == 0);
    }
}

/// Repeats `attempt` with memory if it fails without. What it must not do the first time, it must do the second.
template <class Attempt>
conex_status persist(support::counting_allocator& allocator, Attempt attempt) {
    conex_status status = attempt();
    if (status == CONEX_ERR_NO_MEMORY) {
        allocator.fail_after(-1);
        status = attempt();
    }
    CHECK(status >= 0);
    return status;
}

}  // namespace

TEST("stack: push, push_n") {
    at_every_allocation([](support::counting_allocator& allocator) {
        conex_stack_options o = CONEX_STACK_OPTIONS_INIT;
        o.element = objects();
        o.allocator = allocator.hooks();
        conex_stack* s = nullptr;
        persist(allocator, [&] { return conex_stack_new(&o, &s); });
        std::size_t inside = 0;
        const auto verify = [&] {
            std::size_t n = 0;
            CHECK(conex_stack_len(s, &n) == CONEX_OK && n == inside);
        };
        for (std::uint64_t i = 0; i < 20; ++i) {
            object* mine = make_object(i);
            persist(allocator, [&] {
                const conex_status status = conex_stack_push(s, &mine);
                if (status == CONEX_OK) ++inside;
                verify();
                return status;
            });
        }
        object* many[10];
        for (std::uint64_t i = 0; i < 10; ++i) many[i] = make_object(20 + i);
        persist(allocator, [&] {
            std::size_t count = 99;
            const conex_status status = conex_stack_push_n(s, many, 10, &count);
            CHECK(count == (status == CONEX_OK ? 10U : 0U));
            inside += count;
            verify();
            return status;
        });
        for (std::uint64_t i = 0; i < 15; ++i) {
            object* got = nullptr;
            CHECK(conex_stack_pop(s, &got) == CONEX_OK && got->number == 29 - i);
            free_object(got);
        }
        CHECK(conex_stack_destroy(s) == CONEX_OK);
    });
}

TEST("queue: push, push_n") {
    at_every_allocation([](support::counting_allocator& allocator) {
        conex_queue_options o = CONEX_QUEUE_OPTIONS_INIT;
        o.element = objects();
        o.allocator = allocator.hooks();
        o.segment = 4;
        conex_queue* q = nullptr;
        persist(allocator, [&] { return conex_queue_new(&o, &q); });
        std::size_t inside = 0;
        const auto verify = [&] {
            std::size_t n = 0;
            CHECK(conex_queue_len(q, &n) == CONEX_OK && n == inside);
        };
        for (std::uint64_t i = 0; i < 200; ++i) {
            object* mine = make_object(i);
            persist(allocator, [&] {
                const conex_status status = conex_queue_push(q, &mine);
                if (status == CONEX_OK) ++inside;
                verify();
                return status;
            });
        }
        object* many[100];
        for (std::uint64_t i = 0; i < 100; ++i) many[i] = make_object(200 + i);
        std::size_t done = 0;
        persist(allocator, [&] {
            std::size_t count = 999;
            const conex_status status = conex_queue_push_n(q, many + done, 100 - done, &count);
            CHECK(count <= 100 - done);
            if (status == CONEX_OK) CHECK(count == 100 - done);
            done += count;
            inside += count;
            verify();
            return status;
        });
        CHECK(done == 100);
        for (std::uint64_t i = 0; i < 250; ++i) {
            object* got = nullptr;
            CHECK(conex_queue_pop(q, &got) == CONEX_OK && got->number == i);
            free_object(got);
        }
        CHECK(conex_queue_destroy(q) == CONEX_OK);
    });
}

namespace {

/// All operations of a map that allocate, against a std::map that does the same.
template <class Key>
void map_scenario(support::counting_allocator& allocator, conex_map_options o, Key key_of) {
    o.allocator = allocator.hooks();
    o.value = objects();
    o.seed = 99;
    conex_map* m = nullptr;
    persist(allocator, [&] { return conex_map_new(&o, &m); });
    std::map<std::uint64_t, std::uint64_t> model;
    const auto verify = [&](std::uint64_t i) {
        // One key in full, and the number of all: enough to see a change, cheap enough for every step.
        const std::string key = key_of(i);
        bool found = false;
        CHECK(conex_map_contains(m, key.data(), key.size(), &found) == CONEX_OK);
        CHECK(found == (model.count(i) != 0));
        std::size_t n = 0;
        CHECK(conex_map_len(m, &n) == CONEX_OK && n == model.size());
    };
    const auto step = [&](std::uint64_t i, auto operation) {
        const std::string key = key_of(i);
        return persist(allocator, [&] {
            const conex_status status = operation(key.data(), key.size());
            verify(i);
            return status;
        });
    };
    constexpr std::uint64_t n = 60;
    for (std::uint64_t i = 0; i < n; ++i) {  // growth included
        object* mine = make_object(i);
        step(i, [&](const void* k, std::size_t len) {
            const conex_status status = conex_map_insert(m, k, len, &mine, nullptr);
            if (status == CONEX_OK) model[i] = i;
            return status;
        });
    }
    for (std::uint64_t i = 0; i < 10; ++i) {
        object* mine = make_object(i + 100);
        object* old = nullptr;
        step(i, [&](const void* k, std::size_t len) {
            const conex_status status = conex_map_upsert(m, k, len, &mine, &old);
            if (status == CONEX_EXISTS) {
                CHECK(old != nullptr && old->number == i);
                free_object(old);
                model[i] = i + 100;
            } else {
                CHECK(old == nullptr);
            }
            return status;
        });
    }
    for (std::uint64_t i = 10; i < 20; ++i) {
        object* mine = make_object(i + 100);
        step(i, [&](const void* k, std::size_t len) {
            const conex_status status = conex_map_replace(m, k, len, &mine, nullptr);
            if (status == CONEX_OK) model[i] = i + 100;
            return status;
        });
    }
    for (std::uint64_t i = n; i < n + 10; ++i) {
        step(i, [&](const void* k, std::size_t len) {
            const conex_make_fn make = [](void* value, void* ctx) -> std::int32_t {
                object* o2 = make_object(*static_cast<std::uint64_t*>(ctx));
                std::memcpy(value, static_cast<const void*>(&o2), sizeof o2);
                return 0;
            };
            std::uint64_t number = i;
            object* out = nullptr;
            const conex_status status = conex_map_get_or_insert(m, k, len, make, &number, &out);
            if (status == CONEX_OK) {
                CHECK(out->number == i);
                free_object(out);
                model[i] = i;
            }
            return status;
        });
        step(i, [&](const void* k, std::size_t len) {
            const conex_update_fn update = [](const void*, std::size_t, const void* old, void* value,
                                              void*) -> std::int32_t {
                object* o2 = nullptr;
                std::memcpy(static_cast<void*>(&o2), old, sizeof o2);
                o2 = make_object(o2->number + 100);
                std::memcpy(value, static_cast<const void*>(&o2), sizeof o2);
                return CONEX_STORE;
            };
            const conex_status status = conex_map_update(m, k, len, update, nullptr, nullptr);
            if (status == CONEX_OK) model[i] = i + 100;
            return status;
        });
    }
    for (std::uint64_t i = 20; i < 40; ++i) {
        step(i, [&](const void* k, std::size_t len) {
            const conex_status status = conex_map_remove(m, k, len, nullptr);
            if (status == CONEX_OK) model.erase(i);
            return status;
        });
    }
    persist(allocator, [&] { return conex_map_reserve(m, 1000); });
    persist(allocator, [&] { return conex_map_shrink(m); });
    std::size_t removed = 0;
    persist(allocator, [&] {
        const conex_keep_fn keep = [](const void*, std::size_t, const void* value, void*) -> std::int32_t {
            object* o2 = nullptr;
            std::memcpy(static_cast<void*>(&o2), value, sizeof o2);
            return o2->number % 2 == 0 ? 1 : 0;
        };
        return conex_map_retain(m, keep, nullptr, &removed);
    });
    for (auto i = model.begin(); i != model.end();) i = i->second % 2 == 0 ? std::next(i) : model.erase(i);
    for (const auto& [i, number] : model) {
        const std::string key = key_of(i);
        object* got = nullptr;
        if (CHECK(conex_map_get(m, key.data(), key.size(), &got) == CONEX_OK)) {
            CHECK(got->number == number);
            free_object(got);
        }
    }
    std::size_t len = 0;
    CHECK(conex_map_len(m, &len) == CONEX_OK && len == model.size());
    CHECK(conex_map_destroy(m) == CONEX_OK);
}

std::string word(std::uint64_t i) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &i, 8);
    return bytes;
}

}  // namespace

TEST("map of words: every operation that allocates") {
    at_every_allocation(
        [](support::counting_allocator& allocator) { map_scenario(allocator, CONEX_MAP_OPTIONS_INIT, word); });
}

TEST("map of byte strings: every operation that allocates") {
    at_every_allocation([](support::counting_allocator& allocator) {
        conex_map_options o = CONEX_MAP_OPTIONS_INIT;
        o.key = CONEX_KEY_BYTES;
        map_scenario(allocator, o, [](std::uint64_t i) { return std::string(i, 'k'); });
    });
}

TEST("map with the user's functions: every operation that allocates") {
    at_every_allocation([](support::counting_allocator& allocator) {
        conex_map_options o = CONEX_MAP_OPTIONS_INIT;
        o.hash = [](const void* key, std::size_t, std::uint64_t, void*) {
            return *static_cast<const std::uint64_t*>(key) % 7;
        };
        o.equal = [](const void* a, std::size_t, const void* b, std::size_t, void*) {
            return std::memcmp(a, b, 8) == 0;
        };
        map_scenario(allocator, o, word);
    });
}

TEST("plain words in a map: fetch_add, compare_exchange, batches") {
    at_every_allocation([](support::counting_allocator& allocator) {
        conex_map_options o = CONEX_MAP_OPTIONS_INIT;
        o.allocator = allocator.hooks();
        o.seed = 99;  // the same allocations every time
        conex_map* m = nullptr;
        persist(allocator, [&] { return conex_map_new(&o, &m); });
        for (std::uint64_t k = 0; k < 50; ++k) {
            persist(allocator, [&] {
                std::uint64_t previous = 77;
                const conex_status status = conex_map_fetch_add(m, &k, 8, k + 1, &previous);
                CHECK(previous == (status == CONEX_OK ? 0U : 77U));
                return status;
            });
            persist(allocator, [&] { return conex_map_fetch_add(m, &k, 8, 1, nullptr); });
            const std::uint64_t expected = k + 2;
            const std::uint64_t desired = k + 3;
            CHECK(persist(allocator, [&] {
                      return conex_map_compare_exchange(m, &k, 8, &expected, &desired, nullptr);
                  }) == CONEX_OK);
        }
        std::vector<std::uint64_t> keys(200);
        std::vector<conex_status> statuses(200, CONEX_BUSY);
        for (std::uint64_t i = 0; i < 200; ++i) keys[i] = i;
        std::size_t inserted = 0;
        persist(allocator, [&] {
            std::fill(statuses.begin(), statuses.end(), CONEX_BUSY);
            const conex_status status = conex_map_insert_n(m, keys.data(), keys.data(), 200, statuses.data(), nullptr);
            for (const conex_status each : statuses) inserted += each == CONEX_OK ? 1 : 0;
            std::size_t n = 0;
            CHECK(conex_map_len(m, &n) == CONEX_OK && n == 50 + inserted);
            return status;
        });
        CHECK(inserted == 150);
        for (std::uint64_t k = 0; k < 200; ++k) {
            std::uint64_t v = 0;
            CHECK(conex_map_get(m, &k, 8, &v) == CONEX_OK && v == (k < 50 ? k + 3 : k));
        }
        CHECK(conex_map_clear(m) == CONEX_OK);
        CHECK(conex_map_destroy(m) == CONEX_OK);
    });
}
