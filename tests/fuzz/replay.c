/* tests/fuzz/replay.c - runs a target under any compiler: over the inputs that were found before and the small ones
 * kept with them, and over damaged copies of those and of a model that ships with lop. All in processes of their own,
 * so that a crash has a name. CORPUS is the target's. */
#include "support/t.h"
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>

#ifndef CORPUS
#define CORPUS "onnx"
#endif
#ifdef __SANITIZE_ADDRESS__
#define SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHADOWED 1
#endif
#endif
#ifndef SHADOWED
#define SHADOWED 0                      /* a sanitizer's own memory is not counted */
#endif

/* SECONDS: far beyond what any input takes, so it hangs. KBYTES: the most that one may take, 1 GiB. */
enum { FILES = 256, SECONDS = 120, KBYTES = 1 << 20, NEAR = 4096 };

typedef struct { char path[FILES][400]; int count; } inputs;
typedef struct { int file; uint64_t seed; long kbytes; } progress;     /* shared with the child: what it was at */

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

static void add_folder(inputs *in, const char *folder)
{
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        assert_true(in->count < FILES);
        snprintf(in->path[in->count++], sizeof in->path[0], "%s/%s", folder, e->d_name);
    }
    if (d) closedir(d);
    qsort(in->path, (size_t)in->count, sizeof in->path[0], by_name);   /* the same everywhere */
}

static const inputs *kept(void)
{
    static inputs in;
    in.count = 0;
    add_folder(&in, "tests/fuzz/corpus/" CORPUS);
    add_folder(&in, "tests/fuzz/regressions/" CORPUS);
    if (in.count == 0) fail_msg("no input for %s: run from the project's root", CORPUS);
    return &in;
}

/* Seed 0 leaves the input as it is; else it is cut off, or bytes of it are changed, left out or doubled: near its start
 * or end, where most formats say what is what, or anywhere. */
static size_t damage(uint8_t *bytes, size_t size, size_t room, uint64_t seed)
{
    uint64_t drawn = 0;
    const int64_t kind = seed == 0 ? -1 : lop_random_below(seed, LOP_STREAM_USER, drawn++, 8);
    int64_t times = kind < 0 || size == 0 ? 0 : 1 + lop_random_below(seed, LOP_STREAM_USER, drawn++, 6);
    if (kind == 0) return (size_t)lop_random_below(seed, LOP_STREAM_USER, drawn, (int64_t)size + 1);
    for (; times > 0; times--) {
        const int64_t where = lop_random_below(seed, LOP_STREAM_USER, drawn++, 3);
        const int64_t span = where < 2 && size > NEAR ? NEAR : (int64_t)size;
        const size_t at = (size_t)lop_random_below(seed, LOP_STREAM_USER, drawn++, span) +
                          (where == 1 ? size - (size_t)span : 0);
        const uint64_t value = lop_random(seed, LOP_STREAM_USER, drawn++);
        if (kind < 4) bytes[at] ^= (uint8_t)(1u << (value & 7));
        else if (kind < 6) bytes[at] = value & 256 ? (uint8_t)(value & 512 ? 0xff : 0) : (uint8_t)value;
        else if (kind == 6 && size > 1) memmove(bytes + at, bytes + at + 1, --size - at);
        else if (kind == 7 && size < room) memmove(bytes + at + 1, bytes + at, size++ - at);
    }
    return size;
}

static void run(const inputs *in, int file, uint64_t seed)
{
    lop_file f;
    lop_error err;
    if (lop_file_open(in->path[file], &f, &err) != LOP_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    const size_t room = f.size + 16;
    uint8_t *bytes = malloc(room);
    if (!bytes) exit(1);
    if (f.size > 0) memcpy(bytes, f.bytes, f.size);
    const size_t size = damage(bytes, f.size, room, seed);
    lop_file_close(&f);
    alarm(SECONDS);
    LLVMFuzzerTestOneInput(bytes, size);
    alarm(0);
    free(bytes);
}

/* Files in turn, each with the next seed; a process that ended badly is named by what it was at. */
static void run_all(const inputs *in, uint64_t first, uint64_t count)
{
    int status = 0;
    progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        struct rusage used;
        for (uint64_t i = 0; i < count; i++) {
            p->file = (int)(i % (uint64_t)in->count);
            p->seed = first == 0 ? 0 : first + i;
            run(in, p->file, p->seed);
        }
        getrusage(RUSAGE_SELF, &used);
        p->kbytes = used.ru_maxrss;
        exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    if (status != 0)
        fail_msg("%s, seed %d: %s %d", in->path[p->file], (int)p->seed, WIFSIGNALED(status) ? "signal" : "exit",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (!SHADOWED && p->kbytes > KBYTES) fail_msg("%ld kB taken", p->kbytes);
    munmap(p, sizeof *p);
}

T_TEST(what_was_found_is_survived)
{
    const inputs *in = kept();
    run_all(in, 0, (uint64_t)in->count);
}

static const uint64_t ROUND = 100;      /* inputs of a process: what it takes is told apart from what others took */

T_TEST(damaged_files_are_survived)
{
    const inputs *in = kept();
    for (uint64_t k = 0; k < T_SEEDS(1000); k += ROUND) run_all(in, 1 + k, ROUND);
}

T_TEST(a_damaged_model_is_survived)
{
    static const inputs model = {{"recipes/models/digits-resnet/model.onnx"}, 1};
    for (uint64_t k = 0; k < T_SEEDS(1000); k += ROUND) run_all(&model, 1 + k, ROUND);
}

/* The model is for the target that reads models; it comes last. */
int main(void)
{
    const struct CMUnitTest all[] = {T(what_was_found_is_survived), T(damaged_files_are_survived),
                                     T(a_damaged_model_is_survived)};
    const size_t count = T_COUNT(all) - (strcmp(CORPUS, "onnx") == 0 ? 0 : 1);
    return _cmocka_run_group_tests(CORPUS, all, count, NULL, NULL);
}
