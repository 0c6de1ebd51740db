// SPDX-License-Identifier: MIT OR Apache-2.0
// A test program is a list of TEST("what holds") { CHECK(...); } blocks and this header. It runs them in their order and
// exits with 1 if a check failed or a block threw. An argument runs only the tests whose names contain it.
//
// Checks may be made from any thread.
#ifndef CONEX_TESTS_CHECK_HPP
#define CONEX_TESTS_CHECK_HPP

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

namespace check {

struct test {
    const char* name;
    void (*body)();
};

inline std::vector<test>& tests() {
    static std::vector<test> all;
    return all;
}

inline std::atomic<int> failures{0};

inline bool report(bool holds, const char* what, const char* file, int line) {
    if (!holds && failures.fetch_add(1) < 50) std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    return holds;
}

struct registration {
    registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

inline int run(int argc, char** argv) {
    int ran = 0;
    for (const test& each : tests()) {
        if (argc > 1 && std::strstr(each.name, argv[1]) == nullptr) continue;
        ++ran;
        const int before = failures.load();
#if defined(__cpp_exceptions)
        try {
            each.body();
        } catch (const std::exception& e) {
            std::fprintf(stderr, "%s: threw: %s\n", each.name, e.what());
            failures.fetch_add(1);
        } catch (...) {
            std::fprintf(stderr, "%s: threw\n", each.name);
            failures.fetch_add(1);
        }
#else
        each.body();
#endif
        std::printf("%s %s\n", failures.load() == before ? "ok    " : "FAILED", each.name);
        std::fflush(stdout);
    }
    if (ran == 0) std::fprintf(stderr, "no test of that name\n");
    return ran != 0 && failures.load() == 0 ? 0 : 1;
}

}  // namespace check

#define CHECK_JOIN2(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN2(a, b)
#define TEST(name)                                                                                        \
    static void CHECK_JOIN(test_, __LINE__)();                                                            \
    static const check::registration CHECK_JOIN(registered_, __LINE__)(name, &CHECK_JOIN(test_, __LINE__)); \
    static void CHECK_JOIN(test_, __LINE__)()

#define CHECK(...) check::report(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

#define CHECK_THROWS(type, ...)                                                                  \
    do {                                                                                         \
        bool thrown_ = false;                                                                    \
        try {                                                                                    \
            static_cast<void>(__VA_ARGS__);                                                      \
        } catch (const type&) {                                                                  \
            thrown_ = true;                                                                      \
        }                                                                                        \
        check::report(thrown_, #__VA_ARGS__ " throws " #type, __FILE__, __LINE__);               \
    } while (false)

int main(int argc, char** argv) { return check::run(argc, argv); }

#endif
