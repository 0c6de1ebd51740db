// SPDX-License-Identifier: MIT OR Apache-2.0
// Bad input to every function of the stack and the queue: the documented status, and nothing changed.
#include "abuse/bad_input.hpp"

namespace {

constexpr std::size_t marker = 0x5AFE5AFE;

/// Three words in a container, which must still be there.
template <class Handle, class Push, class Pop, class Len>
class witness {
public:
    witness(Handle* handle, Push push, Pop pop, Len len) : handle_(handle), pop_(pop), len_(len) {
        for (std::uint64_t i = 1; i <= 3; ++i) CHECK(push(handle_, &i) == CONEX_OK);
    }
    void verify(const std::vector<std::uint64_t>& order) {
        std::size_t n = 0;
        CHECK(len_(handle_, &n) == CONEX_OK && n == order.size());
        for (const std::uint64_t wanted : order) {
            std::uint64_t got = 0;
            CHECK(pop_(handle_, &got) == CONEX_OK && got == wanted);
        }
        std::uint64_t got = 0;
        CHECK(pop_(handle_, &got) == CONEX_EMPTY);
    }

private:
    Handle* handle_;
    Pop pop_;
    Len len_;
};

void nothing(void*, void*) { CHECK(false); }

}  // namespace

TEST("stack: bad handles") {
    const abuse::zoo all;
    conex_stack* gone = nullptr;
    CHECK(conex_stack_new(nullptr, &gone) == CONEX_OK);
    CHECK(conex_stack_destroy(gone) == CONEX_OK);
    std::uint64_t word = 7;
    std::size_t n = marker;
    bool flag = true;
    abuse::refuse_bad_handles<conex_stack>(
        all, all.stack, gone,
        {
            {"conex_stack_destroy", [](conex_stack* s) { return conex_stack_destroy(s); }, false},
            {"conex_stack_push", [&](conex_stack* s) { return conex_stack_push(s, &word); }},
            {"conex_stack_push_n", [&](conex_stack* s) { return conex_stack_push_n(s, &word, 1, &n); }},
            {"conex_stack_push_n (0)", [&](conex_stack* s) { return conex_stack_push_n(s, nullptr, 0, &n); }},
            {"conex_stack_pop", [&](conex_stack* s) { return conex_stack_pop(s, &word); }},
            {"conex_stack_pop_n", [&](conex_stack* s) { return conex_stack_pop_n(s, &word, 1, &n); }},
            {"conex_stack_pop_n (0)", [&](conex_stack* s) { return conex_stack_pop_n(s, nullptr, 0, &n); }},
            {"conex_stack_pop_all", [&](conex_stack* s) { return conex_stack_pop_all(s, nothing, nullptr, &n); }},
            {"conex_stack_len", [&](conex_stack* s) { return conex_stack_len(s, &n); }},
            {"conex_stack_is_empty", [&](conex_stack* s) { return conex_stack_is_empty(s, &flag); }},
        });
    CHECK(word == 7 && n == marker && flag);
}

TEST("queue: bad handles") {
    const abuse::zoo all;
    conex_queue* gone = nullptr;
    CHECK(conex_queue_new(nullptr, &gone) == CONEX_OK);
    CHECK(conex_queue_destroy(gone) == CONEX_OK);
    std::uint64_t word = 7;
    std::size_t n = marker;
    bool flag = true;
    abuse::refuse_bad_handles<conex_queue>(
        all, all.queue, gone,
        {
            {"conex_queue_destroy", [](conex_queue* q) { return conex_queue_destroy(q); }, false},
            {"conex_queue_push", [&](conex_queue* q) { return conex_queue_push(q, &word); }},
            {"conex_queue_push_n", [&](conex_queue* q) { return conex_queue_push_n(q, &word, 1, &n); }},
            {"conex_queue_push_n (0)", [&](conex_queue* q) { return conex_queue_push_n(q, nullptr, 0, &n); }},
            {"conex_queue_pop", [&](conex_queue* q) { return conex_queue_pop(q, &word); }},
            {"conex_queue_pop_n", [&](conex_queue* q) { return conex_queue_pop_n(q, &word, 1, &n); }},
            {"conex_queue_pop_n (0)", [&](conex_queue* q) { return conex_queue_pop_n(q, nullptr, 0, &n); }},
            {"conex_queue_len", [&](conex_queue* q) { return conex_queue_len(q, &n); }},
            {"conex_queue_is_empty", [&](conex_queue* q) { return conex_queue_is_empty(q, &flag); }},
        });
    CHECK(word == 7 && n == marker && flag);
}

