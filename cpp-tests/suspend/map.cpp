// The map: every operation; each value is a function of its key, each key is inserted and removed in turn, and the words
// that fetch_add counts add up. While threads are frozen it must grow and shrink.
#include <cstring>

#include "sequence.hpp"

namespace suspend {
namespace {

// Keys 0..kHot are shared by all workers. Counters stand at kCounters; bulk keys of a worker at (id + 1) << 32.
constexpr std::uint64_t kHot = 64, kCounters = 1000, kCounterKeys = 8, kBulk = 6'000;

enum class Keys { kWords, kBytes };

template <Keys Kind>
class Map final : public Subject {
public:
    Map() {
        conex_map_options options = CONEX_MAP_OPTIONS_INIT;
        options.domain = clock_.domain;
        if (Kind == Keys::kBytes) options.key = CONEX_KEY_BYTES;
        MUST(conex_map_new(&options, &map_));
    }

    std::string name() const override { return Kind == Keys::kWords ? "map of words" : "map of byte strings"; }

    std::vector<const char*> operations() const override {
        return {"get",     "contains", "insert",   "upsert",   "replace",  "remove", "compare_exchange", "update", "get_or_insert", "fetch_add",
                "get_ref", "get_n",    "insert_n", "remove_n", "for_each", "scan",   "retain",           "len",    "is_empty",      "stats",
                "reserve", "shrink",   "session",  "flush",    "retire"};
    }

    unsigned pick(Worker& worker) override {
        const unsigned r = static_cast<unsigned>(worker.rng.below(400));
        if (r < 360) return r % kForEach; // the operations on keys; those on the whole map are rare
        return kForEach + r % (kOperations - kForEach);
    }

    void prepare(Worker& worker, unsigned) override {
        for (int i = 0; i < 4; ++i) insert(worker, worker.rng.below(kHot));
    }

