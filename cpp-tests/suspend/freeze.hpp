// Freezing threads at whatever instruction they are.
//
// At random: a controller sends a thread a signal, whose handler waits on a futex until it is released.
// At the k-th instruction: a thread sets the processor's trap flag on itself; from then on the kernel signals it after
// each instruction, and the handler waits when the count is reached. That needs no hooks in the library: it is the
// release build, stopped at every instruction that it executes, including those of the allocator and of the harness.
#pragma once

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

namespace suspend {

// One thread that can be frozen. The thread calls enlist() once; everything else is the controller's.
class Freezable {
public:
    void enlist() {
        self() = this; // first: from the next line on the signal may come
        tid_.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_release);
    }
    bool enlisted() const { return tid_.load(std::memory_order_acquire) != 0; }

    // Asks the thread to freeze where it is; frozen() tells when it has.
    void freeze() {
        hold_.store(1, std::memory_order_seq_cst);
        syscall(SYS_tgkill, getpid(), tid_.load(std::memory_order_relaxed), kSignal);
    }
    bool frozen() const { return frozen_.load(std::memory_order_acquire); }
    void release() {
        hold_.store(0, std::memory_order_seq_cst);
        syscall(SYS_futex, &hold_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
    }

    // Single steps, on the thread itself: park after `first` instructions, and then again after each of `more`.
    void arm(unsigned long first, const unsigned* more, unsigned count) {
        left_ = first;
        more_ = more;
        more_count_ = count;
        hold_.store(1, std::memory_order_seq_cst);
        set_trap_flag();
    }
    void disarm() { clear_trap_flag(); }

    static void install() {
        struct sigaction action = {};
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        sigemptyset(&action.sa_mask);
        action.sa_sigaction = on_freeze;
        sigaction(kSignal, &action, nullptr);
        action.sa_sigaction = on_step;
        sigaction(SIGTRAP, &action, nullptr);
    }

    static constexpr bool can_step() {
#if defined(__x86_64__)
        return true;
#else
        return false;
#endif
    }

    // How often the thread has parked at an instruction since the controller set this to 0, and at which one last.
    std::atomic<unsigned> parks{0};
    std::atomic<std::uint64_t> parked_at{0};
    // Instructions that were stepped through since then.
    std::atomic<unsigned long> steps{0};

private:
    static constexpr int kSignal = SIGUSR1;

    static Freezable*& self() {
        static thread_local Freezable* t_self = nullptr;
        return t_self;
    }

    void wait() {
        const int saved = errno;
        frozen_.store(true, std::memory_order_release);
        while (hold_.load(std::memory_order_seq_cst) == 1)
            syscall(SYS_futex, &hold_, FUTEX_WAIT_PRIVATE, 1, nullptr, nullptr, 0);
        frozen_.store(false, std::memory_order_release);
        errno = saved;
    }

    static void on_freeze(int, siginfo_t*, void*) {
        if (self() != nullptr) self()->wait();
    }

    static void on_step(int, siginfo_t*, void* context) {
        Freezable& me = *self();
        me.steps.store(me.steps.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (--me.left_ > 0) return;
#if defined(__x86_64__)
        me.parked_at.store(static_cast<std::uint64_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]), std::memory_order_relaxed);
#endif
        me.parks.fetch_add(1, std::memory_order_relaxed);
        me.wait();
        if (me.more_count_ > 0) {
            me.left_ = *me.more_++;
            --me.more_count_;
            me.hold_.store(1, std::memory_order_seq_cst);
            return; // the interrupted flags still have the trap bit
        }
#if defined(__x86_64__)
        static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
#else
        (void)context;
#endif
    }

    // Below the red zone, whose 128 bytes the caller may use.
    static void set_trap_flag() {
#if defined(__x86_64__)
        asm volatile("subq $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; addq $128, %%rsp" ::: "memory", "cc");
#endif
    }
    static void clear_trap_flag() {
#if defined(__x86_64__)
        asm volatile("subq $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; addq $128, %%rsp" ::: "memory", "cc");
#endif
    }

    std::atomic<int> hold_{0};
    std::atomic<bool> frozen_{false};
    std::atomic<pid_t> tid_{0};
    unsigned long left_ = 0;
    const unsigned* more_ = nullptr;
    unsigned more_count_ = 0;
};

} // namespace suspend
