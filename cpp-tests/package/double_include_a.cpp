// Every header twice, in this and in a second translation unit: what the headers define must link once.
#include <conex/conex.hpp>
#include <conex/conex.h>
#include <conex/conex.hpp>
#include <conex/conex.h>

#include "double_include.hpp"

#include <string>

extern "C" unsigned version_seen_from_c(void);

int main()
{
    conex::map<std::string, std::uint64_t> counts;
    count_here_too(counts);
    counts.fetch_add("word", 1);
    return counts.get("word") == 2u && version_seen_from_c() == conex_version() ? 0 : 1;
}
