/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Hazard pointers in C, and retirement without memory. */
#include <conex/conex.h>

#include <stdint.h>
#include <stdlib.h>

#include "support/check.h"

struct item {
    int value;
    conex_retire_node node;
};

static int freed;

static void free_item(void *ptr, void *ctx) {
    CHECK(ctx == &freed);
    freed++;
    free(ptr);
}

static struct item *item(int value) {
    struct item *made = malloc(sizeof *made);
    if (made == NULL) abort();
    made->value = value;
    return made;
}

static void hazards(void) {
    conex_domain *d = NULL;
    conex_hazard *h = NULL, *other = NULL;
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    void *current = item(1), *seen = NULL, *old;
    int i;

    CHECK(conex_domain_new(NULL, &d) == CONEX_OK);
    CHECK(conex_hazard_new(d, &h) == CONEX_OK && h != NULL);
    CHECK(conex_domain_destroy(d) == CONEX_BUSY);
    CHECK(conex_hazard_protect(h, &current, &seen) == CONEX_OK && seen == current);
    old = current;
    current = item(2); /* one thread: no atomic exchange is needed */
    CHECK(conex_hazard_retire(d, old, sizeof(struct item), free_item, &freed) == CONEX_OK);
    for (i = 0; i < 1000; i++) {
        struct item *each = item(3);
        CHECK(conex_hazard_retire_node(d, &each->node, each, sizeof *each, free_item, &freed) == CONEX_OK);
    }
    CHECK(conex_domain_flush(d) == CONEX_OK);
    CHECK(freed == 1000 && ((struct item *)seen)->value == 1);
    CHECK(conex_domain_barrier(d, 1000) == CONEX_TIMEOUT);

    CHECK(conex_hazard_try_protect(h, &seen, &current) == CONEX_MISMATCH && seen == current);
    CHECK(conex_hazard_try_protect(h, &seen, &current) == CONEX_OK && seen == current);
    CHECK(conex_domain_barrier(d, UINT64_MAX) == CONEX_OK && freed == 1001);

    CHECK(conex_hazard_new(d, &other) == CONEX_OK);
    CHECK(conex_hazard_reset(other, current) == CONEX_OK);
    CHECK(conex_hazard_reset(h, NULL) == CONEX_OK);
    CHECK(conex_hazard_retire(d, current, 1, free_item, &freed) == CONEX_OK);
    CHECK(conex_domain_flush(d) == CONEX_OK && freed == 1001);
    CHECK(conex_hazard_destroy(other) == CONEX_OK);
    CHECK(conex_domain_flush(d) == CONEX_OK && freed == 1002);
    CHECK(conex_domain_stats_get(d, &stats) == CONEX_OK);
    CHECK(stats.pending_objects == 0 && stats.pending_bytes == 0);

    current = NULL;
    CHECK(conex_hazard_protect(h, &current, &seen) == CONEX_OK && seen == NULL);
    CHECK(conex_hazard_retire(d, item(4), 1, free_item, &freed) == CONEX_OK);
    CHECK(conex_hazard_destroy(h) == CONEX_OK);
    CHECK(conex_hazard_destroy(NULL) == CONEX_OK);
    CHECK(conex_domain_destroy(d) == CONEX_OK && freed == 1003); /* runs what is pending */
}

static void nodes(void) {
    conex_domain *d = NULL;
    conex_guard *g = NULL;
    int i;

    freed = 0;
    CHECK(conex_domain_new(NULL, &d) == CONEX_OK);
    CHECK(conex_guard_enter(d, &g) == CONEX_OK);
    for (i = 0; i < 1000; i++) {
        struct item *each = item(i);
        CHECK(conex_domain_retire_node(d, &each->node, each, sizeof *each, free_item, &freed) == CONEX_OK);
    }
    CHECK(freed == 0);
    CHECK(conex_guard_leave(g) == CONEX_OK);
    CHECK(conex_domain_barrier(d, UINT64_MAX) == CONEX_OK && freed == 1000);
    CHECK(conex_domain_destroy(d) == CONEX_OK);
}

int main(void) {
    hazards();
    nodes();
    return check_result();
}
