// Containers that are thread-safe and not linearizable, each wrong in a way that real ones have been. Recorded in the same
// way, they must be found out: otherwise the recorder does not interrupt operations where it matters.
#include <deque>
#include <map>

#include "record.hpp"

namespace record {
namespace {

class Mutex {
public:
    template <typename F>
    auto operator()(F f) {
        while (flag_.test_and_set(std::memory_order_acquire)) {}
        struct Unlock {
            std::atomic_flag& flag;
            ~Unlock() { flag.clear(std::memory_order_release); }
        } unlock{flag_};
        return f();
    }

private:
    std::atomic_flag flag_ = ATOMIC_FLAG_INIT;
};

// A queue of two halves that pops from the one it finds filled first, as sharded queues do; and a stack that reports empty
// when it lost a race.
template <bool Fifo>
class Sequence final : public Container {
public:
    void run(Thread& thread) override {
        if (thread.random(2) == 0) {
            const std::uint64_t value = thread.value();
            log(thread, "push", {value}, [&](auto&) { half(thread.id).push(value); });
        } else {
            pop(thread);
        }
    }

    void drain(Thread& thread) override {
        do pop(thread);
        while (!thread.log.back().answer.empty());
    }

private:
    struct Half {
        Mutex lock;
        std::deque<std::uint64_t> elements;
        std::atomic<std::uint64_t> size{0};
        void push(std::uint64_t value) {
            lock([&] { elements.push_back(value), ++size; });
        }
        bool pop(std::vector<std::int64_t>& answer) {
            if (size.load() == 0) return false;
            return lock([&] {
                if (elements.empty()) return false;
                answer.push_back(static_cast<std::int64_t>(Fifo ? elements.front() : elements.back()));
                if (Fifo) elements.pop_front();
                else elements.pop_back();
                --size;
                return true;
            });
        }
    };

    Half& half(unsigned id) { return halves_[Fifo ? id % 2 : 0]; }

    void pop(Thread& thread) {
        log(thread, "pop", {}, [&](auto& answer) {
            if (Fifo) {
                if (!halves_[0].pop(answer)) halves_[1].pop(answer);
                return;
            }
            const std::uint64_t before = halves_[0].size.load();
            for (volatile int i = 0; i < 5; i = i + 1) {}
            if (before == halves_[0].size.load()) halves_[0].pop(answer);
        });
    }

    Half halves_[2];
};

// An upsert in two steps: find, then store.
class Map final : public Container {
public:
    void run(Thread& thread) override {
        const std::uint64_t key = thread.random(4), value = thread.value();
        if (thread.random(2) == 0) {
            log(thread, "get", {key}, [&](auto& answer) { answer.push_back(get(key)); });
        } else {
            log(thread, "upsert", {key, value}, [&](auto& answer) {
                answer.push_back(get(key));
                lock_([&] { values_[key] = static_cast<std::int64_t>(value); });
            });
        }
    }

private:
    std::int64_t get(std::uint64_t key) {
        return lock_([&] {
            const auto found = values_.find(key);
            return found == values_.end() ? kNothing : found->second;
        });
    }
    Mutex lock_;
    std::map<std::uint64_t, std::int64_t> values_;
};

const Register queue({"broken_queue", "queue", 4, 1000, []() -> std::unique_ptr<Container> { return std::make_unique<Sequence<true>>(); }});
const Register stack({"broken_stack", "stack", 4, 300, []() -> std::unique_ptr<Container> { return std::make_unique<Sequence<false>>(); }});
const Register map({"broken_map", "map", 4, 400, []() -> std::unique_ptr<Container> { return std::make_unique<Map>(); }});

} // namespace
} // namespace record
