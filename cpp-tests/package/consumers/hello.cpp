// A C++ program as a user writes it. Prints "42 and 1 from conex 0.1.0".
#include <conex/conex.hpp>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

int main()
{
    conex::queue<std::unique_ptr<int>> jobs;
    conex::map<std::string, std::uint64_t> counts;

    std::thread producer([&] { jobs.push(std::make_unique<int>(42)); });
    producer.join();
    auto job = jobs.try_pop();
    counts.fetch_add("word", 1);
    if (!job || jobs.try_pop()) return 1;
    std::cout << **job << " and " << counts.get("word").value_or(0) << " from conex " << conex_version_string() << '\n';
}
