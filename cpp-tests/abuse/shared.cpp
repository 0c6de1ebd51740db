// SPDX-License-Identifier: MIT OR Apache-2.0
// Bad input to every function of references and shared places: the documented status, nothing changed, nothing lost.
#include "abuse/bad_input.hpp"

TEST("ref: bad handles") {
    const abuse::zoo all;
    const std::uint64_t word = 1;
    conex_ref* gone = nullptr;
    CHECK(conex_ref_new(all.domain, nullptr, &word, &gone) == CONEX_OK);
    // The guard of the zoo keeps its memory readable.
    CHECK(conex_ref_release(gone) == CONEX_OK);
    std::size_t count = 77;
    conex_ref* out = nullptr;
    conex_shared* made = nullptr;
    abuse::refuse_bad_handles<conex_ref>(
        all, all.ref, gone,
        {
            {"conex_ref_release", [](conex_ref* r) { return conex_ref_release(r); }, false},
            {"conex_ref_retain", [](conex_ref* r) { return conex_ref_retain(r); }},
            {"conex_ref_count", [&](conex_ref* r) { return conex_ref_count(r, &count); }},
            {"conex_shared_new", [&](conex_ref* r) { return conex_shared_new(all.domain, r, &made); }, false},
            {"conex_shared_store", [&](conex_ref* r) { return conex_shared_store(all.shared, r); }, false},
            {"conex_shared_exchange", [&](conex_ref* r) { return conex_shared_exchange(all.shared, r, &out); }, false},
            {"conex_shared_compare_exchange",
             [&](conex_ref* r) { return conex_shared_compare_exchange(all.shared, r, nullptr, &out); }, false},
            {"conex_shared_compare_exchange",
             [&](conex_ref* r) { return conex_shared_compare_exchange(all.shared, nullptr, r, &out); }, false},
        });
    for (const abuse::bad_handle& bad : abuse::bad_handles(all, all.ref, gone, true)) {
        CHECK(conex_ref_value(static_cast<conex_ref*>(bad.handle)) == nullptr);
    }
    CHECK(count == 77 && out == nullptr && made == nullptr);
    CHECK(conex_ref_count(all.ref, &count) == CONEX_OK && count == 1);
}

TEST("shared: bad handles") {
    const abuse::zoo all;
    conex_shared* gone = nullptr;
    CHECK(conex_shared_new(all.domain, nullptr, &gone) == CONEX_OK);
    CHECK(conex_shared_destroy(gone) == CONEX_OK);
    conex_ref* out = nullptr;
    abuse::refuse_bad_handles<conex_shared>(
        all, all.shared, gone,
        {
            {"conex_shared_destroy", [](conex_shared* s) { return conex_shared_destroy(s); }, false},
            {"conex_shared_load", [&](conex_shared* s) { return conex_shared_load(s, &out); }},
            {"conex_shared_store", [&](conex_shared* s) { return conex_shared_store(s, all.ref); }},
            {"conex_shared_exchange", [&](conex_shared* s) { return conex_shared_exchange(s, all.ref, &out); }},
            {"conex_shared_compare_exchange",
             [&](conex_shared* s) { return conex_shared_compare_exchange(s, nullptr, all.ref, &out); }},
        });
    CHECK(out == nullptr);
}

