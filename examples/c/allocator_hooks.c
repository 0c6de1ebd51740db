/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Memory from a place of one's own: two hooks and a context. This one counts, and refuses above a budget; a program could
 * as well use an arena or a pool. Hooks may be called from any thread that uses the container, hence the atomics. */
#include <conex/conex.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct budget {
    atomic_size_t used;
    size_t limit;
};

static void *budget_alloc(size_t size, size_t align, void *ctx) {
    struct budget *b = ctx;
    void *made;
    if (atomic_fetch_add(&b->used, size) + size > b->limit) {
        atomic_fetch_sub(&b->used, size);
        return NULL; /* the operation answers CONEX_ERR_NO_MEMORY and has changed nothing */
    }
    /* aligned_alloc wants a size that is a multiple of the alignment, and an alignment it supports. */
    if (align < sizeof(void *)) align = sizeof(void *);
    made = aligned_alloc(align, (size + align - 1) / align * align);
    if (made == NULL) atomic_fetch_sub(&b->used, size);
    return made;
}

static void budget_free(void *ptr, size_t size, size_t align, void *ctx) {
    struct budget *b = ctx;
    (void)align;
    atomic_fetch_sub(&b->used, size);
    free(ptr);
}

int main(void) {
    struct budget b = {0, 64 * 1024};
    conex_queue_options options = CONEX_QUEUE_OPTIONS_INIT;
    conex_queue *queue = NULL;
    conex_status status;
    uint64_t word = 0;

    options.allocator.alloc = budget_alloc;
    options.allocator.free = budget_free;
    options.allocator.ctx = &b;
    if (conex_queue_new(&options, &queue) != CONEX_OK) return 1;

    do {
        word++;
        status = conex_queue_push(queue, &word);
    } while (status == CONEX_OK);
    printf("%zu bytes hold %llu words, then: %s\n", atomic_load(&b.used), (unsigned long long)(word - 1),
           conex_status_string(status));

    conex_queue_destroy(queue);
    printf("after destroy: %zu bytes\n", atomic_load(&b.used)); /* all given back */
    return status == CONEX_ERR_NO_MEMORY && atomic_load(&b.used) == 0 ? 0 : 1;
}
