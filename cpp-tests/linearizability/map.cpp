#include <conex/conex.h>

#include <cstring>

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
