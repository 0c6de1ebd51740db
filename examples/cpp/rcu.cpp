// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Epochs, in the shape of C++26's RCU. A routing table is a linked list that readers walk without a lock, in a region of
// RCU protection; the one writer unlinks a route and retires it; it is deleted when no region that could see it is left.
#include <conex/rcu.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>
#include <utility>

struct route : conex::rcu_obj_base<route> {
    const int to;
    const int via;
    std::atomic<route*> next;
    route(int t, int v, route* n) : to(t), via(v), next(n) {}
};

class table {
public:
    ~table() {
        for (route* at = first_.load(); at != nullptr;) delete std::exchange(at, at->next.load());
    }

    /// Any number of threads. Short: the region ends with the walk.
    int find(int to) const {
        const std::scoped_lock region(conex::rcu_default_domain());
        for (const route* at = first_.load(); at != nullptr; at = at->next.load()) {
            if (at->to == to) return at->via;
        }
        return -1;
    }

    /// One writer at a time.
    void set(int to, int via) {
        const std::scoped_lock writer(writers_);
        std::atomic<route*>* link = &first_;
        while (link->load() != nullptr && link->load()->to != to) link = &link->load()->next;
        route* const old = link->load();
        link->store(new route(to, via, old == nullptr ? nullptr : old->next.load()));
        if (old != nullptr) old->retire();  // readers may still be standing on it
    }

private:
    std::atomic<route*> first_{nullptr};
    std::mutex writers_;
};

int main() {
    table routes;
    for (int to = 0; to < 10; ++to) routes.set(to, 0);
    std::atomic<bool> done{false};
    std::thread reader([&] {
        int last[10] = {};
        for (int to = 0; !done; to = (to + 1) % 10) {
            const int via = routes.find(to);
            if (via < last[to]) std::abort();  // never: there is always a route, and it only becomes newer
            last[to] = via;
        }
    });
    for (int via = 1; via <= 1000; ++via) {
        for (int to = 0; to < 10; ++to) routes.set(to, via);
    }
    done = true;
    reader.join();
    conex::rcu_barrier();  // all 10000 old routes are deleted now
    std::cout << "the route to 3 goes by " << routes.find(3) << '\n';
    return routes.find(3) == 1000 ? 0 : 1;
}
