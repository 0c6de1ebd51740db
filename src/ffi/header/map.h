/* The defaults of a conex_map_options: from 8-byte words to 8-byte words, a random seed, the default domain, the
 * allocator of the process. */
#define CONEX_MAP_OPTIONS_INIT \
    {sizeof(conex_map_options), 0, CONEX_KEY_FIXED, CONEX_ELEMENT_WORD, CONEX_ELEMENT_WORD, NULL, NULL, NULL, 0, 0, \
     NULL, CONEX_ALLOCATOR_PROCESS}
