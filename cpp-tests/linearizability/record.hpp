// Recording histories: what is called, when, and what it answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace record {

// The clock: a counter that is raised before each call and after each return. The exchange is sequentially consistent, so
// if one operation returned before another was called, its stamps are smaller; and no two are equal.
inline std::atomic<std::uint64_t> g_clock{1};
inline std::uint64_t stamp() { return g_clock.fetch_add(1, std::memory_order_seq_cst); }

constexpr std::int64_t kNothing = -1; // an answer: there was no value

struct Entry {
    std::uint64_t start = 0, end = 0;
    const char* name = "";
    std::vector<std::uint64_t> args;
    std::vector<std::int64_t> answer;
};

struct Thread {
    unsigned id = 0;
    std::uint64_t seed = 0, counter = 0;
    std::vector<Entry> log;

    std::uint64_t random(std::uint64_t n) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        return (seed >> 33) % n;
    }
    // A value that no other call of this history gets.
    std::uint64_t value() { return (std::uint64_t{id + 1} << 32) | ++counter; }
};

// While it exists, the calling thread may be interrupted for a while after a random number of instructions, so that
// operations of other threads fall into the middle of its own. x86-64 only; elsewhere it does nothing.
class Interruption {
public:
    explicit Interruption(Thread& thread);
    ~Interruption();
    static void install();

private:
    bool armed_;
};

class Container {
public:
    virtual ~Container() = default;
    // One operation, chosen at random.
    virtual void run(Thread&) = 0;
    // By one thread, at the end: what is left comes out, so that its fate is known.
    virtual void drain(Thread&) {}

protected:
    // Calls `call`, which fills in the answer, between two stamps.
    template <typename Call>
    static void log(Thread& thread, const char* name, std::vector<std::uint64_t> args, Call call) {
        Entry entry;
        entry.name = name;
        entry.args = std::move(args);
        entry.answer.reserve(64);
        {
            const Interruption interruption(thread);
            entry.start = stamp();
            call(entry.answer);
            entry.end = stamp();
        }
        thread.log.push_back(std::move(entry));
    }

    // The same for a call that is several operations, each of which takes effect at a moment of its own.
    template <typename Call>
    static void log(Thread& thread, std::vector<Entry> entries, Call call) {
        for (Entry& entry : entries) entry.answer.reserve(8);
        std::uint64_t start = 0, end = 0;
        {
            const Interruption interruption(thread);
            start = stamp();
            call(entries);
            end = stamp();
        }
        for (Entry& entry : entries) {
            entry.start = start;
            entry.end = end;
            thread.log.push_back(std::move(entry));
        }
    }
};

struct Kind {
    const char* name;    // how the command line calls it
    const char* checker; // how the checker calls it
    unsigned threads, operations;
    std::unique_ptr<Container> (*make)();
};

inline std::vector<Kind>& kinds() {
    static std::vector<Kind> all;
    return all;
}
struct Register {
    explicit Register(Kind kind) { kinds().push_back(kind); }
};

#define MUST(call)                                                                        \
    do {                                                                                  \
        const auto must_status = (call);                                                  \
        if (must_status < 0) {                                                            \
            std::fprintf(stderr, "record: %s answered %d\n", #call, int(must_status));    \
            std::abort();                                                                 \
        }                                                                                 \
    } while (0)

} // namespace record
