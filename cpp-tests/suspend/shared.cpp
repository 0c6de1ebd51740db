// Shared values and the places that hold them: every operation, in any mix; each value ends once, with its last reference.
#include <utility>

#include "sequence.hpp"

namespace suspend {
namespace {

class Shared final : public Subject {
    struct Value {
        std::uint64_t token, hash, count;
    };

public:
    Shared() {
        for (conex_shared*& place : places_) MUST(conex_shared_new(clock_.domain, nullptr, &place));
        MUST(conex_shared_new(clock_.domain, nullptr, &counter_));
    }

    std::string name() const override { return "shared values"; }

    std::vector<const char*> operations() const override {
        return {"load", "store", "exchange", "compare_exchange", "update", "new and release", "retain", "keep", "pass on", "session", "flush"};
    }

    void prepare(Worker&, unsigned) override { clock_.clear_arrears(); }

    void run(Worker& worker, unsigned operation) override {
        conex_shared* const place = places_[worker.rng.below(kPlaces)];
        conex_ref*& kept = kept_[worker.id];
        switch (operation) {
        case kLoad: return look_and_release(worker, load(place));
        case kStore: MUST(conex_shared_store(place, make(worker, 0))); return;
        case kExchange: {
            conex_ref* old = nullptr;
            MUST(conex_shared_exchange(place, nullptr, &old));
            return look_and_release(worker, old);
        }
        case kCompareExchange: {
            conex_ref* const expected = load(place);
            conex_ref *const next = make(worker, 0), *actual = nullptr;
            const auto status = conex_shared_compare_exchange(place, expected, next, &actual);
            if (status == CONEX_MISMATCH) {
                look_and_release(worker, next); // still ours
                look_and_release(worker, actual);
            } else if (status != CONEX_OK) {
                die("compare_exchange", status);
            }
            return look_and_release(worker, expected);
        }
        case kUpdate: return update(worker);
        case kNew: return look_and_release(worker, make(worker, 0));
        case kRetain: {
            conex_ref* const found = load(place);
            if (found == nullptr) return;
            std::size_t count = 0;
            MUST(conex_ref_retain(found));
            MUST(conex_ref_count(found, &count));
            if (count < 2) worker.fail("fewer references were counted than this thread has");
            look_and_release(worker, found);
            return look_and_release(worker, found);
        }
        case kKeep: // what was kept may be long since in no place
            look_and_release(worker, kept);
            kept = load(place);
            return;
        case kPassOn:
            if (kept != nullptr) MUST(conex_ref_retain(kept));
            MUST(conex_shared_store(place, kept));
            return;
        case kSession: {
            conex_guard* const guard = clock_.enter();
            look_and_release(worker, load(place));
            MUST(conex_guard_refresh(guard));
            MUST(conex_shared_store(place, make(worker, 0)));
            MUST(conex_guard_leave(guard));
            return;
        }
        default: return clock_.flush();
        }
    }

    std::string verify(std::vector<std::unique_ptr<Worker>>& workers) override {
        Worker last;
        conex_ref* const counted = load(counter_);
        const std::uint64_t count = counted == nullptr ? 0 : value(counted)->count;
        look_and_release(last, counted);
        for (conex_ref*& kept : kept_) look_and_release(last, std::exchange(kept, nullptr));
        for (conex_shared* const place : places_) MUST(conex_shared_destroy(place));
        MUST(conex_shared_destroy(counter_));
        // Not busy: no reference is left.
        std::string late = clock_.verify();
        Ledger ended;
        ended.count = ended_, ended.sum = ended_sum_;
        std::string fault = conserved(workers, ended);
        if (fault.empty()) fault = last.fault;
        if (fault.empty() && ended_twice_) fault = "a value ended twice, or was none";
        if (fault.empty() && count != updates_)
            fault = std::to_string(updates_) + " updates, " + std::to_string(count) + " counted";
        return fault.empty() ? late : fault;
    }

private:
    enum { kLoad, kStore, kExchange, kCompareExchange, kUpdate, kNew, kRetain, kKeep, kPassOn, kSession };
    static constexpr std::size_t kPlaces = 3;

    static void end(void* element, void* ctx) {
        auto& self = *static_cast<Shared*>(ctx);
        auto& value = *static_cast<Value*>(element);
        if (value.hash != mix(value.token)) self.ended_twice_ = true;
        value.hash = 0;
        self.ended_.fetch_add(1, std::memory_order_relaxed);
        self.ended_sum_.fetch_add(mix(value.token), std::memory_order_relaxed);
    }

    conex_ref* make(Worker& worker, std::uint64_t count) {
        const std::uint64_t token = worker.token();
        worker.in.add(token);
        const conex_element element{sizeof(Value), alignof(Value), end, nullptr, this};
        const Value value{token, mix(token), count};
        conex_ref* made = nullptr;
        MUST(conex_ref_new(clock_.domain, &element, &value, &made));
        return made;
    }

    static conex_ref* load(const conex_shared* place) {
        conex_ref* found = nullptr;
        MUST(conex_shared_load(place, &found));
        return found;
    }

    static const Value* value(const conex_ref* ref) {
        const auto* const value = static_cast<const Value*>(conex_ref_value(ref));
        if (value == nullptr) die("value", 0);
        return value;
    }

    static void look_and_release(Worker& worker, conex_ref* ref) {
        if (ref == nullptr) return;
        const Value* const found = value(ref);
        if (found->hash != mix(found->token)) worker.fail("a value was used after its end");
        MUST(conex_ref_release(ref));
    }

    // Each adds one, so that a lost one shows.
    void update(Worker& worker) {
        conex_ref* now = load(counter_);
        while (true) {
            conex_ref *const next = make(worker, (now == nullptr ? 0 : value(now)->count) + 1), *actual = nullptr;
            const auto status = conex_shared_compare_exchange(counter_, now, next, &actual);
            look_and_release(worker, now);
            if (status == CONEX_OK) break;
            if (status != CONEX_MISMATCH) die("compare_exchange", status);
            look_and_release(worker, next);
            now = actual;
        }
        updates_.fetch_add(1, std::memory_order_relaxed);
    }

    Clock clock_;
    conex_shared* places_[kPlaces] = {};
    conex_shared* counter_ = nullptr;
    conex_ref* kept_[kMaxWorkers] = {};
    std::atomic<std::uint64_t> ended_{0}, ended_sum_{0}, updates_{0};
    std::atomic<bool> ended_twice_{false};
};

const Register shared("shared", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Shared>(); });

} // namespace
} // namespace suspend
