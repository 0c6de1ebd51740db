// SPDX-License-Identifier: MIT OR Apache-2.0
// Bad input to every function of hazard pointers and to retirement in a node: the documented status, nothing changed.
#include "abuse/bad_input.hpp"

namespace {

void count(void* ptr, void*) { ++*static_cast<int*>(ptr); }

}  // namespace

TEST("hazard: bad handles") {
    const abuse::zoo all;
    conex_hazard* gone = nullptr;
    CHECK(conex_hazard_new(all.domain, &gone) == CONEX_OK);
    CHECK(conex_hazard_destroy(gone) == CONEX_OK);
    int object = 0;
    void* source = &object;
    void* const marker = &source;
    void* out = marker;
    abuse::refuse_bad_handles<conex_hazard>(
        all, all.hazard, gone,
        {
            {"conex_hazard_destroy", [](conex_hazard* h) { return conex_hazard_destroy(h); }, false},
            {"conex_hazard_protect", [&](conex_hazard* h) { return conex_hazard_protect(h, &source, &out); }},
            {"conex_hazard_try_protect", [&](conex_hazard* h) { return conex_hazard_try_protect(h, &out, &source); }},
            {"conex_hazard_reset", [](conex_hazard* h) { return conex_hazard_reset(h, nullptr); }},
        });
    CHECK(out == marker);

    conex_domain* no_domain = nullptr;
    CHECK(conex_domain_new(nullptr, &no_domain) == CONEX_OK);
    CHECK(conex_domain_destroy(no_domain) == CONEX_OK);
    int called = 0;
    conex_hazard* made = nullptr;
    conex_retire_node node;
    abuse::refuse_bad_handles<conex_domain>(
        all, all.domain, no_domain,
        {
            {"conex_hazard_new", [&](conex_domain* d) { return conex_hazard_new(d, &made); }, false},
            {"conex_hazard_retire",
             [&](conex_domain* d) { return conex_hazard_retire(d, &called, 1, count, nullptr); }, false},
            {"conex_hazard_retire_node",
             [&](conex_domain* d) { return conex_hazard_retire_node(d, &node, &called, 1, count, nullptr); }, false},
            {"conex_domain_retire_node",
             [&](conex_domain* d) { return conex_domain_retire_node(d, &node, &called, 1, count, nullptr); }, false},
        });
    CHECK(called == 0 && made == nullptr);
}

TEST("hazard: null and misaligned arguments") {
    const abuse::zoo all;
    using abuse::expect;
    int called = 0;
    void* source = &called;
    void* out = nullptr;
    const void* const odd = reinterpret_cast<unsigned char*>(&source) + 1;
    expect(conex_hazard_new(all.domain, nullptr), CONEX_ERR_NULL, "conex_hazard_new", "a null out");
    expect(conex_hazard_protect(all.hazard, nullptr, &out), CONEX_ERR_NULL, "conex_hazard_protect", "a null source");
    expect(conex_hazard_protect(all.hazard, odd, &out), CONEX_ERR_INVALID, "conex_hazard_protect", "an odd source");
    expect(conex_hazard_protect(all.hazard, &source, nullptr), CONEX_ERR_NULL, "conex_hazard_protect", "a null out");
    expect(conex_hazard_try_protect(all.hazard, nullptr, &source), CONEX_ERR_NULL, "conex_hazard_try_protect",
           "a null pointer");
    expect(conex_hazard_try_protect(all.hazard, &out, nullptr), CONEX_ERR_NULL, "conex_hazard_try_protect",
           "a null source");
    expect(conex_hazard_try_protect(all.hazard, &out, odd), CONEX_ERR_INVALID, "conex_hazard_try_protect",
           "an odd source");
    CHECK(out == nullptr);
    conex_retire_node nodes[2];
    auto* const askew =
        reinterpret_cast<conex_retire_node*>(reinterpret_cast<unsigned char*>(static_cast<void*>(nodes)) + 4);
    expect(conex_hazard_retire(all.domain, &called, 1, nullptr, nullptr), CONEX_ERR_NULL, "conex_hazard_retire",
           "a null function");
    expect(conex_hazard_retire_node(all.domain, nodes, &called, 1, nullptr, nullptr), CONEX_ERR_NULL,
           "conex_hazard_retire_node", "a null function");
    expect(conex_hazard_retire_node(all.domain, nullptr, &called, 1, count, nullptr), CONEX_ERR_NULL,
           "conex_hazard_retire_node", "a null node");
    expect(conex_hazard_retire_node(all.domain, askew, &called, 1, count, nullptr), CONEX_ERR_INVALID,
           "conex_hazard_retire_node", "an odd node");
    expect(conex_domain_retire_node(all.domain, nodes, &called, 1, nullptr, nullptr), CONEX_ERR_NULL,
           "conex_domain_retire_node", "a null function");
    expect(conex_domain_retire_node(all.domain, nullptr, &called, 1, count, nullptr), CONEX_ERR_NULL,
           "conex_domain_retire_node", "a null node");
    expect(conex_domain_retire_node(all.domain, askew, &called, 1, count, nullptr), CONEX_ERR_INVALID,
           "conex_domain_retire_node", "an odd node");
    // What was refused was not retired; a null object and zero bytes are nothing special.
    CHECK(conex_domain_flush(all.domain) == CONEX_OK && called == 0);
    CHECK(conex_hazard_retire(all.domain, &called, 0, count, nullptr) == CONEX_OK);
    CHECK(conex_hazard_retire(all.domain, nullptr, 0, [](void*, void*) {}, nullptr) == CONEX_OK);
    CHECK(conex_domain_flush(all.domain) == CONEX_OK && called == 1);
}

TEST("hazard: a live one keeps its domain") {
    conex_domain* d = nullptr;
    conex_hazard* h = nullptr;
    CHECK(conex_domain_new(nullptr, &d) == CONEX_OK);
    CHECK(conex_hazard_new(d, &h) == CONEX_OK);
    abuse::expect(conex_domain_destroy(d), CONEX_BUSY, "conex_domain_destroy", "a domain with a hazard pointer");
    CHECK(conex_hazard_destroy(h) == CONEX_OK);
    abuse::expect(conex_hazard_destroy(h), CONEX_ERR_HANDLE, "conex_hazard_destroy", "a handle that was destroyed twice");
    CHECK(conex_domain_destroy(d) == CONEX_OK);
}
