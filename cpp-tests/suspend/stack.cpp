// The stack: every operation, in any mix; conservation.
#include "sequence.hpp"

namespace suspend {
namespace {

// `Words` tells which of the two engines behind the C functions is used: 8-byte words, or elements of a size known at run
// time (the token and two words that depend on it, which must come out together).
template <bool Words>
class Stack final : public Subject {
    struct Element {
        std::uint64_t token, twice, hash;
    };
    using Item = std::conditional_t<Words, std::uint64_t, Element>;

public:
    Stack() {
        conex_stack_options options = CONEX_STACK_OPTIONS_INIT;
        options.domain = clock_.domain;
        options.element.size = sizeof(Item);
        MUST(conex_stack_new(&options, &stack_));
    }

    std::string name() const override { return Words ? "stack of words" : "stack of structs"; }

    std::vector<const char*> operations() const override {
        return {"push", "pop", "push_n", "pop_n", "pop_all", "len", "is_empty", "session", "flush", "retire"};
    }

    unsigned pick(Worker& worker) override {
        if (worker.balance > 400) return kPopAll;
        const unsigned r = static_cast<unsigned>(worker.rng.below(64));
        if (r < 24) return kPush;
        if (r < 48) return kPop;
        return r % 10;
    }

    void prepare(Worker& worker, unsigned) override {
        for (int i = 0; i < 4; ++i) push(worker);
    }

    void run(Worker& worker, unsigned operation) override {
        switch (operation) {
        case kPush: return push(worker);
        case kPop: return pop(worker);
        case kPushN: {
            Item items[kBatchSize];
            for (auto& item : items) item = make(worker);
            std::size_t count = 0;
            MUST(conex_stack_push_n(stack_, items, kBatchSize, &count));
            return;
        }
        case kPopN: {
            Item items[kBatchSize];
            std::size_t count = 0;
            const auto status = conex_stack_pop_n(stack_, items, kBatchSize, &count);
            if (status != CONEX_OK && status != CONEX_EMPTY) die("pop_n", status);
            for (std::size_t i = 0; i < count; ++i) took(worker, items[i]);
            return;
        }
        case kPopAll: {
            struct Taker {
                Stack* stack;
                Worker* worker;
            } taker{this, &worker};
            auto take = [](void* element, void* ctx) {
                auto& t = *static_cast<Taker*>(ctx);
                t.stack->took(*t.worker, *static_cast<Item*>(element));
            };
            std::size_t count = 0;
            const auto status = conex_stack_pop_all(stack_, take, &taker, &count);
            if (status < 0) die("pop_all", status);
            worker.balance = 0;
            return;
        }
        case kLen: {
            std::size_t len = 0;
            MUST(conex_stack_len(stack_, &len));
            return;
        }
        case kIsEmpty: {
            bool empty = false;
            MUST(conex_stack_is_empty(stack_, &empty));
            return;
        }
        case kSession: {
            conex_guard* const guard = clock_.enter();
            push(worker);
            MUST(conex_guard_refresh(guard));
            pop(worker);
            MUST(conex_guard_leave(guard));
            return;
        }
        case kFlush: return clock_.flush();
        default: return clock_.retire(worker);
        }
    }

    std::string verify(std::vector<std::unique_ptr<Worker>>& workers) override {
        Worker last;
        Item item;
        while (conex_stack_pop(stack_, &item) == CONEX_OK) took(last, item);
        MUST(conex_stack_destroy(stack_));
        std::string fault = conserved(workers, last.out);
        if (fault.empty()) fault = last.fault;
        std::string late = clock_.verify();
        return fault.empty() ? late : fault;
    }

private:
    enum { kPush, kPop, kPushN, kPopN, kPopAll, kLen, kIsEmpty, kSession, kFlush };

    Item make(Worker& worker) {
        const std::uint64_t token = worker.token();
        worker.in.add(token);
        ++worker.balance;
        if constexpr (Words) return token;
        else return {token, token * 2, mix(token)};
    }

    void took(Worker& worker, const Item& item) {
        --worker.balance;
        if constexpr (Words) worker.out.add(item);
        else {
            if (item.twice != item.token * 2 || item.hash != mix(item.token)) worker.fail("an element came out torn");
            worker.out.add(item.token);
        }
    }

    void push(Worker& worker) {
        const Item item = make(worker);
        MUST(conex_stack_push(stack_, &item));
    }

    void pop(Worker& worker) {
        Item item;
        const auto status = conex_stack_pop(stack_, &item);
        if (status == CONEX_OK) took(worker, item);
        else if (status != CONEX_EMPTY) die("pop", status);
    }

    Clock clock_;
    conex_stack* stack_ = nullptr;
};

const Register words("stack", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Stack<true>>(); });
const Register structs("stack", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Stack<false>>(); });

} // namespace
} // namespace suspend
