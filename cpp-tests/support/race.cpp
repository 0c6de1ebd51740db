// SPDX-License-Identifier: MIT OR Apache-2.0
// A race of the program's own, beside a queue that works: ThreadSanitizer must find it through annotations and
// suppressions. The tokens that pass through the queue order nothing about `unguarded`.
#include <conex/queue.hpp>

#include <thread>

namespace {
int unguarded = 0;
// So many that the two threads meet: the tool can miss two accesses of the same moment.
constexpr int rounds = 20000;
}

int main() {
    conex::queue<int> q;
    std::thread other([&] {
        for (int i = 0; i < rounds; ++i) {
            unguarded += 1;
            q.push(i);
        }
    });
    for (int i = 0; i < rounds; ++i) unguarded += 1;
    other.join();
    return unguarded == 0 ? 1 : 0;
}
