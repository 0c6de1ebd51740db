// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Memory of one's own, reclaimed by a domain. A configuration is replaced while readers use the old one: a reader holds a
// guard while it looks; the writer retires what it replaced; the domain deletes it when no reader can be looking.
#include <conex/guard.hpp>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>

struct config {
    int version;
    std::string text;
};

int main() {
    conex::domain domain;
    std::atomic<config*> current{new config{1, "version 1"}};
    std::atomic<bool> done{false};

    std::thread reader([&] {
        while (!done) {
            conex::guard session(domain);
            const config* const seen = current.load();
            if (seen->text != "version " + std::to_string(seen->version)) std::abort();  // never: it is alive
        }
    });

    for (int version = 2; version <= 1000; ++version) {
        config* const old = current.exchange(new config{version, "version " + std::to_string(version)});
        domain.retire(old);  // new readers see the new one only; a deleter can be given as second argument
    }
    done = true;
    reader.join();

    // Not needed here, since destroying the domain deletes what is pending; shows how to wait for it.
    if (!domain.barrier(std::chrono::seconds(10))) return 1;
    std::cout << current.load()->text << " is current, " << domain.stats().pending_objects << " others are left\n";
    delete current.load();
    return 0;
}
