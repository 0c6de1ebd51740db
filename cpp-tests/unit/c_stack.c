/* SPDX-License-Identifier: MIT OR Apache-2.0
 * The stack in C: every function, every ordinary status. */
#include <conex/conex.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

struct pair {
    uint64_t a;
    uint64_t b;
};

static size_t dropped = 0;

static void count_drop(void *element, void *ctx) {
    struct pair p;
    memcpy(&p, element, sizeof p);
    CHECK(p.b == p.a + 1);
    CHECK(ctx == &dropped);
    ++*(size_t *)ctx;
}

struct taken {
    uint64_t next;
    size_t count;
};

static void take_pair(void *element, void *ctx) {
    struct taken *t = ctx;
    struct pair p;
    memcpy(&p, element, sizeof p);
    CHECK(p.a == t->next);
    t->next--;
    t->count++;
}

static void words(void) {
    conex_stack *s = NULL;
    uint64_t in, out, many[16];
    size_t n, i;
    bool empty;

    CHECK(conex_stack_new(NULL, &s) == CONEX_OK);
    CHECK(s != NULL);
    CHECK(conex_stack_is_empty(s, &empty) == CONEX_OK && empty);
    CHECK(conex_stack_len(s, &n) == CONEX_OK && n == 0);
    out = 99;
    CHECK(conex_stack_pop(s, &out) == CONEX_EMPTY);
    CHECK(out == 99);

    for (in = 0; in < 5; in++) CHECK(conex_stack_push(s, &in) == CONEX_OK);
    CHECK(conex_stack_is_empty(s, &empty) == CONEX_OK && !empty);
    CHECK(conex_stack_len(s, &n) == CONEX_OK && n == 5);
    CHECK(conex_stack_pop(s, &out) == CONEX_OK && out == 4);

    for (i = 0; i < 16; i++) many[i] = 100 + i;
    n = 77;
    CHECK(conex_stack_push_n(s, many, 16, &n) == CONEX_OK && n == 16);
    CHECK(conex_stack_push_n(s, many, 1, NULL) == CONEX_OK);
    CHECK(conex_stack_push_n(s, NULL, 0, &n) == CONEX_OK && n == 0);
    CHECK(conex_stack_pop(s, &out) == CONEX_OK && out == 100);
    memset(many, 0, sizeof many);
    CHECK(conex_stack_pop_n(s, many, 10, &n) == CONEX_OK && n == 10);
    for (i = 0; i < 10; i++) CHECK(many[i] == 115 - i);
    CHECK(many[10] == 0);
    CHECK(conex_stack_pop_n(s, NULL, 0, &n) == CONEX_OK && n == 0);
    CHECK(conex_stack_pop_n(s, many, 16, &n) == CONEX_OK && n == 10);
    CHECK(many[5] == 100 && many[6] == 3 && many[9] == 0);
    n = 5;
    CHECK(conex_stack_pop_n(s, many, 16, &n) == CONEX_EMPTY && n == 0);
    CHECK(conex_stack_pop_all(s, NULL, NULL, &n) == CONEX_EMPTY && n == 0);
    CHECK(conex_stack_pop_all(s, NULL, NULL, NULL) == CONEX_EMPTY);
    CHECK(conex_stack_destroy(s) == CONEX_OK);
    CHECK(conex_stack_destroy(NULL) == CONEX_OK);
}

static void elements(void) {
    conex_stack_options o = CONEX_STACK_OPTIONS_INIT;
    conex_domain *home = NULL;
    conex_stack *s = NULL;
    struct pair p;
    struct taken t = {9, 0};
    size_t n;

    CHECK(conex_domain_new(NULL, &home) == CONEX_OK);
    o.element.size = sizeof(struct pair);
    o.element.align = 8;
    o.element.drop = count_drop;
    o.element.ctx = &dropped;
    o.domain = home;
    CHECK(conex_stack_new(&o, &s) == CONEX_OK);
    for (p.a = 0; p.a < 10; p.a++) {
        p.b = p.a + 1;
        CHECK(conex_stack_push(s, &p) == CONEX_OK);
    }
    CHECK(conex_domain_destroy(home) == CONEX_BUSY);
    CHECK(conex_stack_pop(s, &p) == CONEX_OK && p.a == 9 && p.b == 10);
    CHECK(dropped == 0); /* popped is moved, not dropped */
    CHECK(conex_stack_push(s, &p) == CONEX_OK);
    CHECK(conex_stack_pop_all(s, take_pair, &t, &n) == CONEX_OK);
    CHECK(n == 10 && t.count == 10);
    CHECK(dropped == 0);
    CHECK(conex_stack_push(s, &p) == CONEX_OK);
    CHECK(conex_stack_push(s, &p) == CONEX_OK);
    CHECK(conex_stack_pop_all(s, NULL, NULL, &n) == CONEX_OK && n == 2);
    CHECK(dropped == 2);
    CHECK(conex_stack_push(s, &p) == CONEX_OK);
    CHECK(conex_stack_destroy(s) == CONEX_OK);
    CHECK(dropped == 3);
    CHECK(conex_domain_destroy(home) == CONEX_OK);
}

int main(void) {
    words();
    elements();
    return check_result();
}
