/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Guards, domains, statuses and the version in C. */
#include <conex/conex.h>

#include <stdint.h>
#include <string.h>

#include "support/check.h"

static int retired[100];

static void retire(void *ptr, void *ctx) {
    CHECK(ctx == retired);
    ++*(int *)ptr;
}

static void domains(void) {
    conex_domain_options o = CONEX_DOMAIN_OPTIONS_INIT;
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    conex_domain *d = NULL;
    conex_guard *g = NULL, *inner = NULL;
    int i;

    CHECK(o.struct_size == sizeof o && o.flags == 0);
    CHECK(conex_domain_new(&o, &d) == CONEX_OK);
    CHECK(conex_domain_destroy(d) == CONEX_OK);
    CHECK(conex_domain_new(NULL, &d) == CONEX_OK);
    CHECK(conex_domain_flush(d) == CONEX_OK);
    CHECK(conex_guard_enter(d, &g) == CONEX_OK && g != NULL);
    for (i = 0; i < 100; i++) CHECK(conex_domain_retire(d, &retired[i], 10, retire, retired) == CONEX_OK);
    CHECK(conex_domain_flush(d) == CONEX_OK);
    for (i = 0; i < 100; i++) CHECK(retired[i] == 0);
    CHECK(conex_domain_stats_get(d, &stats) == CONEX_OK);
    CHECK(stats.struct_size == sizeof stats);
    CHECK(stats.pending_objects == 100 && stats.pending_bytes == 100 * 16 && stats.guards == 1);
    CHECK(conex_domain_barrier(d, 1000000) == CONEX_ERR_STALLED);
    CHECK(conex_domain_destroy(d) == CONEX_BUSY);
    CHECK(conex_guard_enter(d, &inner) == CONEX_OK);
    CHECK(conex_guard_refresh(inner) == CONEX_OK);
    CHECK(conex_guard_leave(inner) == CONEX_OK);
    for (i = 0; i < 100; i++) CHECK(retired[i] == 0);
    CHECK(conex_guard_refresh(g) == CONEX_OK);
    CHECK(conex_guard_leave(g) == CONEX_OK);
    CHECK(conex_domain_barrier(d, UINT64_MAX) == CONEX_OK);
    for (i = 0; i < 100; i++) CHECK(retired[i] == 1);
    CHECK(conex_domain_stats_get(d, &stats) == CONEX_OK);
    CHECK(stats.pending_objects == 0 && stats.pending_bytes == 0 && stats.guards == 0);
    for (i = 0; i < 100; i++) CHECK(conex_domain_retire(d, &retired[i], 0, retire, retired) == CONEX_OK);
    CHECK(conex_domain_destroy(d) == CONEX_OK); /* runs what is pending */
    for (i = 0; i < 100; i++) CHECK(retired[i] == 2);
    CHECK(conex_domain_destroy(NULL) == CONEX_OK);
    CHECK(conex_guard_leave(NULL) == CONEX_OK);

    CHECK(conex_domain_default() != NULL);
    CHECK(conex_domain_default() == conex_domain_default());
    CHECK(conex_domain_destroy(conex_domain_default()) == CONEX_ERR_INVALID);
    CHECK(conex_guard_enter(NULL, &g) == CONEX_OK);
    CHECK(conex_domain_barrier(conex_domain_default(), 1) == CONEX_ERR_STALLED);
    CHECK(conex_guard_leave(g) == CONEX_OK);
}

static void statuses(void) {
    int32_t s;
    CHECK(conex_version() == CONEX_VERSION_NUMBER);
    CHECK(strcmp(conex_version_string(), CONEX_VERSION_STRING) == 0);
    for (s = -100; s <= 100; s++) {
        CHECK(conex_status_string(s) != NULL);
        CHECK(strlen(conex_status_string(s)) > 0);
    }
    CHECK(conex_status_string(INT32_MIN) != NULL && conex_status_string(INT32_MAX) != NULL);
    CHECK(strcmp(conex_status_string(CONEX_ERR_NULL), conex_status_string(CONEX_ERR_INVALID)) != 0);
    CHECK(sizeof(conex_status) == 4);
    CHECK(CONEX_OK == 0 && CONEX_EMPTY == 1 && CONEX_FULL == 2 && CONEX_CLOSED == 3 && CONEX_BUSY == 4);
    CHECK(CONEX_TIMEOUT == 5 && CONEX_NOT_FOUND == 6 && CONEX_EXISTS == 7 && CONEX_MISMATCH == 8);
    CHECK(CONEX_ERR_NULL == -1 && CONEX_ERR_INVALID == -2 && CONEX_ERR_NO_MEMORY == -3);
    CHECK(CONEX_ERR_HANDLE == -4 && CONEX_ERR_STALLED == -5 && CONEX_ERR_PANIC == -6);
}

int main(void) {
    domains();
    statuses();
    return check_result();
}
