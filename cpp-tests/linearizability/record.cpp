// Records histories of real threads on the release library, for tests/linearizability to check.
//
//   record KIND SECONDS SEED    writes the histories to the standard output
//
// Each history is of a fresh container. Threads call at random; now and then one is interrupted in the middle of an
// operation until the others have done some of theirs, for on few processors operations hardly ever overlap by themselves.
#include "record.hpp"

#include <sched.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

#include <cstring>
#include <thread>

namespace record {
namespace {

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

thread_local unsigned t_left, t_wait;

// Counts instructions; at the last one, waits until the clock has moved on by the other threads' operations.
void on_step(int, siginfo_t*, void* context) {
    if (--t_left > 0) return;
    const std::uint64_t until = g_clock.load() + t_wait;
    for (unsigned round = 0; g_clock.load() < until && round < 200; ++round) sched_yield();
#if defined(__x86_64__)
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
#else
    (void)context;
#endif
}

void write(const Entry& entry) {
    std::printf("%llu %llu %s", static_cast<unsigned long long>(entry.start), static_cast<unsigned long long>(entry.end), entry.name);
    for (const std::uint64_t arg : entry.args) std::printf(" %llu", static_cast<unsigned long long>(arg));
    std::fputs(" =", stdout);
    for (const std::int64_t answer : entry.answer) {
        if (answer == kNothing) std::fputs(" -", stdout);
        else std::printf(" %lld", static_cast<long long>(answer));
    }
    std::fputs("\n", stdout);
}

// Threads that wait for each other before each history.
class Rounds {
public:
    explicit Rounds(unsigned threads) : threads_(threads) {}
    void wait() {
        const unsigned round = round_.load();
        if (waiting_.fetch_add(1) + 1 == threads_) {
            waiting_ = 0;
            round_.fetch_add(1);
        } else {
            while (round_.load() == round) sched_yield();
        }
    }

private:
    const unsigned threads_;
    std::atomic<unsigned> waiting_{0}, round_{0};
};

int run(const Kind& kind, double seconds, std::uint64_t seed) {
    std::vector<Thread> threads(kind.threads);
    for (unsigned i = 0; i < kind.threads; ++i) {
        threads[i].id = i;
        threads[i].seed = seed * 1000 + i;
    }
    std::unique_ptr<Container> container;
    Rounds rounds(kind.threads + 1);
    bool more = true; // written between two rounds only
    std::vector<std::thread> workers;
    for (Thread& thread : threads)
        workers.emplace_back([&] {
            for (;;) {
                rounds.wait();
                if (!more) return;
                for (unsigned i = 0; i < kind.operations; ++i) container->run(thread);
                rounds.wait();
            }
        });
    const double end = now() + seconds;
    while (now() < end) {
        container = kind.make();
        rounds.wait();
        rounds.wait();
        container->drain(threads[0]);
        container.reset();
        std::printf("history %s\n", kind.checker);
        for (Thread& thread : threads) {
            for (const Entry& entry : thread.log) write(entry);
            thread.log.clear();
        }
    }
    more = false;
    rounds.wait();
    for (auto& worker : workers) worker.join();
    return 0;
}

} // namespace

void Interruption::install() {
    struct sigaction action = {};
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    action.sa_sigaction = on_step;
    sigaction(SIGTRAP, &action, nullptr);
}

// The trap flag makes the processor trap after each instruction. Below the red zone, whose 128 bytes the caller may use.
Interruption::Interruption(Thread& thread) : armed_(thread.random(12) == 0) {
    if (!armed_) return;
    t_left = 1 + static_cast<unsigned>(thread.random(220));
    t_wait = 2 + static_cast<unsigned>(thread.random(24));
#if defined(__x86_64__)
    asm volatile("subq $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; addq $128, %%rsp" ::: "memory", "cc");
#endif
}

Interruption::~Interruption() {
#if defined(__x86_64__)
    if (armed_) asm volatile("subq $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; addq $128, %%rsp" ::: "memory", "cc");
#endif
}

} // namespace record

int main(int argc, char** argv) {
    record::Interruption::install();
    for (const record::Kind& kind : record::kinds())
        if (argc == 4 && !std::strcmp(argv[1], kind.name)) return record::run(kind, std::atof(argv[2]), std::strtoull(argv[3], nullptr, 0));
    std::fprintf(stderr, "usage: record KIND SECONDS SEED, with KIND one of");
    for (const record::Kind& kind : record::kinds()) std::fprintf(stderr, " %s", kind.name);
    std::fprintf(stderr, "\n");
    return 2;
}
