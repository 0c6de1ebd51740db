// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Hazard pointers. A list of samples is read by a thread that may take as long as it likes over one sample, or stop for
// ever: it names the sample that it is looking at, and holds back that one and no other.
#include <conex/hazard.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

struct sample : conex::hazard_pointer_obj_base<sample> {
    const long number;
    const long square;
    explicit sample(long n) : number(n), square(n * n) {}
};

int main() {
    conex::domain domain;  // of its own, so that its statistics are about this program's samples
    std::atomic<sample*> latest{new sample(0)};
    std::atomic<long> watched{-1};
    std::atomic<bool> done{false};

    std::thread slow([&] {
        conex::hazard_pointer hp = conex::make_hazard_pointer(domain);
        const sample* const kept = hp.protect(latest);
        watched = kept->number;
        while (!done) std::this_thread::yield();  // a very slow reader
        if (kept->square != kept->number * kept->number) std::abort();  // never: it is still there
    });
    std::thread fast([&] {
        conex::hazard_pointer hp = conex::make_hazard_pointer(domain);  // made once, used again and again
        for (long last = 0; !done;) {
            const sample* const seen = hp.protect(latest);
            if (seen->number < last || seen->square != seen->number * seen->number) std::abort();
            last = seen->number;
        }
    });

    while (watched < 0) std::this_thread::yield();
    std::size_t most = 0;
    for (long n = 1; n <= 100000; ++n) {
        latest.exchange(new sample(n))->retire(domain);
        most = std::max(most, domain.stats().pending_objects);
    }
    done = true;
    slow.join();
    fast.join();
    latest.load()->retire(domain);
    if (!domain.barrier(std::chrono::seconds(10))) return 1;
    std::cout << "of 100000 samples at most " << most << " waited at once, although one was read throughout\n";
    return most <= 64 + 2 * 2 + 1 ? 0 : 1;
}
