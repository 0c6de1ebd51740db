// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Walking over a map in pieces, with other work in between. Nothing is held between two calls: other threads may change
// the map, and it may grow; still a key that is present all the time is shown exactly once.
#include <conex/map.hpp>

#include <iostream>
#include <thread>

int main() {
    conex::map<int, int> map;
    for (int i = 0; i < 1000; ++i) map.insert(i, i);

    // Another thread makes the table grow meanwhile.
    std::thread other([&] {
        for (int i = 1000; i < 20000; ++i) map.insert(i, i);
    });

    int seen = 0;
    int pieces = 0;
    conex::cursor at;  // the beginning
    bool more = true;
    while (more) {
        more = map.scan(at, 100, [&](int key, int) {
            if (key < 1000) ++seen;
        });
        ++pieces;
        // Other work goes here.
    }
    other.join();
    std::cout << seen << " of the first 1000, in " << pieces << " pieces\n";

    // Removing while walking: `retain` keeps what the function says yes to.
    const std::size_t removed = map.retain([](int key, int) { return key % 2 == 0; });
    std::cout << removed << " odd keys removed\n";
    return seen == 1000 && removed == 10000 ? 0 : 1;
}