TEST("ref: null arguments, elements that cannot be, domains that are none") {
    const abuse::zoo all;
    using abuse::expect;
    static int made;
    made = 0;
    const std::uint64_t word = 1;
    const conex_element good = CONEX_ELEMENT_WORD;
    const conex_ref_make_fn make = [](void*, void*) -> std::int32_t { return ++made, 0; };
    conex_ref* out = nullptr;
    std::size_t count = 77;
    expect(conex_ref_new(all.domain, &good, nullptr, &out), CONEX_ERR_NULL, "conex_ref_new", "a null value");
    expect(conex_ref_new(all.domain, &good, &word, nullptr), CONEX_ERR_NULL, "conex_ref_new", "a null out");
    expect(conex_ref_make(all.domain, &good, nullptr, nullptr, &out), CONEX_ERR_NULL, "conex_ref_make", "a null function");
    expect(conex_ref_make(all.domain, &good, make, nullptr, nullptr), CONEX_ERR_NULL, "conex_ref_make", "a null out");
    expect(conex_ref_count(all.ref, nullptr), CONEX_ERR_NULL, "conex_ref_count", "a null count");
    expect(conex_shared_new(all.domain, nullptr, nullptr), CONEX_ERR_NULL, "conex_shared_new", "a null out");
    expect(conex_shared_load(all.shared, nullptr), CONEX_ERR_NULL, "conex_shared_load", "a null out");
    expect(conex_shared_exchange(all.shared, all.ref, nullptr), CONEX_ERR_NULL, "conex_shared_exchange", "a null old");
    for (const auto& [what, element] : abuse::bad_elements()) {
        expect(conex_ref_new(all.domain, &element, &word, &out), CONEX_ERR_INVALID, "conex_ref_new", what);
        expect(conex_ref_make(all.domain, &element, make, nullptr, &out), CONEX_ERR_INVALID, "conex_ref_make", what);
    }
    for (const int status : {1, 1234, -1234}) {
        static int answer;
        answer = status;
        const conex_ref_make_fn odd = [](void*, void*) -> std::int32_t { return answer; };
        expect(conex_ref_make(all.domain, &good, odd, nullptr, &out), CONEX_ERR_INVALID, "conex_ref_make",
               "an answer that is no status of an error");
    }
    conex_domain* no_domain = nullptr;
    CHECK(conex_domain_new(nullptr, &no_domain) == CONEX_OK);
    CHECK(conex_domain_destroy(no_domain) == CONEX_OK);
    conex_shared* place = nullptr;
    abuse::refuse_bad_handles<conex_domain>(
        all, all.domain, no_domain,
        {
            {"conex_ref_new", [&](conex_domain* d) { return conex_ref_new(d, &good, &word, &out); }, false},
            {"conex_ref_make", [&](conex_domain* d) { return conex_ref_make(d, &good, make, nullptr, &out); }, false},
            {"conex_shared_new", [&](conex_domain* d) { return conex_shared_new(d, nullptr, &place); }, false},
        });
    CHECK(made == 0 && out == nullptr && place == nullptr);
    CHECK(conex_ref_count(all.ref, &count) == CONEX_OK && count == 1);
}

TEST("ref: of another domain") {
    const abuse::zoo all;
    using abuse::expect;
    const std::uint64_t word = 1;
    conex_ref* foreign = nullptr;
    conex_ref* out = nullptr;
    conex_shared* place = nullptr;
    std::size_t count = 0;
    CHECK(conex_ref_new(nullptr, nullptr, &word, &foreign) == CONEX_OK);
    expect(conex_shared_new(all.domain, foreign, &place), CONEX_ERR_INVALID, "conex_shared_new", "a foreign reference");
    expect(conex_shared_store(all.shared, foreign), CONEX_ERR_INVALID, "conex_shared_store", "a foreign reference");
    expect(conex_shared_exchange(all.shared, foreign, &out), CONEX_ERR_INVALID, "conex_shared_exchange",
           "a foreign reference");
    expect(conex_shared_compare_exchange(all.shared, nullptr, foreign, &out), CONEX_ERR_INVALID,
           "conex_shared_compare_exchange", "a foreign reference");
    CHECK(out == nullptr && place == nullptr);
    CHECK(conex_shared_compare_exchange(all.shared, foreign, nullptr, &out) == CONEX_MISMATCH);  // it is not there
    CHECK(conex_ref_count(foreign, &count) == CONEX_OK && count == 1);
    CHECK(conex_ref_release(foreign) == CONEX_OK);
}
