/* The defaults of a conex_domain_options: no limit. */
#define CONEX_DOMAIN_OPTIONS_INIT {sizeof(conex_domain_options), 0, 0, NULL, NULL}

/* An empty conex_domain_stats. */
#define CONEX_DOMAIN_STATS_INIT {sizeof(conex_domain_stats), 0, 0, 0, 0}
