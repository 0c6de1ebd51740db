#include <conex/conex.h>

#include "record.hpp"

namespace record {
namespace {

template <bool Batches>
class Stack final : public Container {
public:
    Stack() { MUST(conex_stack_new(nullptr, &stack_)); }
    ~Stack() override { MUST(conex_stack_destroy(stack_)); }

    void run(Thread& thread) override {
        const std::uint64_t kind = thread.random(Batches ? 10 : 5);
        if (kind < 2) {
            const std::uint64_t value = thread.value();
            log(thread, "push", {value}, [&](auto&) { MUST(conex_stack_push(stack_, &value)); });
        } else if (kind < 4) {
            pop(thread);
        } else if (kind == 4) {
            log(thread, "is_empty", {}, [&](auto& answer) {
                bool empty = false;
                MUST(conex_stack_is_empty(stack_, &empty));
                answer.push_back(empty);
            });
            // An answer of "not empty" says nothing that the checker of single operations could use.
            if (!Batches && thread.log.back().answer[0] == 0) thread.log.pop_back();
        } else if (kind < 7) {
            std::uint64_t values[3];
            for (auto& value : values) value = thread.value();
            log(thread, "push_n", {values[0], values[1], values[2]}, [&](auto&) { MUST(conex_stack_push_n(stack_, values, 3, nullptr)); });
        } else if (kind < 9) {
            log(thread, "pop_n", {4}, [&](auto& answer) {
                std::uint64_t values[4];
                std::size_t n = 0;
                MUST(conex_stack_pop_n(stack_, values, 4, &n));
                answer.assign(values, values + n);
            });
        } else {
            log(thread, "pop_all", {}, [&](auto& answer) {
                MUST(conex_stack_pop_all(
                    stack_, [](void* element, void* to) { static_cast<std::vector<std::int64_t>*>(to)->push_back(*static_cast<std::int64_t*>(element)); },
                    &answer, nullptr));
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
            const auto status = conex_stack_pop(stack_, &value);
            MUST(status);
            if (status == CONEX_OK) answer.push_back(static_cast<std::int64_t>(value));
        });
    }

    conex_stack* stack_ = nullptr;
};

const Register single({"stack", "stack", 4, 300, []() -> std::unique_ptr<Container> { return std::make_unique<Stack<false>>(); }});
const Register batches({"stack_n", "stack_n", 3, 10, []() -> std::unique_ptr<Container> { return std::make_unique<Stack<true>>(); }});

} // namespace
} // namespace record
