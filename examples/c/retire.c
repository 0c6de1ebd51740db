/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Memory of one's own, reclaimed by a domain. A configuration is replaced while readers use the old one: a reader holds a
 * guard while it looks; the writer retires what it replaced; the domain frees it when no reader can be looking. */
#include <conex/conex.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct config {
    int version;
};

static conex_domain *domain;
static _Atomic(struct config *) current;
static atomic_bool done;

static void free_config(void *ptr, void *ctx) {
    (void)ctx;
    free(ptr);
}

static void *read_configs(void *arg) {
    int last = 0;
    while (!atomic_load(&done)) {
        conex_guard *guard = NULL;
        struct config *seen;
        if (conex_guard_enter(domain, &guard) != CONEX_OK) return NULL;
        seen = atomic_load(&current);
        if (seen->version >= last) last = seen->version; /* it cannot be freed before the guard is left */
        conex_guard_leave(guard);
    }
    return arg;
}

int main(void) {
    pthread_t reader;
    struct config *next = malloc(sizeof *next);
    int version;

    if (next == NULL || conex_domain_new(NULL, &domain) != CONEX_OK) return 1;
    next->version = 1;
    atomic_store(&current, next);
    pthread_create(&reader, NULL, read_configs, NULL);

    for (version = 2; version <= 1000; version++) {
        struct config *old;
        next = malloc(sizeof *next);
        if (next == NULL) return 1;
        next->version = version;
        old = atomic_exchange(&current, next); /* new readers see the new one only */
        conex_domain_retire(domain, old, sizeof *old, free_config, NULL);
    }
    atomic_store(&done, true);
    pthread_join(reader, NULL);

    /* Not needed here, since destroying the domain frees what is pending; shows how to wait for it. */
    if (conex_domain_barrier(domain, 1000000000) != CONEX_OK) return 1;
    printf("version %d is current, all others are freed\n", atomic_load(&current)->version);
    free(atomic_load(&current));
    return conex_domain_destroy(domain) == CONEX_OK ? 0 : 1;
}
