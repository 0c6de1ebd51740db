/* The defaults of a conex_queue_options: 8-byte words, the default domain, the allocator of the process. */
#define CONEX_QUEUE_OPTIONS_INIT \
    {sizeof(conex_queue_options), 0, CONEX_ELEMENT_WORD, NULL, CONEX_ALLOCATOR_PROCESS, 0}
