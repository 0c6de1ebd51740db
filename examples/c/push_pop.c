/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The first steps: a queue and a stack of 8-byte words. Every function answers with a status; 0 is CONEX_OK, positive
 * ones are ordinary outcomes such as CONEX_EMPTY, negative ones are errors. */
#include <conex/conex.h>

#include <inttypes.h>
#include <stdio.h>

int main(void) {
    conex_queue *queue = NULL;
    conex_stack *stack = NULL;
    uint64_t word;

    /* NULL for the options: words of 8 bytes, memory from the process' allocator. */
    if (conex_queue_new(NULL, &queue) != CONEX_OK || conex_stack_new(NULL, &stack) != CONEX_OK) return 1;

    for (word = 1; word <= 3; word++) {
        conex_queue_push(queue, &word);
        conex_stack_push(stack, &word);
    }

    /* First in, first out. */
    while (conex_queue_pop(queue, &word) == CONEX_OK) printf("queue: %" PRIu64 "\n", word);

    /* Last in, first out. */
    while (conex_stack_pop(stack, &word) == CONEX_OK) printf("stack: %" PRIu64 "\n", word);

    printf("and then: %s\n", conex_status_string(conex_stack_pop(stack, &word)));

    conex_queue_destroy(queue);
    conex_stack_destroy(stack);
    return 0;
}
