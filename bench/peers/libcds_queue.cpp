// libcds: queues.
#include <cds/container/fcqueue.h>
#include <cds/container/msqueue.h>
#include <cds/container/rwqueue.h>
#include <cds/container/vyukov_mpmc_cycle_queue.h>

#include "libcds.hpp"

namespace peer_libcds_queue {

using namespace bench;
using libcds::pool;
namespace cc = cds::container;

template <class E>
class vyukov {
    using queue = cc::VyukovMPMCCycleQueue<E>;

public:
    explicit vyukov(std::size_t room) : q_(std::size_t{1} << (64 - __builtin_clzll(room - 1))) {}
    struct session {
        explicit session(vyukov& q) : q_(q.q_) {}
        bool push(const E& e) { return q_.enqueue(e); }
        bool pop(E& e) { return q_.dequeue(e); }
        queue& q_;
    };

private:
    queue q_;
};

template <class E>
using ms_queue = pool<cc::MSQueue<cds::gc::HP, E>, E>;
template <class E>
using rw_queue = pool<cc::RWQueue<E>, E>;
template <class E>
using fc_queue = pool<cc::FCQueue<E>, E>;

const registration all([] {
    const char* peer = "libcds-dev";
    add_queue<ms_queue>("libcds MSQueue, HP", peer, {"FIFO", "unbounded", "lock-free", "returned", "hazard pointers"});
    add_queue<rw_queue>("libcds RWQueue", peer, {"FIFO", "unbounded", "blocking", "returned", "two spinlocks"});
    add_queue<fc_queue>("libcds FCQueue", peer, {"FIFO", "unbounded", "blocking", "returned", "flat combining over std::queue"});
    add_queue<vyukov>("libcds VyukovMPMCCycleQueue", peer, {"FIFO", "bounded", "blocking", "kept", "enqueue, dequeue"});
});

}  // namespace peer_libcds_queue
