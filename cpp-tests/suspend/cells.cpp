// Objects behind atomic pointers of a program's own, which readers protect by hazard pointers or by regions of
// read-copy-update: what is protected stays, and each object is freed once.
#include "sequence.hpp"

namespace suspend {
namespace {

struct Object {
    std::uint64_t token, hash;
    conex_retire_node node;
};

// The cells, the ledger of the objects, and what is wrong with them.
class Cells : public Subject {
public:
    Cells() {
        Worker first;
        first.id = kMaxWorkers; // a token that no worker makes
        for (auto& cell : cells_) cell = make(first);
        first_ = first.in;
    }

protected:
    static constexpr std::size_t kCells = 3;

    std::atomic<Object*>& some(Worker& worker) { return cells_[worker.rng.below(kCells)]; }

    Object* make(Worker& worker) {
        const std::uint64_t token = worker.token();
        worker.in.add(token);
        auto* const made = new Object;
        made->token = token, made->hash = mix(token);
        return made;
    }

    void look(Worker& worker, const Object* object) {
        if (object != nullptr && object->hash != mix(object->token)) worker.fail("a protected object was freed");
    }

    // A retired object is due.
    static void due(void* ptr, void* ctx) {
        auto& self = *static_cast<Cells*>(ctx);
        auto* const object = static_cast<Object*>(ptr);
        if (object->hash != mix(object->token)) self.freed_twice_ = true;
        object->hash = 0;
        self.freed_.fetch_add(1, std::memory_order_relaxed);
        self.freed_sum_.fetch_add(mix(object->token), std::memory_order_relaxed);
        delete object;
    }

    // After the workers: `retire` is given what is left in the cells.
    template <typename Retire>
    std::string settle(std::vector<std::unique_ptr<Worker>>& workers, Retire retire) {
        for (auto& cell : cells_)
            if (Object* const object = cell.exchange(nullptr)) retire(object);
        std::string late = clock_.verify(); // not busy; frees everything
        Ledger freed;
        freed.count = freed_, freed.sum = freed_sum_;
        workers.front()->in.add(first_);
        std::string fault = conserved(workers, freed);
        if (fault.empty() && freed_twice_) fault = "an object was freed twice, or was none";
        return fault.empty() ? late : fault;
    }

    Clock clock_;

private:
    std::atomic<Object*> cells_[kCells] = {};
    Ledger first_;
    std::atomic<std::uint64_t> freed_{0}, freed_sum_{0};
    std::atomic<bool> freed_twice_{false};
};

class Hazards final : public Cells {
public:
    Hazards() {
        for (conex_hazard*& hazard : hazards_) MUST(conex_hazard_new(clock_.domain, &hazard));
    }

    std::string name() const override { return "hazard pointers"; }

    std::vector<const char*> operations() const override {
        return {"protect", "try_protect", "reset", "reset_to", "new and destroy", "replace", "replace in node", "take", "flush", "stats"};
    }

    unsigned pick(Worker& worker) override {
        const unsigned r = static_cast<unsigned>(worker.rng.below(32));
        if (r < 8) return kProtect;
        if (r < 16) return kReplace;
        return r % 10;
    }

    void run(Worker& worker, unsigned operation) override {
        conex_hazard* const hazard = hazards_[worker.id];
        Object*& seen = seen_[worker.id];
        std::atomic<Object*>& cell = some(worker);
        look(worker, seen); // it has been protected since the worker's last operation
        if ((worked_.load(std::memory_order_relaxed) >> worker.id & 1) == 0) worked_.fetch_or(1u << worker.id);
        switch (operation) {
        case kProtect: seen = protect(hazard, cell); break;
        case kTryProtect: {
            void* found = cell.load(std::memory_order_relaxed);
            const auto status = conex_hazard_try_protect(hazard, &found, &cell);
            if (status < 0) die("try_protect", status);
            seen = status == CONEX_OK ? static_cast<Object*>(found) : nullptr;
            break;
        }
        case kReset:
            seen = nullptr;
            MUST(conex_hazard_reset(hazard, nullptr));
            break;
        case kResetTo: { // protected before it is shared, and so after it is retired
            Object* const next = make(worker);
            MUST(conex_hazard_reset(hazard, next));
            seen = next;
            retire(cell.exchange(next));
            break;
        }
        case kNew: {
            conex_hazard* another = nullptr;
            MUST(conex_hazard_new(clock_.domain, &another));
            look(worker, protect(another, cell));
            MUST(conex_hazard_destroy(another));
            break;
        }
        case kReplace: retire(cell.exchange(make(worker))); break;
        case kReplaceInNode: retire_in(cell.exchange(make(worker))); break;
        case kTake: retire_in(cell.exchange(nullptr)); break;
        case kFlush: clock_.flush(); break;
        default: {
            // Whoever stands still, in whatever operation; but if it is this thread, between the figures that are
            // subtracted, all that was retired meanwhile is among them.
            const std::size_t before = retired_.load();
            conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
            MUST(conex_domain_stats_get(clock_.domain, &stats));
            const auto workers = static_cast<std::size_t>(__builtin_popcount(worked_.load()));
            const std::size_t bound = (1 + workers) * (64 + 2 * (kMaxWorkers + workers) + workers);
            if (stats.pending_objects > bound + workers + retired_.load() - before)
                worker.fail("bound: " + std::to_string(stats.pending_objects) + " objects wait, of at most " + std::to_string(bound));
        }
        }
        look(worker, seen);
    }

