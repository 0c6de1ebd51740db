/* The library is closed while threads that used it live on. They end afterwards, and their thread-exit code must still
 * be mapped. */
#include <conex/conex.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_barrier_t used, closed;
static void *library;

/* dlsym's result becomes a function pointer the way POSIX words it. */
#define LOAD(name) (*(void **)&name = dlsym(library, "conex_" #name))

static void *use(void *unused)
{
    conex_status (*queue_new)(const conex_queue_options *, conex_queue **);
    conex_status (*queue_push)(conex_queue *, const void *);
    conex_status (*queue_pop)(conex_queue *, void *);
    conex_status (*queue_destroy)(conex_queue *);
    conex_queue *queue = NULL;
    uint64_t word = 42, out = 0;

    (void)unused;
    if (!LOAD(queue_new) || !LOAD(queue_push) || !LOAD(queue_pop) || !LOAD(queue_destroy)) exit(3);
    if (queue_new(NULL, &queue) != CONEX_OK || queue_push(queue, &word) != CONEX_OK) exit(4);
    if (queue_pop(queue, &out) != CONEX_OK || out != 42 || queue_destroy(queue) != CONEX_OK) exit(5);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&closed);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[4];
    int i;

    if (argc != 2 || (library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL)) == NULL) return fprintf(stderr, "%s\n", dlerror()), 2;
    pthread_barrier_init(&used, NULL, 5);
    pthread_barrier_init(&closed, NULL, 5);
    for (i = 0; i < 4; i++) pthread_create(&threads[i], NULL, use, NULL);
    pthread_barrier_wait(&used);
    dlclose(library);
    pthread_barrier_wait(&closed);
    for (i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    puts("threads ended after dlclose");
    return 0;
}
