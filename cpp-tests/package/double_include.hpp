#pragma once

#include <conex/map.hpp>

#include <cstdint>
#include <string>

void count_here_too(conex::map<std::string, std::uint64_t>& counts);