TEST("stack: null arguments and absurd counts") {
    const abuse::zoo all;
    conex_stack* const s = all.stack;
    witness w(s, conex_stack_push, conex_stack_pop, conex_stack_len);
    std::uint64_t word = 7;
    std::size_t n = marker;
    using abuse::expect;
    expect(conex_stack_push(s, nullptr), CONEX_ERR_NULL, "conex_stack_push", "a null element");
    expect(conex_stack_push_n(s, nullptr, 1, &n), CONEX_ERR_NULL, "conex_stack_push_n", "null elements");
    expect(conex_stack_push_n(s, &word, SIZE_MAX, &n), CONEX_ERR_INVALID, "conex_stack_push_n", "SIZE_MAX elements");
    expect(conex_stack_push_n(s, &word, SIZE_MAX / 8, &n), CONEX_ERR_INVALID, "conex_stack_push_n", "SIZE_MAX bytes");
    expect(conex_stack_push_n(s, &word, SIZE_MAX / 8 + 2, &n), CONEX_ERR_INVALID, "conex_stack_push_n",
           "bytes that overflow");
    expect(conex_stack_pop(s, nullptr), CONEX_ERR_NULL, "conex_stack_pop", "a null element");
    expect(conex_stack_pop_n(s, nullptr, 1, &n), CONEX_ERR_NULL, "conex_stack_pop_n", "null elements");
    expect(conex_stack_pop_n(s, &word, 1, nullptr), CONEX_ERR_NULL, "conex_stack_pop_n", "a null count");
    expect(conex_stack_pop_n(s, nullptr, 0, nullptr), CONEX_ERR_NULL, "conex_stack_pop_n", "a null count, n = 0");
    expect(conex_stack_pop_n(s, &word, SIZE_MAX, &n), CONEX_ERR_INVALID, "conex_stack_pop_n", "SIZE_MAX elements");
    expect(conex_stack_len(s, nullptr), CONEX_ERR_NULL, "conex_stack_len", "a null len");
    expect(conex_stack_is_empty(s, nullptr), CONEX_ERR_NULL, "conex_stack_is_empty", "a null empty");
    CHECK(word == 7 && n == marker);
    w.verify({3, 2, 1});
}

TEST("queue: null arguments and absurd counts") {
    const abuse::zoo all;
    conex_queue* const q = all.queue;
    witness w(q, conex_queue_push, conex_queue_pop, conex_queue_len);
    std::uint64_t word = 7;
    std::size_t n = marker;
    using abuse::expect;
    expect(conex_queue_push(q, nullptr), CONEX_ERR_NULL, "conex_queue_push", "a null element");
    expect(conex_queue_push_n(q, nullptr, 1, &n), CONEX_ERR_NULL, "conex_queue_push_n", "null elements");
    expect(conex_queue_push_n(q, &word, SIZE_MAX, &n), CONEX_ERR_INVALID, "conex_queue_push_n", "SIZE_MAX elements");
    expect(conex_queue_push_n(q, &word, SIZE_MAX / 8, &n), CONEX_ERR_INVALID, "conex_queue_push_n", "SIZE_MAX bytes");
    expect(conex_queue_push_n(q, &word, SIZE_MAX / 8 + 2, &n), CONEX_ERR_INVALID, "conex_queue_push_n",
           "bytes that overflow");
    expect(conex_queue_pop(q, nullptr), CONEX_ERR_NULL, "conex_queue_pop", "a null element");
    expect(conex_queue_pop_n(q, nullptr, 1, &n), CONEX_ERR_NULL, "conex_queue_pop_n", "null elements");
    expect(conex_queue_pop_n(q, &word, 1, nullptr), CONEX_ERR_NULL, "conex_queue_pop_n", "a null count");
    expect(conex_queue_pop_n(q, nullptr, 0, nullptr), CONEX_ERR_NULL, "conex_queue_pop_n", "a null count, n = 0");
    expect(conex_queue_pop_n(q, &word, SIZE_MAX, &n), CONEX_ERR_INVALID, "conex_queue_pop_n", "SIZE_MAX elements");
    expect(conex_queue_len(q, nullptr), CONEX_ERR_NULL, "conex_queue_len", "a null len");
    expect(conex_queue_is_empty(q, nullptr), CONEX_ERR_NULL, "conex_queue_is_empty", "a null empty");
    CHECK(word == 7 && n == marker);
    w.verify({1, 2, 3});
}