    void run(Worker& worker, unsigned operation) override {
        const std::uint64_t number = worker.rng.below(kHot);
        const Key key(number);
        std::uint64_t value = fresh(worker, number), found = 0;
        switch (operation) {
        case kGet: {
            const auto status = conex_map_get(map_, key.data, key.size, &found);
            return seen(worker, number, status, found);
        }
        case kContains: {
            bool is = false;
            MUST(conex_map_contains(map_, key.data, key.size, &is));
            return;
        }
        case kInsert: return insert(worker, number);
        case kUpsert: {
            const auto status = conex_map_upsert(map_, key.data, key.size, &value, &found);
            if (status == CONEX_OK) return count(number, +1);
            if (status != CONEX_EXISTS) die("upsert", status);
            return check(worker, number, found);
        }
        case kReplace: {
            const auto status = conex_map_replace(map_, key.data, key.size, &value, &found);
            return seen(worker, number, status, found);
        }
        case kRemove: return remove(worker, number);
        case kCompareExchange: {
            if (conex_map_get(map_, key.data, key.size, &found) != CONEX_OK) return;
            std::uint64_t current = found;
            const auto status = conex_map_compare_exchange(map_, key.data, key.size, &found, &value, &current);
            if (status == CONEX_MISMATCH) return check(worker, number, current);
            if (status != CONEX_OK && status != CONEX_NOT_FOUND) die("compare_exchange", status);
            return;
        }
        case kUpdate: return update(worker, number, key);
        case kGetOrInsert: {
            Make make{&worker, number};
            const auto status = conex_map_get_or_insert(
                map_, key.data, key.size,
                [](void* to, void* ctx) -> std::int32_t {
                    auto& m = *static_cast<Make*>(ctx);
                    const std::uint64_t v = fresh(*m.worker, m.number);
                    std::memcpy(to, &v, 8);
                    return 0;
                },
                &make, &found);
            if (status == CONEX_OK) count(number, +1);
            else if (status != CONEX_EXISTS) die("get_or_insert", status);
            return check(worker, number, found);
        }
        case kFetchAdd: {
            const Key counter(kCounters + worker.rng.below(kCounterKeys));
            MUST(conex_map_fetch_add(map_, counter.data, counter.size, 3, &found));
            added_.fetch_add(3, std::memory_order_relaxed);
            return;
        }
        case kGetRef: {
            conex_guard* const guard = clock_.enter();
            const void* ref = nullptr;
            const auto status = conex_map_get_ref(map_, guard, key.data, key.size, &ref);
            if (status == CONEX_OK) {
                std::memcpy(&found, ref, 8);
                check(worker, number, found);
            } else if (status != CONEX_NOT_FOUND) die("get_ref", status);
            MUST(conex_guard_leave(guard));
            return;
        }
        case kGetN: return batch(worker, [&](const void* keys, std::uint64_t* values, conex_status* statuses, std::size_t* n) {
            return conex_map_get_n(map_, keys, kBatchSize, values, statuses, n);
        }, 0);
        case kInsertN: return batch(worker, [&](const void* keys, std::uint64_t* values, conex_status* statuses, std::size_t* n) {
            return conex_map_insert_n(map_, keys, values, kBatchSize, statuses, n);
        }, +1);
        case kRemoveN: return batch(worker, [&](const void* keys, std::uint64_t*, conex_status* statuses, std::size_t* n) {
            return conex_map_remove_n(map_, keys, kBatchSize, statuses, n);
        }, -1);
        case kForEach: MUST(conex_map_for_each(map_, visit, &worker)); return;
        case kScan: {
            const auto status = conex_map_scan(map_, &cursors_[worker.id], 8, visit, &worker);
            if (status < 0) die("scan", status);
            return;
        }
        case kRetain: {
            // Removes what no other operation uses, so that the counts per key stay known.
            const Key own(kCounters + 100 + worker.id);
            const std::uint64_t v = fresh(worker, own.number);
            if (conex_map_insert(map_, own.data, own.size, &v, nullptr) < 0) die("insert", 0);
            std::size_t removed = 0;
            MUST(conex_map_retain(
                map_, [](const void* k, std::size_t size, const void*, void*) -> std::int32_t {
                    const std::uint64_t n = Key::read(k, size);
                    return n < kCounters + 100 || n > kCounters + 200;
                },
                nullptr, &removed));
            return;
        }
        case kLen: {
            std::size_t len = 0;
            MUST(conex_map_len(map_, &len));
            return;
        }
        case kIsEmpty: {
            bool empty = false;
            MUST(conex_map_is_empty(map_, &empty));
            return;
        }
        case kStats: (void)sizes(); return;
        case kReserve: MUST(conex_map_reserve(map_, 1 + worker.rng.below(500))); return;
        case kShrink: MUST(conex_map_shrink(map_)); return;
        case kSession: {
            conex_guard* const guard = clock_.enter();
            insert(worker, number);
            MUST(conex_guard_refresh(guard));
            remove(worker, number);
            MUST(conex_guard_leave(guard));
            return;
        }
        case kFlush: return clock_.flush();
        default: return clock_.retire(worker);
        }
    }

    bool resizes() const override { return true; }

    // With the worker's own keys. The frozen ones hold up to kBulk keys each, so a large cycle goes on until it has grown
    // the map twice.
    void storm(Worker& worker, bool large) override {
        const std::uint64_t base = (std::uint64_t{worker.id} + 1) << 32, growths = sizes().growths;
        std::uint64_t n = 0;
        for (; large ? n < 200 * kBulk && (n % 256 != 0 || sizes().growths < growths + 2) : n < kBulk; ++n) {
            const Key key(base + n);
            const std::uint64_t value = fresh(worker, key.number);
            MUST(conex_map_insert(map_, key.data, key.size, &value, nullptr));
            step(worker);
        }
        while (n-- > 0) {
            const Key key(base + n);
            std::uint64_t value = 0;
            MUST(conex_map_remove(map_, key.data, key.size, &value));
            check(worker, key.number, value);
            step(worker);
        }
        MUST(conex_map_shrink(map_));
    }

