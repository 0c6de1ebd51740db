/* An empty conex_map_stats. */
#define CONEX_MAP_STATS_INIT {sizeof(conex_map_stats), 0, 0, 0, 0, 0, 0}
