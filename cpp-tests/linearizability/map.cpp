#include <conex/conex.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "record.hpp"

namespace record {
namespace {

constexpr std::uint64_t kKeys = 6;

// The history is of few keys; others come and go in between, unrecorded, so that the map grows and shrinks around them.
template <bool Bytes>
class Map final : public Container {
public:
    Map() {
        conex_map_options options = CONEX_MAP_OPTIONS_INIT;
        if (Bytes) options.key = CONEX_KEY_BYTES;
        MUST(conex_map_new(&options, &map_));
    }
    ~Map() override { MUST(conex_map_destroy(map_)); }

    void run(Thread& thread) override {
        if (thread.random(24) == 0) return resize(thread);
        if (thread.random(12) == 0) return batch(thread);
        if (thread.random(16) == 0) return all(thread);
        const std::uint64_t number = thread.random(kKeys), value = thread.value();
        const Key key(number);
        const auto seen = [](std::uint64_t v, bool is) { return is ? static_cast<std::int64_t>(v) : kNothing; };
        std::uint64_t other = 0;
        switch (thread.random(11)) {
        case 0:
            return log(thread, "get", {number}, [&](auto& answer) {
                const auto status = conex_map_get(map_, key.bytes, key.size, &other);
                MUST(status);
                answer.push_back(seen(other, status == CONEX_OK));
            });
        case 1:
            return log(thread, "contains", {number}, [&](auto& answer) {
                bool found = false;
                MUST(conex_map_contains(map_, key.bytes, key.size, &found));
                answer.push_back(found);
            });
        case 2:
            return log(thread, "insert", {number, value}, [&](auto& answer) {
                const auto status = conex_map_insert(map_, key.bytes, key.size, &value, &other);
                MUST(status);
                answer.push_back(seen(other, status == CONEX_EXISTS));
            });
        case 3:
            return log(thread, "upsert", {number, value}, [&](auto& answer) {
                const auto status = conex_map_upsert(map_, key.bytes, key.size, &value, &other);
                MUST(status);
                answer.push_back(seen(other, status == CONEX_EXISTS));
            });
        case 4:
            return log(thread, "replace", {number, value}, [&](auto& answer) {
                const auto status = conex_map_replace(map_, key.bytes, key.size, &value, &other);
                MUST(status);
                answer.push_back(seen(other, status == CONEX_OK));
            });
        case 5:
            return log(thread, "remove", {number}, [&](auto& answer) {
                const auto status = conex_map_remove(map_, key.bytes, key.size, &other);
                MUST(status);
                answer.push_back(seen(other, status == CONEX_OK));
            });
        case 6: { // expects what was there a moment ago
            std::uint64_t expected = 0;
            if (conex_map_get(map_, key.bytes, key.size, &expected) != CONEX_OK) return;
            return log(thread, "compare_exchange", {number, expected, value}, [&](auto& answer) {
                const auto status = conex_map_compare_exchange(map_, key.bytes, key.size, &expected, &value, &other);
                MUST(status);
                answer.push_back(status == CONEX_OK ? static_cast<std::int64_t>(expected) : seen(other, status == CONEX_MISMATCH));
            });
        }
        case 7: {
            Decision decision{thread.random(3), value, kNothing, kNothing};
            return log(thread, "update", {number}, [&](auto& answer) {
                MUST(conex_map_update(map_, key.bytes, key.size, decide, &decision, nullptr));
                answer = {decision.old, decision.left};
            });
        }
        case 8:
            return log(thread, "get_or_insert", {number, value}, [&](auto& answer) {
                auto make = [](void* to, void* from) -> std::int32_t { return std::memcpy(to, from, 8), 0; };
                std::uint64_t made = value;
                const auto status = conex_map_get_or_insert(map_, key.bytes, key.size, make, &made, &other);
                MUST(status);
                answer = {status == CONEX_OK, static_cast<std::int64_t>(other)};
            });
        case 9:
            return log(thread, "fetch_add", {number, 1}, [&](auto& answer) {
                MUST(conex_map_fetch_add(map_, key.bytes, key.size, 1, &other));
                answer.push_back(static_cast<std::int64_t>(other));
            });
        default:
            return log(thread, "get", {number}, [&](auto& answer) {
                conex_guard* guard = nullptr;
                MUST(conex_guard_enter(nullptr, &guard));
                const void* ref = nullptr;
                const auto status = conex_map_get_ref(map_, guard, key.bytes, key.size, &ref);
                MUST(status);
                if (status == CONEX_OK) std::memcpy(&other, ref, 8);
                answer.push_back(seen(other, status == CONEX_OK));
                MUST(conex_guard_leave(guard));
            });
        }
    }

private:
    struct Key {
        explicit Key(std::uint64_t n) : size(Bytes ? n % 40 + (n >= kKeys ? 8 : 0) : 8) {
            std::memset(bytes, 'k', sizeof bytes);
            if (!Bytes || n >= kKeys) std::memcpy(bytes, &n, 8);
        }
        unsigned char bytes[64];
        std::size_t size;
    };

    struct Decision {
        std::uint64_t kind, value;
        std::int64_t old, left;
    };
    static std::int32_t decide(const void*, std::size_t, const void* old, void* value, void* ctx) {
        auto& d = *static_cast<Decision*>(ctx);
        d.old = kNothing;
        if (old != nullptr) std::memcpy(&d.old, old, 8);
        if (d.kind == 0) return d.left = d.old, CONEX_KEEP;
        if (d.kind == 1) return d.left = kNothing, CONEX_REMOVE;
        std::memcpy(value, &d.value, 8);
        d.left = static_cast<std::int64_t>(d.value);
        return CONEX_STORE;
    }

