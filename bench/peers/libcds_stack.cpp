// libcds: stacks.
#include <cds/container/fcstack.h>
#include <cds/container/treiber_stack.h>

#include "libcds.hpp"

namespace peer_libcds_stack {

using namespace bench;
using libcds::pool;
namespace cc = cds::container;

template <class E>
using treiber_hp = pool<cc::TreiberStack<cds::gc::HP, E>, E>;
template <class E>
using treiber_dhp = pool<cc::TreiberStack<cds::gc::DHP, E>, E>;
struct elimination : cc::treiber_stack::traits {
    static constexpr const bool enable_elimination = true;
};
template <class E>
using treiber_elimination = pool<cc::TreiberStack<cds::gc::HP, E, elimination>, E>;
template <class E>
using fc_stack = pool<cc::FCStack<E>, E>;

const registration all([] {
    const char* peer = "libcds-dev";
    add_stack<treiber_hp>("libcds TreiberStack, HP", peer, {"LIFO", "unbounded", "lock-free", "returned", "hazard pointers"});
    add_stack<treiber_dhp>("libcds TreiberStack, DHP", peer, {"LIFO", "unbounded", "lock-free", "returned", "dynamic hazard pointers"});
    add_stack<treiber_elimination>("libcds TreiberStack, HP, elimination", peer,
                                   {"LIFO", "unbounded", "lock-free", "returned", "hazard pointers, elimination back-off"});
    add_stack<fc_stack>("libcds FCStack", peer, {"LIFO", "unbounded", "blocking", "returned", "flat combining over std::stack"});
});

}  // namespace peer_libcds_stack
