#include <conex/conex.h>

#include "record.hpp"

namespace record {
namespace {

class Queue final : public Container {
public:
    Queue() { MUST(conex_queue_new(nullptr, &queue_)); }
    ~Queue() override { MUST(conex_queue_destroy(queue_)); }

    void run(Thread& thread) override {
        const std::uint64_t kind = thread.random(13);
        if (kind < 5) {
            const std::uint64_t value = thread.value();
            log(thread, "push", {value}, [&](auto&) { MUST(conex_queue_push(queue_, &value)); });
        } else if (kind < 10) {
            pop(thread);
        } else if (kind == 10) {
            log(thread, "is_empty", {}, [&](auto& answer) {
                bool empty = false;
                MUST(conex_queue_is_empty(queue_, &empty));
                answer.push_back(empty);
            });
            if (thread.log.back().answer[0] == 0) thread.log.pop_back();
        } else if (kind == 11) {
            std::uint64_t values[3];
            for (auto& value : values) value = thread.value();
            log(thread, "push_n", {values[0], values[1], values[2]}, [&](auto&) {
                std::size_t n = 0;
                MUST(conex_queue_push_n(queue_, values, 3, &n));
            });
        } else {
            log(thread, "pop_n", {4}, [&](auto& answer) {
                std::uint64_t values[4];
                std::size_t n = 0;
                MUST(conex_queue_pop_n(queue_, values, 4, &n));
                answer.assign(values, values + n);
            });
        }
    }

    void drain(Thread& thread) override {
        do pop(thread);
        while (!thread.log.back().answer.empty());
    }

private:
    void pop(Thread& thread) {
        log(thread, "pop", {}, [&](auto& answer) {
            std::uint64_t value = 0;
            const auto status = conex_queue_pop(queue_, &value);
            MUST(status);
            if (status == CONEX_OK) answer.push_back(static_cast<std::int64_t>(value));
        });
    }

    conex_queue* queue_ = nullptr;
};

const Register kind({"queue", "queue", 4, 1000, []() -> std::unique_ptr<Container> { return std::make_unique<Queue>(); }});

} // namespace
} // namespace record
