/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A guard: many operations that pay for one entry, and references into the map that stay valid meanwhile. Memory that is
 * removed under a guard, by any thread, is kept until the guard is left: do not hold one for long. */
#include <conex/conex.h>

#include <inttypes.h>
#include <stdio.h>

struct account {
    char owner[24];
    int64_t balance;
};

int main(void) {
    conex_map_options options = CONEX_MAP_OPTIONS_INIT;
    conex_map *accounts = NULL;
    conex_guard *guard = NULL;
    struct account alice = {"Alice", 100}, bob = {"Bob", 50};
    const void *ref = NULL;
    uint64_t key;

    options.value.size = sizeof(struct account);
    options.value.align = 8;
    if (conex_map_new(&options, &accounts) != CONEX_OK) return 1;
    key = 1;
    conex_map_insert(accounts, &key, sizeof key, &alice, NULL);

    if (conex_guard_enter(NULL, &guard) != CONEX_OK) return 1; /* NULL: the default domain, as for the map */
    if (conex_map_get_ref(accounts, guard, &key, sizeof key, &ref) != CONEX_OK) return 1;

    /* The entry is replaced; what we refer to is not touched as long as we hold the guard. */
    conex_map_upsert(accounts, &key, sizeof key, &bob, NULL);
    printf("still %s with %" PRId64 "\n", ((const struct account *)ref)->owner, ((const struct account *)ref)->balance);

    conex_guard_refresh(guard); /* references end here; memory can go */
    if (conex_map_get_ref(accounts, guard, &key, sizeof key, &ref) != CONEX_OK) return 1;
    printf("now %s with %" PRId64 "\n", ((const struct account *)ref)->owner, ((const struct account *)ref)->balance);
    conex_guard_leave(guard);

    conex_map_destroy(accounts);
    return 0;
}
