/* One program, two Rust libraries: both work, panics are caught, threads come and go. */
#include <conex/conex.h>
#include <pthread.h>
#include <stdio.h>

extern int other_panics(uint64_t value);

static conex_stack *stack;

static void *work(void *unused)
{
    uint64_t in, out;

    (void)unused;
    for (in = 1; in <= 100; in++) {
        if (conex_stack_push(stack, &in) != CONEX_OK) return "push";
        if (other_panics(in) != (int)(in % 2)) return "other_panics";
        if (conex_stack_pop(stack, &out) != CONEX_OK) return "pop";
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[4];
    void *complaint;
    int i;

    if (conex_stack_new(NULL, &stack) != CONEX_OK) return 1;
    for (i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &complaint);
        if (complaint != NULL) return fprintf(stderr, "failed: %s\n", (char *)complaint), 2;
    }
    conex_stack_destroy(stack);
    puts("two Rust libraries, one program");
    return 0;
}