    static Entry entry(const char* name, std::vector<std::uint64_t> args) {
        Entry made;
        made.name = name;
        made.args = std::move(args);
        return made;
    }

    // A batch is as many operations as it has keys.
    void batch(Thread& thread) {
        const std::uint64_t first = thread.random(kKeys), n = 1 + thread.random(4), kind = thread.random(3);
        const char* const names[] = {"get", "insert", "remove"};
        std::vector<Key> keys;
        std::vector<conex_bytes> strings;
        std::vector<std::uint64_t> words, values(n);
        std::vector<conex_status> statuses(n);
        std::vector<Entry> entries;
        keys.reserve(n);
        for (std::uint64_t i = 0; i < n; ++i) {
            const std::uint64_t number = (first + i) % kKeys;
            keys.emplace_back(number);
            strings.push_back({keys[i].bytes, keys[i].size});
            words.push_back(number);
            if (kind == 1) values[i] = thread.value();
            entries.push_back(entry(names[kind], kind == 1 ? std::vector{number, values[i]} : std::vector{number}));
        }
        const void* const at = Bytes ? static_cast<const void*>(strings.data()) : words.data();
        log(thread, std::move(entries), [&](auto& answers) {
            if (kind == 0) MUST(conex_map_get_n(map_, at, n, values.data(), statuses.data(), nullptr));
            if (kind == 1) MUST(conex_map_insert_n(map_, at, values.data(), n, statuses.data(), nullptr));
            if (kind == 2) MUST(conex_map_remove_n(map_, at, n, statuses.data(), nullptr));
            for (std::uint64_t i = 0; i < n; ++i) {
                const bool ok = statuses[i] == CONEX_OK;
                if (kind == 0) answers[i].answer.push_back(ok ? static_cast<std::int64_t>(values[i]) : kNothing);
                else answers[i].answer.push_back(ok);
                // Whose answer says less than that of `insert` and `remove`.
                if (kind == 1) answers[i].name = "insert_one";
                if (kind == 2) answers[i].name = "remove_one";
            }
        });
    }

    // What works on all entries is an operation on each key, at a moment of its own.
    void all(Thread& thread) {
        const std::uint64_t kind = thread.random(4);
        const char* const names[] = {"get", "get", "retain_even", "clear"};
        std::vector<Entry> entries;
        for (std::uint64_t number = 0; number < kKeys; ++number) entries.push_back(entry(names[kind], {number}));
        std::uint64_t cursor = 0;
        Seen seen;
        log(thread, std::move(entries), [&](auto& answers) {
            if (kind == 0) MUST(conex_map_for_each(map_, visit, &seen));
            if (kind == 1) {
                for (;;) {
                    const auto status = conex_map_scan(map_, &cursor, 2, visit, &seen);
                    MUST(status);
                    if (status == CONEX_EMPTY) break;
                }
            }
            if (kind == 2) MUST(conex_map_retain(map_, keep, nullptr, nullptr));
            if (kind == 3) MUST(conex_map_clear(map_));
            for (std::uint64_t number = 0; kind < 2 && number < kKeys; ++number) answers[number].answer.push_back(seen.values[number]);
        });
    }

    struct Seen {
        std::int64_t values[kKeys];
        Seen() { std::fill(std::begin(values), std::end(values), kNothing); }
    };

    // The number of a key of the history; of one that only makes the map grow, kKeys or more.
    static std::uint64_t number_of(const void* key, std::size_t size) {
        std::uint64_t number = size;
        if (!Bytes) std::memcpy(&number, key, 8);
        return number;
    }

    static std::int32_t visit(const void* key, std::size_t size, const void* value, void* ctx) {
        const std::uint64_t number = number_of(key, size);
        if (number >= kKeys) return 0;
        auto& seen = static_cast<Seen*>(ctx)->values[number];
        if (seen != kNothing) {
            std::fprintf(stderr, "record: key %llu was met twice\n", static_cast<unsigned long long>(number));
            std::abort();
        }
        std::memcpy(&seen, value, 8);
        return 0;
    }

    static std::int32_t keep(const void* key, std::size_t size, const void* value, void*) {
        std::uint64_t now = 0;
        std::memcpy(&now, value, 8);
        return number_of(key, size) >= kKeys || now % 2 == 0;
    }

    void resize(Thread& thread) {
        const std::uint64_t base = (std::uint64_t{thread.id} + 1) << 40, n = 1 + thread.random(300);
        for (std::uint64_t i = 0; i < n; ++i) {
            const Key key(base + i);
            MUST(conex_map_insert(map_, key.bytes, key.size, &i, nullptr));
        }
        for (std::uint64_t i = 0; i < n; ++i) {
            const Key key(base + i);
            MUST(conex_map_remove(map_, key.bytes, key.size, nullptr));
        }
        MUST(conex_map_shrink(map_));
    }

    conex_map* map_ = nullptr;
};

const Register words({"map", "map", 4, 400, []() -> std::unique_ptr<Container> { return std::make_unique<Map<false>>(); }});
const Register bytes({"map_bytes", "map", 4, 400, []() -> std::unique_ptr<Container> { return std::make_unique<Map<true>>(); }});

} // namespace
} // namespace record
