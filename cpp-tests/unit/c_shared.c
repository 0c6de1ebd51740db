/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Counted references and shared places in C. */
#include <conex/conex.h>

#include <stdint.h>
#include <string.h>

#include "support/check.h"

struct config {
    char text[100];
};

static int ended, made;

static void end(void *value, void *ctx) {
    CHECK(ctx == &ended);
    CHECK(strcmp(((struct config *)value)->text, "gone") != 0);
    strcpy(((struct config *)value)->text, "gone");
    ended++;
}

static int32_t make(void *to, void *ctx) {
    if (ctx == NULL) return CONEX_ERR_STALLED;
    CHECK(ctx == &made && (uintptr_t)to % 64 == 0);
    strcpy(((struct config *)to)->text, "made");
    made++;
    return 0;
}

static size_t count(const conex_ref *ref) {
    size_t n = 0;
    CHECK(conex_ref_count(ref, &n) == CONEX_OK);
    return n;
}

int main(void) {
    conex_element element = CONEX_ELEMENT_WORD;
    struct config one = {"one"}, two = {"two"};
    conex_domain *d = NULL, *other = NULL;
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    conex_ref *first = NULL, *second = NULL, *seen = NULL, *in_place = NULL, *word = NULL;
    conex_shared *place = NULL;
    uint64_t number = 42;

    element.size = sizeof one;
    element.align = 1;
    element.drop = end;
    element.ctx = &ended;
    CHECK(conex_domain_new(NULL, &d) == CONEX_OK);
    CHECK(conex_domain_new(NULL, &other) == CONEX_OK);
    CHECK(conex_ref_new(d, &element, &one, &first) == CONEX_OK);
    CHECK(conex_ref_new(d, &element, &two, &second) == CONEX_OK);
    CHECK(strcmp(((struct config *)conex_ref_value(first))->text, "one") == 0 && count(first) == 1);
    CHECK(conex_domain_destroy(d) == CONEX_BUSY);

    CHECK(conex_shared_new(d, first, &place) == CONEX_OK); /* the place owns `first` now */
    CHECK(conex_shared_load(place, &seen) == CONEX_OK && seen == first && count(seen) == 2);
    CHECK(conex_ref_retain(seen) == CONEX_OK && count(seen) == 3);
    CHECK(conex_ref_release(seen) == CONEX_OK && count(seen) == 2);
    CHECK(conex_shared_store(place, second) == CONEX_OK && count(seen) == 1 && ended == 0);
    CHECK(conex_ref_release(seen) == CONEX_OK && ended == 1);

    CHECK(conex_shared_exchange(place, NULL, &seen) == CONEX_OK && seen == second && count(seen) == 1);
    CHECK(conex_shared_load(place, &in_place) == CONEX_OK && in_place == NULL);
    CHECK(conex_shared_compare_exchange(place, seen, NULL, &in_place) == CONEX_MISMATCH && in_place == NULL);
    CHECK(conex_shared_compare_exchange(place, NULL, seen, NULL) == CONEX_OK && count(seen) == 1);
    CHECK(conex_shared_compare_exchange(place, NULL, NULL, &in_place) == CONEX_MISMATCH && in_place == second);
    CHECK(count(second) == 2);
    CHECK(conex_shared_compare_exchange(place, NULL, NULL, NULL) == CONEX_MISMATCH && count(second) == 2);
    CHECK(conex_shared_compare_exchange(place, second, NULL, NULL) == CONEX_OK && count(second) == 1 && ended == 1);
    CHECK(conex_ref_release(second) == CONEX_OK && ended == 2);

    element.size = 192;
    element.align = 64;
    in_place = NULL;
    CHECK(conex_ref_make(d, &element, make, NULL, &in_place) == CONEX_ERR_STALLED && in_place == NULL);
    CHECK(conex_ref_make(d, &element, make, &made, &in_place) == CONEX_OK && made == 1);
    CHECK(strcmp(((struct config *)conex_ref_value(in_place))->text, "made") == 0);
    CHECK(conex_shared_store(place, in_place) == CONEX_OK && ended == 2);

    CHECK(conex_ref_new(other, NULL, &number, &word) == CONEX_OK && *(uint64_t *)conex_ref_value(word) == 42);
    CHECK(conex_shared_store(place, word) == CONEX_ERR_INVALID); /* of another domain */
    CHECK(conex_ref_release(word) == CONEX_OK);
    CHECK(conex_ref_release(NULL) == CONEX_OK);
    CHECK(conex_ref_value(NULL) == NULL);

    CHECK(conex_shared_destroy(place) == CONEX_OK && ended == 3);
    CHECK(conex_shared_destroy(NULL) == CONEX_OK);
    CHECK(conex_domain_barrier(d, UINT64_MAX) == CONEX_OK);
    CHECK(conex_domain_stats_get(d, &stats) == CONEX_OK && stats.pending_objects == 0 && stats.pending_bytes == 0);
    CHECK(conex_domain_destroy(d) == CONEX_OK);
    CHECK(conex_domain_destroy(other) == CONEX_OK);
    return check_result();
}
