/* The defaults of a conex_stack_options: 8-byte words, the default domain, the allocator of the process. */
#define CONEX_STACK_OPTIONS_INIT \
    {sizeof(conex_stack_options), 0, CONEX_ELEMENT_WORD, NULL, CONEX_ALLOCATOR_PROCESS}