    Sizes sizes() override {
        conex_map_stats stats = CONEX_MAP_STATS_INIT;
        MUST(conex_map_stats_get(map_, &stats));
        return {stats.growths, stats.shrinks};
    }

    std::string verify(std::vector<std::unique_ptr<Worker>>& workers) override {
        for (auto& worker : workers)
            if (!worker->fault.empty()) return worker->fault;
        std::size_t present = 0;
        for (std::uint64_t number = 0; number < kHot; ++number) {
            const Key key(number);
            bool is = false;
            MUST(conex_map_contains(map_, key.data, key.size, &is));
            const std::int64_t expected = there_[number];
            if (expected != is)
                return "key " + std::to_string(number) + ": inserted minus removed is " + std::to_string(expected) + ", and it is " + (is ? "there" : "not there");
            present += is;
        }
        std::uint64_t total = 0;
        for (std::uint64_t i = 0; i < kCounterKeys; ++i) {
            const Key key(kCounters + i);
            std::uint64_t value = 0;
            if (conex_map_get(map_, key.data, key.size, &value) == CONEX_OK) ++present;
            total += value;
        }
        if (total != added_) return "fetch_add: " + std::to_string(added_) + " was added, " + std::to_string(total) + " is there";
        Worker last;
        last.sequence = 0;
        MUST(conex_map_for_each(map_, [](const void*, std::size_t, const void*, void* ctx) -> std::int32_t { return ++static_cast<Worker*>(ctx)->sequence, 0; }, &last));
        std::size_t len = 0;
        MUST(conex_map_len(map_, &len));
        // The keys of `retain` may be there too: at most one a worker.
        if (last.sequence != len || len < present || len > present + workers.size())
            return "len says " + std::to_string(len) + ", for_each visits " + std::to_string(last.sequence) + ", " + std::to_string(present) + " keys are known to be there";
        MUST(conex_map_destroy(map_));
        return clock_.verify();
    }

private:
    enum { kGet, kContains, kInsert, kUpsert, kReplace, kRemove, kCompareExchange, kUpdate, kGetOrInsert, kFetchAdd, kGetRef, kGetN, kInsertN, kRemoveN,
           kForEach, kScan, kRetain, kLen, kIsEmpty, kStats, kReserve, kShrink, kSession, kFlush, kRetire, kOperations };

    // As bytes, the length of a key depends on its number, 0 included.
    struct Key {
        explicit Key(std::uint64_t n) : number(n) {
            if (Kind == Keys::kWords) {
                std::memcpy(bytes, &n, 8);
                size = 8;
            } else if (n == 0) {
                size = 0;
            } else {
                size = 8 + n % 29;
                std::memset(bytes, static_cast<int>(n & 0xFF), sizeof bytes);
                std::memcpy(bytes, &n, 8);
            }
            data = bytes;
        }
        Key(const Key&) = delete;
        static std::uint64_t read(const void* from, std::size_t size) {
            std::uint64_t n = 0;
            if (size >= 8) std::memcpy(&n, from, 8);
            return n;
        }
        std::uint64_t number;
        unsigned char bytes[40] = {};
        const void* data;
        std::size_t size;
    };
    struct Make {
        Worker* worker;
        std::uint64_t number;
    };

