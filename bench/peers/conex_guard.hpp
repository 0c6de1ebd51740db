// One conex::guard for many operations.
#pragma once

#include <conex/guard.hpp>

namespace bench {

class cpp_guard {
public:
    void renew() { guard_.refresh(); }

private:
    conex::guard guard_;
};

}  // namespace bench