TEST("stack and queue: bad options") {
    const abuse::zoo all;
    conex_stack_options so = CONEX_STACK_OPTIONS_INIT;
    conex_queue_options qo = CONEX_QUEUE_OPTIONS_INIT;
    abuse::refuse_bad_options(all, so, conex_stack_new, conex_stack_destroy, "conex_stack_new");
    abuse::refuse_bad_options(all, qo, conex_queue_new, conex_queue_destroy, "conex_queue_new");
    for (const auto& [what, element] : abuse::bad_elements()) {
        so.element = element;
        qo.element = element;
        conex_stack* s = nullptr;
        conex_queue* q = nullptr;
        abuse::expect(conex_stack_new(&so, &s), CONEX_ERR_INVALID, "conex_stack_new", what);
        abuse::expect(conex_queue_new(&qo, &q), CONEX_ERR_INVALID, "conex_queue_new", what);
        CHECK(s == nullptr && q == nullptr);
    }
    // The limits themselves are allowed.
    for (const std::size_t align : {std::size_t{1}, std::size_t{2}, std::size_t{64}, std::size_t{4096}}) {
        so.element = CONEX_ELEMENT_WORD;
        so.element.size = so.element.align = align;
        qo.element = so.element;
        conex_stack* s = nullptr;
        conex_queue* q = nullptr;
        abuse::expect(conex_stack_new(&so, &s), CONEX_OK, "conex_stack_new", "an alignment that is allowed");
        abuse::expect(conex_queue_new(&qo, &q), CONEX_OK, "conex_queue_new", "an alignment that is allowed");
        CHECK(conex_stack_destroy(s) == CONEX_OK && conex_queue_destroy(q) == CONEX_OK);
    }
    qo = CONEX_QUEUE_OPTIONS_INIT;
    for (const std::size_t segment : {std::size_t{1}, std::size_t{1} << 20, SIZE_MAX / 2, SIZE_MAX}) {
        qo.segment = segment;  // a hint: whatever it says, the queue works, or there is no memory for it
        conex_queue* q = nullptr;
        const conex_status made = conex_queue_new(&qo, &q);
        CHECK(made == CONEX_OK || made == CONEX_ERR_NO_MEMORY || made == CONEX_ERR_INVALID);
        if (made != CONEX_OK) continue;
        std::uint64_t word = 5;
        const conex_status pushed = conex_queue_push(q, &word);
        CHECK(pushed == CONEX_OK || pushed == CONEX_ERR_NO_MEMORY);
        if (pushed == CONEX_OK) CHECK(conex_queue_pop(q, &word) == CONEX_OK && word == 5);
        CHECK(conex_queue_destroy(q) == CONEX_OK);
    }
}

TEST("stack and queue: elements at odd addresses, and huge ones") {
    const abuse::zoo all;
    unsigned char bytes[64];
    for (std::size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<unsigned char>(i);
    CHECK(conex_stack_push(all.stack, bytes + 1) == CONEX_OK);
    CHECK(conex_queue_push(all.queue, bytes + 3) == CONEX_OK);
    CHECK(conex_stack_push_n(all.stack, bytes + 5, 3, nullptr) == CONEX_OK);
    CHECK(conex_queue_push_n(all.queue, bytes + 5, 3, nullptr) == CONEX_OK);
    unsigned char out[64] = {};
    std::size_t n = 0;
    CHECK(conex_stack_pop_n(all.stack, out + 1, 4, &n) == CONEX_OK && n == 4);
    CHECK(std::memcmp(out + 1, bytes + 21, 8) == 0 && std::memcmp(out + 25, bytes + 1, 8) == 0);
    CHECK(conex_queue_pop_n(all.queue, out + 3, 4, &n) == CONEX_OK && n == 4);
    CHECK(std::memcmp(out + 3, bytes + 3, 8) == 0 && std::memcmp(out + 11, bytes + 5, 24) == 0);

    conex_stack_options so = CONEX_STACK_OPTIONS_INIT;
    conex_queue_options qo = CONEX_QUEUE_OPTIONS_INIT;
    so.element.size = qo.element.size = std::size_t{1} << 22;
    conex_stack* s = nullptr;
    conex_queue* q = nullptr;
    CHECK(conex_stack_new(&so, &s) == CONEX_OK);
    CHECK(conex_queue_new(&qo, &q) == CONEX_OK);
    std::vector<unsigned char> big(so.element.size, 0xA5);
    std::vector<unsigned char> back(so.element.size, 0);
    CHECK(conex_stack_push(s, big.data()) == CONEX_OK);
    CHECK(conex_stack_pop(s, back.data()) == CONEX_OK && back == big);
    back.assign(back.size(), 0);
    CHECK(conex_queue_push(q, big.data()) == CONEX_OK);
    CHECK(conex_queue_pop(q, back.data()) == CONEX_OK && back == big);
    CHECK(conex_stack_destroy(s) == CONEX_OK);
    CHECK(conex_queue_destroy(q) == CONEX_OK);
}

TEST("a drop that uses another container") {
    const abuse::zoo all;
    conex_stack_options so = CONEX_STACK_OPTIONS_INIT;
    so.element.drop = [](void* element, void* ctx) {
        CHECK(conex_queue_push(static_cast<conex_queue*>(ctx), element) == CONEX_OK);
    };
    so.element.ctx = all.queue;
    conex_stack* s = nullptr;
    CHECK(conex_stack_new(&so, &s) == CONEX_OK);
    for (std::uint64_t i = 0; i < 100; ++i) CHECK(conex_stack_push(s, &i) == CONEX_OK);
    std::size_t n = 0;
    CHECK(conex_stack_pop_all(s, nullptr, nullptr, &n) == CONEX_OK && n == 100);
    for (std::uint64_t i = 0; i < 100; ++i) CHECK(conex_stack_push(s, &i) == CONEX_OK);
    CHECK(conex_stack_destroy(s) == CONEX_OK);
    CHECK(conex_queue_len(all.queue, &n) == CONEX_OK && n == 200);
}
