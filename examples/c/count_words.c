/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Counting words: a map from byte strings to numbers. conex_map_fetch_add adds to a key's number and inserts the key if
 * it is new, as one atomic step, so any number of threads could do what main does here. */
#include <conex/conex.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char text[] = "the quick brown fox jumps over the lazy dog and the dog looks at the fox";

static int32_t print(const void *key, size_t key_len, const void *value, void *ctx) {
    uint64_t count;
    (void)ctx;
    memcpy(&count, value, sizeof count);
    if (count > 1) printf("%.*s: %" PRIu64 "\n", (int)key_len, (const char *)key, count);
    return 0; /* go on */
}

int main(void) {
    conex_map_options options = CONEX_MAP_OPTIONS_INIT;
    conex_map *counts = NULL;
    const char *at = text;
    uint64_t the = 0;

    options.key = CONEX_KEY_BYTES; /* keys are byte strings of any length; values are 8-byte words */
    if (conex_map_new(&options, &counts) != CONEX_OK) return 1;

    while (*at != '\0') {
        const char *start = at;
        while (isalpha((unsigned char)*at)) at++;
        if (at > start) conex_map_fetch_add(counts, start, (size_t)(at - start), 1, NULL);
        while (*at != '\0' && !isalpha((unsigned char)*at)) at++;
    }

    conex_map_for_each(counts, print, NULL);
    conex_map_get(counts, "the", 3, &the); /* CONEX_OK, or CONEX_NOT_FOUND */
    conex_map_destroy(counts);
    return the == 4 ? 0 : 1;
}
