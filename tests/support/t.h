/* tests/support/t.h - what the C suites share, on cmocka: names, seeds, files of ../shared. */
#ifndef LOP_TESTS_SUPPORT_T_H
#define LOP_TESTS_SUPPORT_T_H
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/base.h"

#define T_TEST(name) static void name(void **state __attribute__((unused)))
#define T(name) cmocka_unit_test(name)
#define T_COUNT(list) (sizeof(list) / sizeof *(list))
#define T_MAIN(...)                                             \
    int main(void)                                              \
    {                                                           \
        const struct CMUnitTest all[] = {__VA_ARGS__};          \
        return cmocka_run_group_tests(all, NULL, NULL);         \
    }
/* n seeds, ten times as many under make test-long. */
#define T_SEEDS(n) ((uint64_t)(n) * (getenv("LOP_LONG") ? 10u : 1u))
/* The call went well, or the message is shown. */
#define t_ok(status, err)                                                       \
    do {                                                                        \
        const lop_status t_status = (status);                                   \
        if (t_status != LOP_OK) fail_msg("%s", (err).message);                  \
    } while (0)
/* The call failed with this code, and its message holds this text. */
#define t_fails(status, expected, err, text)                                    \
    do {                                                                        \
        assert_int_equal((status), (expected));                                 \
        if (!strstr((err).message, (text))) fail_msg("'%s' not in: %s", (text), (err).message); \
    } while (0)

/* A file of the shared folder (LOP_SHARED, or ../shared), or the test is skipped with a message. */
static inline const char *t_shared(const char *name, char path[4096])
{
    const char *folder = getenv("LOP_SHARED");
    snprintf(path, 4096, "%s/%s", folder ? folder : "../shared", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not here\n", path);
        skip();
    }
    return path;
}
/* A fresh file name in a folder for temporary files. */
static inline const char *t_temporary(const char *name, char path[4096])
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, 4096, "%s/lop-test-%ld-%s", folder ? folder : "/tmp", (long)getpid(), name);
    return path;
}
#endif
