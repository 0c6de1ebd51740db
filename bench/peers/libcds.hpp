// What the libcds adapters share: the library's start, the attachment of threads, the shape of its pools.
#pragma once

#include <cds/gc/dhp.h>
#include <cds/gc/hp.h>
#include <cds/init.h>

#include "../families/pool.hpp"

namespace bench::libcds {

// Once a process: the library and its collectors. Every thread attaches itself.
inline void start() {
    static const bool once = [] {
        cds::Initialize();
        static cds::gc::HP hp(16, max_threads + 8, 16);
        static cds::gc::DHP dhp;
        return true;
    }();
    (void)once;
}
struct attached {
    attached() {
        if (depth()++ == 0) cds::threading::Manager::attachThread();
    }
    attached(const attached&) = delete;
    ~attached() {
        if (--depth() == 0) cds::threading::Manager::detachThread();
    }
    static int& depth() {
        thread_local int d = 0;
        return d;
    }
};

template <class Container, class E>
class pool {
public:
    explicit pool(std::size_t) {
        start();
        attached me;  // some constructors use the collector
        q_ = std::make_unique<Container>();
    }
    struct session {
        explicit session(pool& q) : q_(*q.q_) {}
        bool push(const E& e) { return q_.push(e); }
        bool pop(E& e) { return q_.pop(e); }
        attached me_;
        Container& q_;
    };
    ~pool() {
        attached me;
        q_.reset();
    }

private:
    std::unique_ptr<Container> q_;
};

}  // namespace bench::libcds
