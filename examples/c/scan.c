/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Walking over a map in pieces, with other work in between. Nothing is held between two calls: the map may grow, shrink
 * and change, and still a key that is present all the time is shown exactly once. */
#include <conex/conex.h>

#include <stdio.h>
#include <string.h>

struct tally {
    size_t entries;
    uint64_t sum;
};

static int32_t add(const void *key, size_t key_len, const void *value, void *ctx) {
    struct tally *t = ctx;
    uint64_t v;
    (void)key;
    (void)key_len;
    memcpy(&v, value, sizeof v);
    t->entries++;
    t->sum += v;
    return 0; /* go on; 1 would stop, a negative status would stop and be returned */
}

int main(void) {
    conex_map *map = NULL;
    struct tally t = {0, 0};
    uint64_t cursor = 0; /* the beginning */
    uint64_t key;
    int pieces = 0;
    conex_status status;

    if (conex_map_new(NULL, &map) != CONEX_OK) return 1;
    for (key = 1; key <= 1000; key++) conex_map_insert(map, &key, sizeof key, &key, NULL);

    do {
        status = conex_map_scan(map, &cursor, 100, add, &t); /* about 100 entries a call */
        pieces++;
        /* Other work goes here. */
    } while (status == CONEX_OK); /* CONEX_EMPTY: the end */

    printf("%zu entries in %d pieces, sum %llu\n", t.entries, pieces, (unsigned long long)t.sum);
    conex_map_destroy(map);
    return t.entries == 1000 && t.sum == 500500 ? 0 : 1;
}