    // The upper half depends on the key, the lower half differs each time.
    static std::uint64_t fresh(Worker& worker, std::uint64_t number) { return (mix(number) & ~0xFFFF'FFFFull) | (++worker.sequence & 0xFFFF'FFFFull); }
    static void check(Worker& worker, std::uint64_t number, std::uint64_t value) {
        if (((value ^ mix(number)) >> 32) != 0) worker.fail("key " + std::to_string(number) + " has a value of another key");
    }
    static void seen(Worker& worker, std::uint64_t number, conex_status status, std::uint64_t value) {
        if (status == CONEX_OK) return check(worker, number, value);
        if (status != CONEX_NOT_FOUND) die("an operation", status);
    }
    void count(std::uint64_t number, int change) { there_[number].fetch_add(change, std::memory_order_relaxed); }
    static void step(Worker& worker) { worker.done.store(worker.done.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

    static std::int32_t visit(const void* key, std::size_t size, const void* value, void* ctx) {
        const std::uint64_t number = Key::read(key, size);
        std::uint64_t v;
        std::memcpy(&v, value, 8);
        if (number < kCounters || number >= kCounters + 100) check(*static_cast<Worker*>(ctx), number, v);
        return 0;
    }

    void insert(Worker& worker, std::uint64_t number) {
        const Key key(number);
        const std::uint64_t value = fresh(worker, number);
        std::uint64_t current = 0;
        const auto status = conex_map_insert(map_, key.data, key.size, &value, &current);
        if (status == CONEX_OK) return count(number, +1);
        if (status != CONEX_EXISTS) die("insert", status);
        check(worker, number, current);
    }

    void remove(Worker& worker, std::uint64_t number) {
        const Key key(number);
        std::uint64_t old = 0;
        const auto status = conex_map_remove(map_, key.data, key.size, &old);
        if (status == CONEX_OK) count(number, -1);
        seen(worker, number, status, old);
    }

    void update(Worker& worker, std::uint64_t number, const Key& key) {
        Make make{&worker, number};
        conex_change change = CONEX_UNCHANGED;
        MUST(conex_map_update(
            map_, key.data, key.size,
            [](const void*, std::size_t, const void* old, void* to, void* ctx) -> std::int32_t {
                auto& m = *static_cast<Make*>(ctx);
                if (old != nullptr) {
                    std::uint64_t v;
                    std::memcpy(&v, old, 8);
                    check(*m.worker, m.number, v);
                }
                const std::uint64_t r = m.worker->rng.below(4);
                if (r == 0) return CONEX_KEEP;
                if (r == 1) return CONEX_REMOVE;
                const std::uint64_t v = fresh(*m.worker, m.number);
                std::memcpy(to, &v, 8);
                return CONEX_STORE;
            },
            &make, &change));
        if (change == CONEX_INSERTED) count(number, +1);
        if (change == CONEX_REMOVED) count(number, -1);
    }

    template <typename Call>
    void batch(Worker& worker, Call call, int change) {
        std::uint64_t numbers[kBatchSize], values[kBatchSize];
        conex_status statuses[kBatchSize];
        conex_bytes strings[kBatchSize];
        unsigned char bytes[kBatchSize][40];
        for (std::size_t i = 0; i < kBatchSize; ++i) {
            numbers[i] = worker.rng.below(kHot);
            values[i] = fresh(worker, numbers[i]);
            const Key key(numbers[i]);
            std::memcpy(bytes[i], key.bytes, sizeof bytes[i]);
            strings[i] = {bytes[i], key.size};
        }
        std::size_t n = 0;
        MUST(call(Kind == Keys::kWords ? static_cast<const void*>(numbers) : strings, values, statuses, &n));
        for (std::size_t i = 0; i < kBatchSize; ++i) {
            if (statuses[i] != CONEX_OK) continue;
            if (change != 0) count(numbers[i], change);
            else check(worker, numbers[i], values[i]);
        }
    }

    Clock clock_;
    conex_map* map_ = nullptr;
    std::uint64_t cursors_[kMaxWorkers] = {};
    std::atomic<std::int64_t> there_[kHot] = {};
    std::atomic<std::uint64_t> added_{0};
};

const Register words("map", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Map<Keys::kWords>>(); });
const Register strings("map", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Map<Keys::kBytes>>(); });

} // namespace
} // namespace suspend
