/* The header's version macros, the library's answer and CMake's version are one and the same. */
#include <conex/conex.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    unsigned long major, minor, patch;

    if (sscanf(PROJECT_VERSION, "%lu.%lu.%lu", &major, &minor, &patch) != 3) return 1;
    if (CONEX_VERSION_MAJOR != major || CONEX_VERSION_MINOR != minor || CONEX_VERSION_PATCH != patch) return 2;
    if (CONEX_VERSION_NUMBER != major * 1000000 + minor * 1000 + patch) return 3;
    if (strcmp(CONEX_VERSION_STRING, PROJECT_VERSION) != 0) return 4;
    if (conex_version() != CONEX_VERSION_NUMBER) return 5;
    if (strcmp(conex_version_string(), CONEX_VERSION_STRING) != 0) return 6;
    return 0;
}
