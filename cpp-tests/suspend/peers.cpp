// Peers that are known to block. The test must find that out, or it would not find it in conex either.
#include <deque>
#include <mutex>
#include <unordered_map>

#include "subject.hpp"

extern "C" {
struct SegQueue;
struct ArrayQueue;
SegQueue* seg_queue_new();
void seg_queue_free(SegQueue*);
bool seg_queue_push(SegQueue*, std::uint64_t);
bool seg_queue_pop(SegQueue*, std::uint64_t*);
ArrayQueue* array_queue_new();
void array_queue_free(ArrayQueue*);
bool array_queue_push(ArrayQueue*, std::uint64_t);
bool array_queue_pop(ArrayQueue*, std::uint64_t*);
}

namespace suspend {
namespace {

template <bool Fifo>
class Locked {
public:
    static constexpr const char* kName = Fifo ? "std::deque + mutex" : "std::vector + mutex";
    static constexpr bool kFifo = Fifo;
    bool push(std::uint64_t x) {
        const std::lock_guard lock(mutex_);
        elements_.push_back(x);
        return true;
    }
    bool pop(std::uint64_t& x) {
        const std::lock_guard lock(mutex_);
        if (elements_.empty()) return false;
        if constexpr (Fifo) x = elements_.front(), elements_.pop_front();
        else x = elements_.back(), elements_.pop_back();
        return true;
    }

private:
    std::mutex mutex_;
    std::conditional_t<Fifo, std::deque<std::uint64_t>, std::vector<std::uint64_t>> elements_;
};

class Seg {
public:
    static constexpr const char* kName = "crossbeam SegQueue";
    static constexpr bool kFifo = true;
    ~Seg() { seg_queue_free(queue_); }
    bool push(std::uint64_t x) { return seg_queue_push(queue_, x); }
    bool pop(std::uint64_t& x) { return seg_queue_pop(queue_, &x); }

private:
    SegQueue* queue_ = seg_queue_new();
};

class Array {
public:
    static constexpr const char* kName = "crossbeam ArrayQueue";
    static constexpr bool kFifo = true;
    ~Array() { array_queue_free(queue_); }
    bool push(std::uint64_t x) { return array_queue_push(queue_, x); }
    bool pop(std::uint64_t& x) { return array_queue_pop(queue_, &x); }

private:
    ArrayQueue* queue_ = array_queue_new();
};

template <typename Queue>
class Sequence final : public Subject {
public:
    std::string name() const override { return Queue::kName; }
    std::vector<const char*> operations() const override { return {"push", "pop"}; }
    unsigned pick(Worker& worker) override { return worker.balance > 400 ? 1 : static_cast<unsigned>(worker.rng.below(2)); }
    void prepare(Worker& worker, unsigned) override { run(worker, 0); }
    void run(Worker& worker, unsigned operation) override {
        if (operation == 0) {
            const std::uint64_t token = worker.token();
            if (!queue_.push(token)) return;
            worker.in.add(token);
            ++worker.balance;
            return;
        }
        std::uint64_t token = 0;
        if (!queue_.pop(token)) return;
        worker.out.add(token);
        if (Queue::kFifo) worker.in_order(token);
        --worker.balance;
    }
    std::string verify(std::vector<std::unique_ptr<Worker>>& workers) override {
        Ledger rest;
        for (std::uint64_t token; queue_.pop(token);) rest.add(token);
        return conserved(workers, rest);
    }

private:
    Queue queue_;
};

class LockedMap final : public Subject {
public:
    std::string name() const override { return "std::unordered_map + mutex"; }
    std::vector<const char*> operations() const override { return {"insert", "find", "erase"}; }
    void run(Worker& worker, unsigned operation) override {
        const std::uint64_t key = worker.rng.below(1000);
        const std::lock_guard lock(mutex_);
        if (operation == 0) map_.emplace(key, mix(key));
        else if (operation == 2) map_.erase(key);
        else if (const auto found = map_.find(key); found != map_.end() && found->second != mix(key)) worker.fail("a wrong value");
    }
    std::string verify(std::vector<std::unique_ptr<Worker>>& workers) override { return conserved(workers, {}); }

private:
    std::mutex mutex_;
    std::unordered_map<std::uint64_t, std::uint64_t> map_;
};

template <typename T>
std::unique_ptr<Subject> make() {
    return std::make_unique<T>();
}

const Register peers[] = {
    {"stack", true, make<Sequence<Locked<false>>>}, {"queue", true, make<Sequence<Locked<true>>>}, {"queue", true, make<Sequence<Seg>>},
    {"queue", true, make<Sequence<Array>>},         {"map", true, make<LockedMap>},
};

} // namespace
} // namespace suspend
