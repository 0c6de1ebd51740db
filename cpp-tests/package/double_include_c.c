#include <conex/conex.h>
#include <conex/conex.h>

unsigned version_seen_from_c(void);

unsigned version_seen_from_c(void)
{
    return conex_version();
}
