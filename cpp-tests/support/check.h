/* SPDX-License-Identifier: MIT OR Apache-2.0
 * For test programs in C: CHECK(condition) reports and goes on; `return check_result()` ends main. */
#ifndef CONEX_TESTS_CHECK_H
#define CONEX_TESTS_CHECK_H

#include <stdio.h>

static int check_failures = 0;

static void check_report(int holds, const char *what, const char *file, int line) {
    if (!holds) {
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
        check_failures++;
    }
}

static int check_result(void) {
    if (check_failures == 0) puts("ok");
    return check_failures != 0;
}

#define CHECK(condition) check_report((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

#endif
