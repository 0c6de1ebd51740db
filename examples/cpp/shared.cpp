// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reference counts. A configuration is replaced while requests are being served: each request takes a reference to the one
// that was current when it began, and keeps it to its end, however long that is. The last one to give it up destroys it.
#include <conex/shared.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

struct config {
    int version;
    std::string text;
    static inline std::atomic<int> alive{0};
    explicit config(int v) : version(v), text("version " + std::to_string(v)) { ++alive; }
    config(const config&) = delete;
    ~config() { --alive; }
};

int main() {
    {
        conex::atomic_shared_ptr<const config> current(conex::make_shared<config>(1));
        std::atomic<bool> done{false};
        std::thread server([&] {
            std::vector<conex::shared_ptr<const config>> requests(5);  // each with a configuration of its own
            for (std::size_t i = 0; !done; i = (i + 1) % requests.size()) {
                requests[i] = current.load();
                for (const auto& each : requests) {
                    if (each && each->text != "version " + std::to_string(each->version)) std::abort();  // never
                }
            }
        });
        for (int version = 2; version <= 1000; ++version) {
            if (version % 2 == 0) {
                current.store(conex::make_shared<config>(version));
            } else {
                // An update that depends on the present value: again, if another thread was faster.
                conex::shared_ptr<const config> seen = current.load();
                while (!current.compare_exchange_weak(seen, conex::make_shared<config>(seen->version + 1))) {
                }
            }
            if (config::alive > 8) return 1;  // five requests, the current one, and what is just being changed
        }
        done = true;
        server.join();
        std::cout << current.load()->text << " is current\n";
    }
    return config::alive == 0 ? 0 : 1;
}
