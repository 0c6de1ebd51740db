// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A guard: many operations that pay for one entry, and pointers into the map that stay valid meanwhile. Memory that is
// removed under a guard, by any thread, is kept until the guard ends: do not hold one for long.
#include <conex/conex.hpp>

#include <iostream>
#include <string>

int main() {
    conex::map<int, std::string> names;
    for (int i = 0; i < 100; ++i) names.insert(i, "number " + std::to_string(i));

    {
        conex::guard session;
        const std::string* const seen = names.find(session, 42);
        if (seen == nullptr) return 1;

        // The entry is replaced; what we point to is not touched as long as the guard lives.
        names.insert_or_assign(42, "the answer");
        std::cout << "still: " << *seen << '\n';
        if (*seen != "number 42") return 1;

        session.refresh();  // pointers end here; memory can go
        std::cout << "now: " << *names.find(session, 42) << '\n';
    }

    // For one look, `visit` brings its own guard; `get` makes a copy.
    names.visit(42, [](const std::string& name) { std::cout << "visited: " << name << '\n'; });
    return names.get(42) == "the answer" ? 0 : 1;
}
