// The queue: every operation, in any mix; conservation, and the order of each producer.
#include "sequence.hpp"

namespace suspend {
namespace {

// `Words` tells which of the two engines behind the C functions is used: 8-byte words, or elements of a size known at run
// time (the token and two words that depend on it, which must come out together).
template <bool Words>
class Queue final : public Subject {
    struct Element {
        std::uint64_t token, twice, hash;
    };
    using Item = std::conditional_t<Words, std::uint64_t, Element>;

public:
    Queue() {
        conex_queue_options options = CONEX_QUEUE_OPTIONS_INIT;
        options.domain = clock_.domain;
        options.element.size = sizeof(Item);
        MUST(conex_queue_new(&options, &queue_));
    }

    std::string name() const override { return Words ? "queue of words" : "queue of structs"; }

    std::vector<const char*> operations() const override {
        return {"push", "pop", "push_n", "pop_n", "pop_wait", "len", "is_empty", "is_closed", "session", "flush", "retire"};
    }

    unsigned pick(Worker& worker) override {
        if (worker.balance > 400) return kPopN;
        if (worker.rng.below(512) == 0) return kPopWait; // rarely: a sleeping thread is no test of the others
        const unsigned r = static_cast<unsigned>(worker.rng.below(64));
        if (r < 24) return kPush;
        if (r < 48) return kPop;
        return r % 11 == kPopWait ? unsigned{kPop} : r % 11;
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
            MUST(conex_queue_push_n(queue_, items, kBatchSize, &count));
            return;
        }
        case kPopN: {
            Item items[kBatchSize];
            std::size_t count = 0;
            const auto status = conex_queue_pop_n(queue_, items, kBatchSize, &count);
            if (status != CONEX_OK && status != CONEX_EMPTY) die("pop_n", status);
            for (std::size_t i = 0; i < count; ++i) took(worker, items[i]);
            return;
        }
        // It may block, for a microsecond here; what is under test is that it makes nobody else wait.
        case kPopWait: {
            Item item;
            const auto status = conex_queue_pop_wait(queue_, &item, 1'000);
            if (status == CONEX_OK) took(worker, item);
            else if (status != CONEX_TIMEOUT) die("pop_wait", status);
            return;
        }
        case kLen: {
            std::size_t len = 0;
            MUST(conex_queue_len(queue_, &len));
            return;
        }
        case kIsEmpty: {
            bool empty = false;
            MUST(conex_queue_is_empty(queue_, &empty));
            return;
        }
        case kIsClosed: {
            bool closed = true;
            MUST(conex_queue_is_closed(queue_, &closed));
            if (closed) worker.fail("the queue says that it is closed");
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
        while (conex_queue_pop(queue_, &item) == CONEX_OK) took(last, item);
        MUST(conex_queue_destroy(queue_));
        std::string fault = conserved(workers, last.out);
        if (fault.empty()) fault = last.fault;
        std::string late = clock_.verify();
        return fault.empty() ? late : fault;
    }

private:
    enum { kPush, kPop, kPushN, kPopN, kPopWait, kLen, kIsEmpty, kIsClosed, kSession, kFlush };

    Item make(Worker& worker) {
        const std::uint64_t token = worker.token();
        worker.in.add(token);
        ++worker.balance;
        if constexpr (Words) return token;
        else return {token, token * 2, mix(token)};
    }

    void took(Worker& worker, const Item& item) {
        --worker.balance;
        std::uint64_t token;
        if constexpr (Words) token = item;
        else {
            token = item.token;
            if (item.twice != item.token * 2 || item.hash != mix(item.token)) worker.fail("an element came out torn");
        }
        worker.out.add(token);
        worker.in_order(token);
    }

    void push(Worker& worker) {
        const Item item = make(worker);
        MUST(conex_queue_push(queue_, &item));
    }

    void pop(Worker& worker) {
        Item item;
        const auto status = conex_queue_pop(queue_, &item);
        if (status == CONEX_OK) took(worker, item);
        else if (status != CONEX_EMPTY) die("pop", status);
    }

    Clock clock_;
    conex_queue* queue_ = nullptr;
};

const Register words("queue", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Queue<true>>(); });
const Register structs("queue", false, []() -> std::unique_ptr<Subject> { return std::make_unique<Queue<false>>(); });

} // namespace
} // namespace suspend
