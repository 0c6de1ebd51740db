/* An element of 8 bytes: a word, a pointer, a number. */
#define CONEX_ELEMENT_WORD {8, 8, NULL, NULL, NULL}

/* The allocator of the process. */
#define CONEX_ALLOCATOR_PROCESS {NULL, NULL, NULL}
