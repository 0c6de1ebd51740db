// What is put to the test: a container with its operations, its workload and its oracles.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "freeze.hpp"

namespace suspend {

inline std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

struct Rng {
    std::uint64_t state;
    std::uint64_t next() { return mix(state++); }
    std::uint64_t below(std::uint64_t n) { return next() % n; }
};

// A multiset of numbers, as its size and the sum of its members' hashes: two equal ledgers hold the same numbers, but for
// a chance of 2^-64.
struct Ledger {
    std::uint64_t count = 0, sum = 0;
    void add(std::uint64_t token) { ++count, sum += mix(token); }
    void add(const Ledger& other) { count += other.count, sum += other.sum; }
    bool operator==(const Ledger& other) const { return count == other.count && sum == other.sum; }
};

constexpr unsigned kMaxWorkers = 16;
constexpr unsigned kMaxOperations = 32;

struct alignas(128) Worker {
    unsigned id = 0;
    Rng rng{0};
    Freezable thread;
    std::atomic<std::uint64_t> done{0};    // operations completed
    std::atomic<unsigned> operation{0};    // the one under way
    std::uint64_t sequence = 0;            // for tokens: unique, and ascending a worker
    std::int64_t balance = 0;              // put in minus taken out
    Ledger in, out;
    std::uint64_t last_seen[kMaxWorkers] = {}; // a FIFO: the last sequence number taken from each producer
    std::string fault;                     // the first oracle that failed

    std::uint64_t token() { return std::uint64_t{id + 1} << 48 | ++sequence; }
    void fail(std::string text) {
        if (fault.empty()) fault = std::move(text);
    }
    // For every FIFO: what one producer pushed comes out in the order of its pushes, seen by any one consumer.
    void in_order(std::uint64_t got) {
        const std::uint64_t producer = (got >> 48) - 1, number = got & ((std::uint64_t{1} << 48) - 1);
        if (producer >= kMaxWorkers) return fail("a token that nobody made came out");
        if (number <= last_seen[producer]) fail("order: a producer's element came out after a later one");
        last_seen[producer] = number;
    }
};

// Resizes, for containers that have them.
struct Sizes {
    std::uint64_t growths = 0, shrinks = 0;
};

class Subject {
public:
    virtual ~Subject() = default;
    virtual std::string name() const = 0;
    virtual std::vector<const char*> operations() const = 0;
    // Which operation the worker should run next, so that the container stays of a sane size.
    virtual unsigned pick(Worker& worker) { return static_cast<unsigned>(worker.rng.below(operations().size())); }
    // Exactly one operation of the container (preparation apart).
    virtual void run(Worker& worker, unsigned operation) = 0;
    // Brings the container into a state in which the operation has something to do. Not under test.
    virtual void prepare(Worker&, unsigned) {}
    // Containers that resize: a cycle of growth and shrink; `large`: one that grows the container at least twice, whatever
    // the others have left in it, and shrinks it.
    virtual bool resizes() const { return false; }
    virtual void storm(Worker&, bool) {}
    virtual Sizes sizes() { return {}; }
    // After all workers have ended: empties the container and says what is wrong, or nothing.
    virtual std::string verify(std::vector<std::unique_ptr<Worker>>& workers) = 0;

protected:
    // The oracle of stacks and queues: what went in came out or was still there, once.
    static std::string conserved(std::vector<std::unique_ptr<Worker>>& workers, const Ledger& rest) {
        Ledger in, out = rest;
        for (auto& worker : workers) {
            if (!worker->fault.empty()) return worker->fault;
            in.add(worker->in);
            out.add(worker->out);
        }
        if (in == out) return {};
        return "conservation: " + std::to_string(in.count) + " went in, " + std::to_string(out.count) + " came out" +
               (in.count == out.count ? " (not the same ones)" : "");
    }
};

[[noreturn]] inline void die(const char* what, long status) {
    std::fprintf(stderr, "suspend: %s answered %ld\n", what, status);
    std::abort();
}
#define MUST(call)                                                  \
    do {                                                            \
        const auto must_status = (call);                            \
        if (must_status != 0) ::suspend::die(#call, must_status);   \
    } while (0)

// Each source file that is linked in names its subjects here.
using Maker = std::unique_ptr<Subject> (*)();
struct Entry {
    const char* group; // stack, queue and so on: what the command line selects
    bool blocks;       // what is expected: a peer that is known to block
    Maker make;
};
inline std::vector<Entry>& registry() {
    static std::vector<Entry> entries;
    return entries;
}
struct Register {
    Register(const char* group, bool blocks, Maker make) { registry().push_back({group, blocks, make}); }
};

} // namespace suspend
