// SPDX-License-Identifier: MIT OR Apache-2.0
// The C++ layer compiled without exceptions and without RTTI: what would throw prints a message and aborts, and try_push
// reports want of memory.
#include <conex/conex.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "support/allocator.hpp"
#include "support/check.hpp"
#include "support/types.hpp"

#if defined(__cpp_exceptions)
#error "this test is about programs without exceptions"
#endif

namespace {

/// Runs `body` in a child process and returns what it wrote to stderr, if it ended by abort.
template <class F>
std::string last_words(F body) {
    int ends[2];
    if (!CHECK(pipe(ends) == 0)) return {};
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        body();
        _exit(0);
    }
    close(ends[1]);
    std::string words;
    char buffer[256];
    for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;) words.append(buffer, static_cast<std::size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return words;
}

bool mentions(const std::string& words, conex::status status) {
    return words.find("conex: ") == 0 && words.find(conex::to_string(status)) != std::string::npos;
}

}  // namespace

TEST("try_push reports want of memory, and the object stays") {
    const types::balance balance;
    support::counting_allocator allocator;
    conex::stack_options options;
    options.allocator = allocator.hooks();
    {
        conex::stack<types::tracked> s(options);
        allocator.fail_after(0);
        types::tracked mine(7);
        CHECK(!s.try_push(std::nothrow, std::move(mine)));
        CHECK(mine.get() == 7);
        allocator.fail_after(1);  // enough for the box, not for the node
        CHECK(!s.try_push(std::nothrow, std::move(mine)));
        CHECK(mine.get() == 7);
        allocator.fail_after(-1);
        CHECK(s.try_push(std::nothrow, std::move(mine)));
        CHECK(s.try_pop()->get() == 7);
    }
    CHECK(allocator.bytes() == 0);
}

TEST("want of memory ends the program with a message") {
    CHECK(mentions(last_words([] {
        support::counting_allocator allocator;
        conex::map_options options;
        options.allocator = allocator.hooks();
        conex::map<std::string, std::string> m(options);
        allocator.fail_after(0);
        m.insert("key", "value");
    }), conex::status::err_no_memory));
}

TEST("misuse ends the program with a message") {
    CHECK(mentions(last_words([] {
        conex::queue<int> q;
        conex::queue<int> moved(std::move(q));
        q.push(1);
    }), conex::status::err_null));
    CHECK(mentions(last_words([] {
        conex::domain home;
        conex::guard session(home);
        static_cast<void>(home.barrier(std::chrono::seconds(1)));
    }), conex::status::err_stalled));
}

TEST("a domain that is destroyed while in use ends the program with a message") {
    CHECK(mentions(last_words([] {
        alignas(conex::domain) unsigned char place[sizeof(conex::domain)];
        auto* const home = ::new (static_cast<void*>(place)) conex::domain();
        conex::queue<int> q(*home);
        home->~domain();
    }), conex::status::busy));
}
