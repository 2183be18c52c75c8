/* tests/fuzz/replay.c - runs a target over the inputs that were found before, and the small ones kept with them, each
 * in a process of its own: a crash has a name. CORPUS is the target's. */
#include "support/t.h"
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <sys/wait.h>

#ifndef CORPUS
#define CORPUS "onnx"
#endif
enum { SECONDS = 120 };                 /* far beyond what any input takes: it hangs */

static void run_file(const char *path)
{
    lop_file file;
    lop_error err;
    if (lop_file_open(path, &file, &err) != LOP_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    alarm(SECONDS);
    LLVMFuzzerTestOneInput(file.bytes ? file.bytes : (const uint8_t *)"", file.size);
    lop_file_close(&file);
    exit(0);
}

static int run_folder(const char *folder)
{
    int count = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        char path[600];
        int status = 0;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        fflush(stdout);
        const pid_t child = fork();
        if (child == 0) run_file(path);
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        if (status != 0)
            fail_msg("%s: %s %d", path, WIFSIGNALED(status) ? "signal" : "exit",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        count++;
    }
    if (d) closedir(d);
    return count;
}

T_TEST(what_was_found_is_survived)
{
    const int count = run_folder("tests/fuzz/corpus/" CORPUS) + run_folder("tests/fuzz/regressions/" CORPUS);
    if (count == 0) fail_msg("no input for %s: run from the project's root", CORPUS);
}

T_MAIN(T(what_was_found_is_survived))
