// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The first steps: a queue and a stack. They hold any type that can be moved, own what is in them, and are destroyed like
// every other object. `try_pop` returns an optional: empty is an ordinary answer.
#include <conex/conex.hpp>

#include <iostream>
#include <memory>
#include <string>

int main() {
    conex::queue<std::string> queue;
    queue.push("first");
    queue.push("second");
    queue.emplace(3u, '!');  // constructed from its arguments: "!!!"

    while (const auto text = queue.try_pop()) std::cout << "queue: " << *text << '\n';

    conex::stack<std::unique_ptr<int>> stack;  // move-only elements are no trouble
    for (int i = 1; i <= 3; ++i) stack.push(std::make_unique<int>(i));

    std::unique_ptr<int> top;
    if (stack.try_pop(top)) std::cout << "stack: " << *top << '\n';

    std::cout << "left in the stack: " << stack.size_approx() << '\n';
    return queue.empty() && *top == 3 ? 0 : 1;
}
