// Contestants and the cases each can run. An adapter file registers itself; the driver looks up what it is asked for.
//
// An adapter file puts its templates into a named namespace of its own, not an unnamed one: gcc gives `cases<a_template>`
// external linkage even where the template is from an unnamed namespace, so two files' adapters of one name would be one.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "run.hpp"

namespace bench {

// What a contestant promises, in the words of the tables. Printed beside every figure, and the order is tested.
struct semantics {
    const char* order;     // "FIFO", "per producer", "LIFO", "per key", ...
    const char* bound;     // "unbounded", "bounded", "presized", "grows"
    const char* progress;  // "lock-free", "blocking", ...
    const char* memory;    // "returned", "kept"
    const char* how;       // how it is used here, and anything that a reader must know
};

using run_fn = std::function<void(const params&, report&)>;

struct contestant {
    std::string family, name, peer;
    semantics sem;
    std::vector<std::pair<std::string, run_fn>> cases;
};

inline std::vector<contestant>& contestants() {
    static std::vector<contestant> all;
    return all;
}

// Runs a registration before main. One an adapter file.
struct registration {
    explicit registration(void (*add)()) { add(); }
};

}  // namespace bench
