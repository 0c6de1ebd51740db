/* A C program as a user writes it. Prints "42 and 1 from conex 0.1.0". */
#include <conex/conex.h>
#include <inttypes.h>
#include <stdio.h>

int main(void)
{
    conex_queue *queue = NULL;
    conex_map *counts = NULL;
    conex_map_options options = CONEX_MAP_OPTIONS_INIT;
    uint64_t in = 42, out = 0, count = 0;

    options.key = CONEX_KEY_BYTES;
    if (conex_queue_new(NULL, &queue) != CONEX_OK || conex_map_new(&options, &counts) != CONEX_OK) return 1;
    if (conex_queue_push(queue, &in) != CONEX_OK || conex_queue_pop(queue, &out) != CONEX_OK) return 2;
    if (conex_queue_pop(queue, &out) != CONEX_EMPTY) return 3;
    if (conex_map_fetch_add(counts, "word", 4, 1, NULL) != CONEX_OK) return 4;
    if (conex_map_get(counts, "word", 4, &count) != CONEX_OK) return 5;
    printf("%" PRIu64 " and %" PRIu64 " from conex %s\n", out, count, conex_version_string());
    conex_map_destroy(counts);
    conex_queue_destroy(queue);
    return conex_version() == CONEX_VERSION_NUMBER ? 0 : 6;
}
