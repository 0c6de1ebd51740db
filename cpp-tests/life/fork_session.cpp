// fork by a thread that is in the middle of something: in the child, its guards and sessions go on protecting what they
// protected and end as they should, a callback that forks returns, and then the domain frees as ever.
#include <sys/wait.h>

#include <thread>

#include "life.hpp"

namespace {

constexpr std::uint64_t kLong = 60'000'000'000u, kShort = 5'000'000u;
std::atomic<int> g_called{0};
void called(void*, void*) { ++g_called; }

void retire(conex_domain* domain, int n) {
    for (int i = 0; i < n; ++i) CHECK(conex_domain_retire(domain, nullptr, 64, called, nullptr) == CONEX_OK);
}

// Runs `body` in a child.
template <typename Body>
void in_child(Body body) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(30);
        body();
        life::end_child();
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// Another member of the domain, which holds a guard and never lets go of it in a child.
class Other {
public:
    explicit Other(conex_domain* domain) : thread_([this, domain] {
        conex_guard* guard = nullptr;
        CHECK(conex_guard_enter(domain, &guard) == CONEX_OK);
        CHECK(conex_domain_lock(domain) == CONEX_OK);
        retire(domain, 10);
        there_ = true;
        while (!go_) std::this_thread::yield();
        CHECK(conex_domain_unlock(domain) == CONEX_OK);
        CHECK(conex_guard_leave(guard) == CONEX_OK);
    }) {
        while (!there_) std::this_thread::yield();
    }
    void leave() {
        go_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> there_{false}, go_{false};
    std::thread thread_;
};

// Nothing is freed while a pin from before the fork lasts, whoever retires; everything afterwards.
void sessions(conex_domain* domain) {
    Other other(domain);
    conex_guard *guard = nullptr, *inner = nullptr;
    CHECK(conex_guard_enter(domain, &guard) == CONEX_OK);
    CHECK(conex_domain_lock(domain) == CONEX_OK);
    retire(domain, 200);
    in_child([&] {
        g_called = 0;
        const auto by_another = [&](int n, conex_status expected) {
            std::thread([&] {
                retire(domain, n);
                for (int i = 0; i < 8; ++i) CHECK(conex_domain_flush(domain) == CONEX_OK);
                CHECK(conex_domain_barrier(domain, expected == CONEX_OK ? kLong : kShort) == expected);
            }).join();
        };
        by_another(200, CONEX_TIMEOUT);
        CHECK(conex_domain_barrier(domain, kShort) < 0); // its own session
        CHECK(g_called == 0);
        // Sessions of both eras, ended in turn.
        CHECK(conex_domain_lock(domain) == CONEX_OK);
        CHECK(conex_guard_enter(domain, &inner) == CONEX_OK);
        CHECK(conex_domain_unlock(domain) == CONEX_OK);
        CHECK(conex_domain_unlock(domain) == CONEX_OK);
        CHECK(conex_domain_unlock(domain) < 0);
        by_another(200, CONEX_TIMEOUT);
        CHECK(g_called == 0);
        CHECK(conex_guard_leave(inner) == CONEX_OK);
        // A refreshed guard is one of the new era.
        CHECK(conex_guard_refresh(guard) == CONEX_OK);
        CHECK(conex_guard_refresh(guard) == CONEX_OK);
        by_another(100, CONEX_TIMEOUT);
        CHECK(conex_guard_leave(guard) == CONEX_OK);
        retire(domain, 100);
        by_another(100, CONEX_OK);
        CHECK(conex_domain_barrier(domain, kLong) == CONEX_OK);
        CHECK(g_called == 200 + 10 + 200 + 200 + 100 + 100 + 100);
    });
    // A child whose sessions last has a child.
    in_child([&] {
        Other beside(domain);
        in_child([&] {
            g_called = 0;
            retire(domain, 200);
            CHECK(conex_domain_flush(domain) == CONEX_OK);
            CHECK(g_called == 0);
            CHECK(conex_domain_unlock(domain) == CONEX_OK);
            CHECK(conex_domain_unlock(domain) < 0);
            CHECK(conex_guard_leave(guard) == CONEX_OK);
            CHECK(conex_domain_barrier(domain, kLong) == CONEX_OK);
            CHECK(g_called == 200 + 10 + 10 + 200);
        });
        // The child itself goes on as well.
        beside.leave();
        CHECK(conex_domain_unlock(domain) == CONEX_OK);
        CHECK(conex_guard_leave(guard) == CONEX_OK);
        CHECK(conex_domain_barrier(domain, kLong) == CONEX_OK);
    });
    // By a thread that has used the domain and has no session now.
    std::thread([&] {
        CHECK(conex_domain_lock(domain) == CONEX_OK);
        CHECK(conex_domain_unlock(domain) == CONEX_OK);
        in_child([&] { retire(domain, 1); });
    }).join();
    CHECK(conex_domain_unlock(domain) == CONEX_OK);
    CHECK(conex_guard_leave(guard) == CONEX_OK);
    other.leave();
    CHECK(conex_domain_barrier(domain, kLong) == CONEX_OK);
}

conex_domain* g_domain;
std::atomic<bool> g_forked{false}, g_child{false};
const std::thread::id g_main = std::this_thread::get_id();
void forks(void*, void*) {
    if (std::this_thread::get_id() == g_main && !g_forked.exchange(true)) {
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(30);
            g_child = true;
        } else {
            int status = 0;
            CHECK(waitpid(child, &status, 0) == child);
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
    }
    retire(g_domain, 1);
    ++g_called;
}

// fork in a retire callback, of the domain or of its hazard pointers: the share goes on, in both processes.
void callbacks(conex_domain* domain, bool hazard) {
    std::atomic<bool> go{false};
    std::thread other([&] { // another member, at work
        while (!go) {
            CHECK(conex_domain_retire(domain, nullptr, 8, [](void*, void*) {}, nullptr) == CONEX_OK);
        }
    });
    g_domain = domain, g_forked = false, g_child = false, g_called = 0;
    int n = 0;
    for (; !g_forked || n < 500; ++n) {
        if (hazard) CHECK(conex_hazard_retire(domain, nullptr, 64, forks, nullptr) == CONEX_OK);
        else CHECK(conex_domain_retire(domain, nullptr, 64, forks, nullptr) == CONEX_OK);
        if (n % 100 == 99) CHECK(conex_domain_flush(domain) == CONEX_OK);
        if (g_child) break;
    }
    if (g_child) {
        retire(domain, 100);
        CHECK(conex_domain_barrier(domain, kLong) == CONEX_OK); // what vanished with the other thread is not waited for
        CHECK(g_called >= 100);
        life::end_child();
    }
    go = true;
    other.join();
    CHECK(conex_domain_barrier(domain, kLong) == CONEX_OK);
    CHECK(conex_domain_barrier(domain, kLong) == CONEX_OK);
    CHECK(g_called == 2 * n);
}

} // namespace

int main() {
    for (int round = 0; round < 20; ++round) {
        conex_domain* domain = nullptr;
        CHECK(conex_domain_new(nullptr, &domain) == CONEX_OK);
        g_called = 0;
        sessions(domain);
        callbacks(domain, false);
        callbacks(domain, true);
        CHECK(conex_domain_destroy(domain) == CONEX_OK);
    }
    std::printf("fork_session: children of sessions and of callbacks freed what they should\n");
}