    std::string verify(std::vector<std::unique_ptr<Worker>>& workers) override {
        for (conex_hazard* const hazard : hazards_) MUST(conex_hazard_destroy(hazard));
        return settle(workers, [this](Object* object) { retire(object); });
    }

private:
    enum { kProtect, kTryProtect, kReset, kResetTo, kNew, kReplace, kReplaceInNode, kTake, kFlush };

    static Object* protect(conex_hazard* hazard, const std::atomic<Object*>& cell) {
        void* found = nullptr;
        MUST(conex_hazard_protect(hazard, &cell, &found));
        return static_cast<Object*>(found);
    }

    void retire(Object* object) {
        if (object == nullptr) return;
        ++retired_;
        MUST(conex_hazard_retire(clock_.domain, object, sizeof *object, due, static_cast<Cells*>(this)));
    }
    void retire_in(Object* object) {
        if (object == nullptr) return;
        ++retired_;
        MUST(conex_hazard_retire_node(clock_.domain, &object->node, object, sizeof *object, due, static_cast<Cells*>(this)));
    }

    conex_hazard* hazards_[kMaxWorkers] = {};
    Object* seen_[kMaxWorkers] = {};
    std::atomic<unsigned> worked_{0};
    std::atomic<std::size_t> retired_{0};
};

class Regions final : public Cells {
public:
    std::string name() const override { return "regions"; }

    std::vector<const char*> operations() const override {
        return {"read", "read nested", "read with guard", "replace", "replace in node", "take", "flush"};
    }

    void prepare(Worker&, unsigned) override { clock_.clear_arrears(); }

    void run(Worker& worker, unsigned operation) override {
        std::atomic<Object*>& cell = some(worker);
        switch (operation) {
        case kRead: return region([&] { look_twice(worker, cell); });
        case kNested:
            return region([&] {
                const Object* const seen = cell.load(std::memory_order_acquire);
                region([&] { look_twice(worker, some(worker)); });
                look(worker, seen);
            });
        case kWithGuard:
            return region([&] {
                const Object* const seen = cell.load(std::memory_order_acquire);
                conex_guard* const guard = clock_.enter();
                look_twice(worker, some(worker));
                MUST(conex_guard_refresh(guard));
                MUST(conex_guard_leave(guard));
                look(worker, seen);
            });
        case kReplace: return retire(cell.exchange(make(worker)));
        case kReplaceInNode: return retire_in(cell.exchange(make(worker)));
        case kTake: return retire_in(cell.exchange(nullptr));
        default: return clock_.flush();
        }
    }

    std::string verify(std::vector<std::unique_ptr<Worker>>& workers) override {
        return settle(workers, [this](Object* object) { retire(object); });
    }

private:
    enum { kRead, kNested, kWithGuard, kReplace, kReplaceInNode, kTake };

    template <typename Read>
    void region(Read read) {
        MUST(conex_domain_lock(clock_.domain));
        read();
        MUST(conex_domain_unlock(clock_.domain));
    }

    void look_twice(Worker& worker, const std::atomic<Object*>& cell) {
        const Object* const seen = cell.load(std::memory_order_acquire);
        look(worker, seen);
        for (volatile std::uint64_t spin = worker.rng.below(40); spin > 0;) spin = spin - 1;
        look(worker, seen);
    }

    void retire(Object* object) {
        if (object != nullptr) MUST(conex_domain_retire(clock_.domain, object, sizeof *object, due, static_cast<Cells*>(this)));
    }
    void retire_in(Object* object) {
        if (object != nullptr)
            MUST(conex_domain_retire_node(clock_.domain, &object->node, object, sizeof *object, due, static_cast<Cells*>(this)));
    }
};

const Register hazards("hazard", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Hazards>(); });
const Register regions("rcu", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Regions>(); });

} // namespace
} // namespace suspend
