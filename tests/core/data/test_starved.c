/* tests/core/data/test_starved.c - pictures with memory that fails at request n, for n = 1, 2, 3 ... until the task
 * succeeds: the answer is MEMORY, a picture that could not be decoded for it is not called broken, and nothing is lost.
 * malloc and its kin are this file's own, also for libjpeg and libpng; the sanitizers need them for themselves. */
#include "support/t.h"
#include "data/data.h"
#include "image/image.h"
#include <errno.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

static int64_t until, held;     /* until: requests to the one that fails, 0: none does; held: blocks that are out */

#if OWN_MALLOC
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *block);

static bool fails(void)
{
    if (until == 0 || --until > 0) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    void *block = fails() ? NULL : __libc_malloc(n);
    held += block != NULL;
    return block;
}

void *calloc(size_t count, size_t n)
{
    void *block = fails() ? NULL : __libc_calloc(count, n);
    held += block != NULL;
    return block;
}

void *aligned_alloc(size_t alignment, size_t n)
{
    void *block = fails() ? NULL : __libc_memalign(alignment, n);
    held += block != NULL;
    return block;
}

int posix_memalign(void **block, size_t alignment, size_t n)
{
    *block = aligned_alloc(alignment, n);
    return *block ? 0 : ENOMEM;
}

void free(void *block)
{
    held -= block != NULL;
    __libc_free(block);
}
#endif

enum { MOST = 2000 };

/* First in each test, while nothing is held that a skipped test would lose. */
static void need_own_malloc(void)
{
    if (OWN_MALLOC) return;
    print_message("skipped: the sanitizers have their own malloc\n");
    skip();
}

/* Runs the task until no request fails any more; returns how many there are. */
static int starve(lop_status (*task)(void *context, lop_error *err), void *context)
{
    lop_error err;
    t_ok(task(context, &err), err);             /* what is made once and kept is there after that */
    for (int n = 1; n < MOST; n++) {
        const int64_t before = held;
        until = n;
        const lop_status st = task(context, &err);
        const bool reached = until == 0;
        until = 0;
        if (held != before) fail_msg("request %d: %d blocks lost", n, (int)(held - before));
        if (!reached) {
            t_ok(st, err);
            return n - 1;
        }
        if (st != LOP_OK && st != LOP_E_MEMORY) fail_msg("request %d: %s", n, err.message);
    }
    fail_msg("no end after %d requests", MOST);
    return 0;
}

static lop_status load(void *context, lop_error *err)
{
    lop_image image;
    const lop_status st = lop_image_load(context, &image, err);
    assert_true((st == LOP_OK) == (image.pixels != NULL));
    lop_image_clear(&image);
    return st;
}

T_TEST(decoders_report_it)
{
    static const char *const names[] = {"rgb420.jpg", "progressive.jpg", "ycck.jpg", "turned6.jpg", "rgb8.png",
                                        "palette4.png", "rgb8_interlaced.png", "rgb8_turned.png"};
    need_own_malloc();
    for (size_t k = 0; k < T_COUNT(names); k++) {
        char path[256];
        snprintf(path, sizeof path, "tests/golden/pictures/%s", names[k]);
        assert_true(starve(load, path) >= 4);
    }
}

static lop_status fit(void *context, lop_error *err)
{
    lop_image out;
    const lop_fit letterbox = {9, 20, LOP_FIT_LETTERBOX, 0, LOP_RESAMPLE_BICUBIC};
    const lop_status st = lop_image_fit(context, &letterbox, &out, err);
    lop_image_clear(&out);
    return st;
}

static lop_status save(void *context, lop_error *err)
{
    char path[4096];
    uint8_t planes[3 * 11 * 19];
    const lop_tensor t = {LOP_U8, {3, {3, 11, 19}}, planes, NULL};
    lop_image_planes(context, 3, planes);
    t_temporary("starved.png", path);
    const lop_status st = lop_image_save_png(path, &t, err);
    unlink(path);
    return st;
}

T_TEST(fitting_and_saving_report_it)
{
    lop_image image;
    lop_error err;
    need_own_malloc();
    t_ok(lop_image_load("tests/golden/pictures/rgb8.png", &image, &err), err);
    assert_true(starve(fit, &image) >= 8);
    assert_true(starve(save, &image) >= 4);
    lop_image_clear(&image);
}

static lop_status read_set(void *context, lop_error *err)
{
    static const lop_preprocess none = {1.0, {0}, {1}, 1, false};
    const lop_data_options o = {.size = "4", .broken = "skip"};
    lop_data *d;
    lop_tensor x = {0};
    lop_digest digests[2];
    const int64_t index[] = {0, 1};
    lop_status st = lop_data_open("images", context, &o, &d, err);
    if (st == LOP_OK) {
        assert_int_equal(lop_data_size(d), 41);         /* none was left out for lack of memory */
        st = lop_data_read(d, index, 2, &none, &x, NULL, err);
        if (st == LOP_OK) st = lop_data_hash(d, index, 2, NULL, digests, err);
    }
    lop_tensor_clear(&x);
    lop_data_free(d);
    /* The system's own words for a folder that it has no memory to open. */
    return st == LOP_E_IO && strstr(err->message, "memory") ? LOP_E_MEMORY : st;
}

T_TEST(data_sets_report_it)
{
    need_own_malloc();
    assert_true(starve(read_set, (char[]){"tests/golden/pictures"}) >= 100);
}
T_MAIN(T(decoders_report_it), T(fitting_and_saving_report_it), T(data_sets_report_it))
