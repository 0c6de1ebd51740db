/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two producers and two consumers share one queue. No lock, no registration of threads: a handle is enough. */
#include <conex/conex.h>

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

enum { producers = 2, consumers = 2, jobs_each = 10000 };

static conex_queue *queue;

static void *produce(void *arg) {
    uint64_t job;
    for (job = 1; job <= jobs_each; job++) conex_queue_push(queue, &job);
    return arg;
}

static void *consume(void *arg) {
    uint64_t *sum = arg; /* this consumer's own; read by main after the join */
    uint64_t job;
    for (;;) {
        if (conex_queue_pop(queue, &job) == CONEX_EMPTY) {
            sched_yield(); /* a producer is still at work */
        } else if (job == 0) {
            return NULL; /* the end, see main */
        } else {
            *sum += job;
        }
    }
}

int main(void) {
    pthread_t threads[producers + consumers];
    uint64_t sums[consumers] = {0, 0};
    uint64_t total = 0, end = 0;
    int i;

    if (conex_queue_new(NULL, &queue) != CONEX_OK) return 1;
    for (i = 0; i < producers; i++) pthread_create(&threads[i], NULL, produce, NULL);
    for (i = 0; i < consumers; i++) pthread_create(&threads[producers + i], NULL, consume, &sums[i]);

    /* When all producers are done, one end mark for each consumer. The queue is FIFO: the marks come last. */
    for (i = 0; i < producers; i++) pthread_join(threads[i], NULL);
    for (i = 0; i < consumers; i++) conex_queue_push(queue, &end);
    for (i = 0; i < consumers; i++) pthread_join(threads[producers + i], NULL);

    for (i = 0; i < consumers; i++) total += sums[i];
    printf("sum of all jobs: %" PRIu64 "\n", total);
    conex_queue_destroy(queue);
    return total == (uint64_t)producers * jobs_each * (jobs_each + 1) / 2 ? 0 : 1;
}
