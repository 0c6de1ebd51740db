/* SPDX-License-Identifier: MIT OR Apache-2.0
 * The queue in C: every function, every ordinary status. */
#include <conex/conex.h>

#include <stdint.h>
#include <string.h>

#include "support/check.h"

static size_t dropped = 0;

static void count_drop(void *element, void *ctx) {
    CHECK(((const unsigned char *)element)[0] == ((const unsigned char *)element)[11]);
    ++*(size_t *)ctx;
}

static void words(void) {
    conex_queue *q = NULL;
    uint64_t in, out, many[16];
    size_t n, i;
    bool empty;

    CHECK(conex_queue_new(NULL, &q) == CONEX_OK);
    CHECK(q != NULL);
    CHECK(conex_queue_is_empty(q, &empty) == CONEX_OK && empty);
    CHECK(conex_queue_len(q, &n) == CONEX_OK && n == 0);
    out = 99;
    CHECK(conex_queue_pop(q, &out) == CONEX_EMPTY);
    CHECK(out == 99);

    for (in = 0; in < 5; in++) CHECK(conex_queue_push(q, &in) == CONEX_OK);
    CHECK(conex_queue_is_empty(q, &empty) == CONEX_OK && !empty);
    CHECK(conex_queue_len(q, &n) == CONEX_OK && n == 5);
    CHECK(conex_queue_pop(q, &out) == CONEX_OK && out == 0);

    for (i = 0; i < 16; i++) many[i] = 100 + i;
    n = 77;
    CHECK(conex_queue_push_n(q, many, 16, &n) == CONEX_OK && n == 16);
    CHECK(conex_queue_push_n(q, many, 1, NULL) == CONEX_OK);
    CHECK(conex_queue_push_n(q, NULL, 0, &n) == CONEX_OK && n == 0);
    memset(many, 0, sizeof many);
    CHECK(conex_queue_pop_n(q, many, 10, &n) == CONEX_OK && n == 10);
    CHECK(many[0] == 1 && many[3] == 4 && many[4] == 100 && many[9] == 105 && many[10] == 0);
    CHECK(conex_queue_pop_n(q, NULL, 0, &n) == CONEX_OK && n == 0);
    CHECK(conex_queue_pop_n(q, many, 16, &n) == CONEX_OK && n == 11);
    CHECK(many[0] == 106 && many[9] == 115 && many[10] == 100);
    n = 5;
    CHECK(conex_queue_pop_n(q, many, 16, &n) == CONEX_EMPTY && n == 0);
    for (in = 0; in < 10000; in++) CHECK(conex_queue_push(q, &in) == CONEX_OK);
    for (in = 0; in < 10000; in++) CHECK(conex_queue_pop(q, &out) == CONEX_OK && out == in);
    CHECK(conex_queue_pop(q, &out) == CONEX_EMPTY);
    CHECK(conex_queue_destroy(q) == CONEX_OK);
    CHECK(conex_queue_destroy(NULL) == CONEX_OK);
}

static void elements(void) {
    conex_queue_options o = CONEX_QUEUE_OPTIONS_INIT;
    conex_domain *home = NULL;
    conex_queue *q = NULL;
    unsigned char in[12], out[12];
    int i;

    CHECK(conex_domain_new(NULL, &home) == CONEX_OK);
    o.element.size = 12;
    o.element.align = 1;
    o.element.drop = count_drop;
    o.element.ctx = &dropped;
    o.domain = home;
    o.segment = 4;
    CHECK(conex_queue_new(&o, &q) == CONEX_OK);
    for (i = 0; i < 100; i++) {
        memset(in, i, sizeof in);
        CHECK(conex_queue_push(q, in) == CONEX_OK);
    }
    CHECK(conex_domain_destroy(home) == CONEX_BUSY);
    for (i = 0; i < 60; i++) {
        memset(in, i, sizeof in);
        CHECK(conex_queue_pop(q, out) == CONEX_OK);
        CHECK(memcmp(in, out, sizeof in) == 0);
    }
    CHECK(dropped == 0);
    CHECK(conex_queue_destroy(q) == CONEX_OK);
    CHECK(dropped == 40);
    CHECK(conex_domain_destroy(home) == CONEX_OK);
}

int main(void) {
    words();
    elements();
    return check_result();
}
