#include <conex/map.hpp>
#include <conex/stack.hpp>
#include <conex/queue.hpp>
#include <conex/guard.hpp>
#include <conex/domain.hpp>
#include <conex/conex.hpp>
#include <conex/map.hpp>

#include "double_include.hpp"

void count_here_too(conex::map<std::string, std::uint64_t>& counts)
{
    conex::guard session;
    counts.fetch_add("word", 1);
}
