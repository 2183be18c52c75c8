/* tests/core/image/test_image.c - pictures of every kind against Pillow's figures (tests/golden/make_pictures.py),
 * damaged and lying files, fitting by direct computation, PNG there and back. */
#include "support/t.h"
#include "image/image.h"
#include <math.h>

#define FOLDER "tests/golden/pictures/"

static const char *path_of(const char *name, char path[256])
{
    snprintf(path, 256, FOLDER "%s", name);
    return path;
}

static void load(const char *name, lop_image *image)
{
    char path[256];
    lop_error err;
    t_ok(lop_image_load(path_of(name, path), image, &err), err);
}

static void load_expected(lop_npz *z)
{
    lop_error err;
    t_ok(lop_npz_load(FOLDER "expected.npz", z, &err), err);
}

/* The largest difference of a picture from (H, W, 3) bytes. */
static int difference(const lop_image *image, const lop_tensor *t, const char *name)
{
    int worst = 0;
    const lop_shape shape = {3, {image->height, image->width, 3}};
    if (!lop_shape_equal(&t->shape, &shape))
        fail_msg("%s: %dx%d", name, (int)image->height, (int)image->width);
    for (int64_t i = 0; i < lop_tensor_size(t); i++) {
        const int d = abs(((const uint8_t *)t->data)[i] - image->pixels[i]);
        if (d > worst) worst = d;
    }
    return worst;
}

/* PNG is exact by its standard. A JPEG's decoder may round otherwise: libraries differ by 2 at most. */
T_TEST(files_of_every_kind_are_read_as_pillow_reads_them)
{
    lop_npz z;
    int seen = 0;
    load_expected(&z);
    for (int64_t k = 0; k < z.count; k++) {
        const char *name = z.entry[k].name;
        lop_image image;
        if (!strchr(name, '.')) continue;
        load(name, &image);
        const int worst = difference(&image, &z.entry[k].tensor, name), allowed = strstr(name, ".png") ? 0 : 2;
        if (worst > allowed) fail_msg("%s: off by %d", name, worst);
        lop_image_clear(&image);
        seen++;
    }
    assert_int_equal(seen, 41);
    lop_npz_clear(&z);
}

T_TEST(resizing_gives_the_bytes_of_pillow)
{
    static const char *const names[] = {"bilinear", "bicubic"};
    lop_npz z;
    lop_image source, out;
    lop_error err;
    int seen = 0;
    load_expected(&z);
    load("resize.png", &source);
    for (int64_t k = 0; k < z.count; k++)
        for (int kind = 0; kind < 2; kind++) {
            const lop_tensor *t = &z.entry[k].tensor;
            if (strncmp(z.entry[k].name, names[kind], strlen(names[kind])) != 0) continue;
            const int64_t h = t->shape.dim[0], w = t->shape.dim[1];
            const lop_image_part all = {0, 0, h, w};
            t_ok(lop_image_resize(&source, h, w, &all, (lop_resample)kind, &out, &err), err);
            if (difference(&out, t, z.entry[k].name) != 0) fail_msg("%s differs", z.entry[k].name);
            lop_image_clear(&out);
            seen++;
        }
    assert_int_equal(seen, 16);
    lop_image_clear(&source);
    lop_npz_clear(&z);
}

T_TEST(a_window_is_a_part_of_the_whole)
{
    lop_image source, whole, part;
    lop_error err;
    load("resize.png", &source);
    for (uint64_t seed = 0; seed < T_SEEDS(40); seed++) {
        const int64_t h = 1 + lop_random_below(seed, 1, 0, 60), w = 1 + lop_random_below(seed, 1, 1, 60);
        lop_image_part x = {lop_random_below(seed, 1, 2, h), lop_random_below(seed, 1, 3, w), 1, 1};
        x.height += lop_random_below(seed, 1, 4, h - x.top);
        x.width += lop_random_below(seed, 1, 5, w - x.left);
        const lop_resample kind = (lop_resample)(seed % 2);
        t_ok(lop_image_resize(&source, h, w, &(lop_image_part){0, 0, h, w}, kind, &whole, &err), err);
        t_ok(lop_image_resize(&source, h, w, &x, kind, &part, &err), err);
        for (int64_t y = 0; y < x.height; y++)
            assert_memory_equal(part.pixels + y * x.width * 3, whole.pixels + ((x.top + y) * w + x.left) * 3,
                                (size_t)x.width * 3);
        lop_image_clear(&whole);
        lop_image_clear(&part);
    }
    const lop_image_part wrong[] = {{0, 0, 0, 1}, {-1, 0, 1, 1}, {0, 3, 1, 2}, {4, 0, 1, 1}};
    for (size_t k = 0; k < T_COUNT(wrong); k++)
        t_fails(lop_image_resize(&source, 4, 4, &wrong[k], LOP_RESAMPLE_BILINEAR, &part, &err), LOP_E_ARG, err,
                "window");
    lop_image_clear(&source);
}

/* A picture whose red is its row and whose green is its column. */
static void ramp(int64_t h, int64_t w, lop_image *image)
{
    lop_error err;
    t_ok(lop_image_init(image, h, w, &err), err);
    for (int64_t i = 0; i < h * w; i++) {
        image->pixels[3 * i] = (uint8_t)(i / w);
        image->pixels[3 * i + 1] = (uint8_t)(i % w);
    }
}

T_TEST(a_crop_without_scaling_is_the_middle)
{
    static const struct { int64_t h, w, high, wide, top, left; } cases[] = {
        {10, 17, 10, 4, 0, 6}, {10, 17, 7, 7, 1, 5}, {17, 10, 3, 10, 7, 0}, {9, 9, 9, 9, 0, 0}, {5, 8, 1, 1, 2, 3}};
    lop_error err;
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_image image, out;
        ramp(cases[k].h, cases[k].w, &image);
        const lop_fit fit = {.height = cases[k].high, .width = cases[k].wide,
                             .resize = cases[k].h < cases[k].w ? cases[k].h : cases[k].w};
        t_ok(lop_image_fit(&image, &fit, &out, &err), err);
        assert_true(out.height == fit.height && out.width == fit.width);
        for (int64_t i = 0; i < fit.height * fit.width; i++) {
            assert_int_equal(out.pixels[3 * i], cases[k].top + i / fit.width);
            assert_int_equal(out.pixels[3 * i + 1], cases[k].left + i % fit.width);
        }
        lop_image_clear(&image);
        lop_image_clear(&out);
    }
}

T_TEST(each_way_to_fit_scales_as_it_says)
{
    /* What a fit is equal to: the picture scaled to (h, w), a window of it, or it inside of a frame. */
    static const struct { lop_fit_mode mode; int64_t resize, high, wide, h, w; } cases[] = {
        {LOP_FIT_STRETCH, 0, 12, 40, 12, 40}, {LOP_FIT_CROP, 0, 23, 31, 23, 31}, {LOP_FIT_CROP, 0, 10, 10, 11, 15},
        {LOP_FIT_CROP, 0, 20, 28, 23, 31},
        {LOP_FIT_CROP, 0, 10, 40, 30, 40}, {LOP_FIT_CROP, 0, 60, 7, 60, 81}, {LOP_FIT_CROP, 16, 10, 12, 16, 21},
        {LOP_FIT_CROP, 46, 46, 46, 46, 62}, {LOP_FIT_LETTERBOX, 0, 10, 10, 7, 10},
        {LOP_FIT_LETTERBOX, 0, 10, 40, 10, 13},
        {LOP_FIT_LETTERBOX, 0, 23, 31, 23, 31}, {LOP_FIT_LETTERBOX, 0, 60, 1, 1, 1}};
    lop_image source, whole, out;
    lop_error err;
    load("resize.png", &source);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const int64_t h = cases[k].h, w = cases[k].w;
        const lop_fit fit = {cases[k].high, cases[k].wide, cases[k].mode, cases[k].resize, LOP_RESAMPLE_BICUBIC};
        t_ok(lop_image_resize(&source, h, w, &(lop_image_part){0, 0, h, w}, fit.resample, &whole, &err), err);
        t_ok(lop_image_fit(&source, &fit, &out, &err), err);
        assert_true(out.height == fit.height && out.width == fit.width);
        const int64_t top = fit.height > h ? -((fit.height - h) / 2) : (h - fit.height) / 2;
        const int64_t left = fit.width > w ? -((fit.width - w) / 2) : (w - fit.width) / 2;
        for (int64_t y = 0; y < fit.height; y++)
            for (int64_t x = 0; x < fit.width; x++) {
                const int64_t r = top + y, c = left + x;
                const bool inside = r >= 0 && r < h && c >= 0 && c < w;
                const int want = inside ? whole.pixels[(r * w + c) * 3] : LOP_LETTERBOX;
                if (out.pixels[(y * fit.width + x) * 3] != want) fail_msg("case %zu at %d, %d", k, (int)y, (int)x);
            }
        lop_image_clear(&whole);
        lop_image_clear(&out);
    }
    lop_image_clear(&source);
}

T_TEST(fits_that_cannot_be_are_refused)
{
    static const struct { lop_fit fit; const char *says; } cases[] = {
        {{0, 5, 0, 0, 0}, "size 0x5"}, {{5, 1 << 20, 0, 0, 0}, "size 5x1048576"}, {{5, 5, 0, -1, 0}, "resize=-1: 1 to"},
        {{5, 5, 0, 1 << 20, 0}, "resize=1048576: 1 to 16384"}, {{5, 6, 0, 5, 0}, "resize=5 is less than the size 5x6"},
        {{5, 5, LOP_FIT_STRETCH, 7, 0}, "resize=7: only what is cropped"}};
    lop_image image, out;
    lop_error err;
    ramp(3, 4, &image);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        t_fails(lop_image_fit(&image, &cases[k].fit, &out, &err), LOP_E_ARG, err, cases[k].says);
        assert_null(out.pixels);
    }
    lop_image_clear(&image);
}

T_TEST(what_is_no_picture_is_refused)
{
    static const struct { const char *bytes; size_t n; const char *says; } cases[] = {
        {"", 0, "the file is empty"}, {"this is text\n", 13, "neither a JPEG nor a PNG"}, {"GIF89a", 6, "neither"},
        {"\xff\xd8", 2, "neither"}, {"\x89PNG\r\n\x1a", 7, "neither"}, {"\xff\xd8\xff", 3, "JPEG: the file is cut off"},
        {"\x89PNG\r\n\x1a\n", 8, "PNG: the file is cut off"}, {"\xff\xd8\xff\xd9", 4, "JPEG: "},
        {"\xff\xd8\xff\xe0\0\1", 6, "JPEG: "}};
    lop_error err;
    lop_image image;
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        t_fails(lop_image_decode((const uint8_t *)cases[k].bytes, cases[k].n, &image, &err), LOP_E_FORMAT, err,
                cases[k].says);
        assert_null(image.pixels);
    }
    t_fails(lop_image_load("no/where.jpg", &image, &err), LOP_E_NOTFOUND, err, "no/where.jpg: no such file");
    t_fails(lop_image_load("tests", &image, &err), LOP_E_IO, err, "tests: is a directory");
}

T_TEST(claims_of_many_pixels_are_refused_before_there_is_memory_for_them)
{
    static const struct { const char *name, *says; } cases[] = {
        {"huge.png", "cut off"}, {"wide.png", "says it has 1x70000 pixels"}, {"short.png", "the file is cut off"},
        {"huge.jpg", "huge.jpg: says it has 65500x65500 pixels, more than the 134 million"}};
    lop_error err;
    lop_image image;
    char path[256];
    for (size_t k = 0; k < T_COUNT(cases); k++)
        t_fails(lop_image_load(path_of(cases[k].name, path), &image, &err), LOP_E_FORMAT, err, cases[k].says);
    assert_true(lop_peak_rss() < 200 << 20);
}

static uint8_t *bytes_of(const char *name, size_t *n)
{
    char path[256];
    lop_error err;
    lop_file file;
    t_ok(lop_file_open(path_of(name, path), &file, &err), err);
    uint8_t *copy = (uint8_t *)lop_string_n((const char *)file.bytes, file.size, &err);
    *n = file.size;
    lop_file_close(&file);
    return copy;
}

static const char *const samples[] = {"rgb420.jpg", "progressive.jpg", "ycck.jpg", "grey.jpg", "turned6.jpg",
                                      "rgb8.png", "palette4.png", "rgb8_interlaced.png", "grey16.png",
                                      "rgb8_turned.png"};

T_TEST(files_cut_anywhere_are_refused)
{
    lop_error err;
    lop_image image;
    for (size_t k = 0; k < T_COUNT(samples); k++) {
        size_t n;
        uint8_t *bytes = bytes_of(samples[k], &n);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *exact = (uint8_t *)lop_string_n((const char *)bytes, cut, &err);      /* its end is seen by ASan */
            if (lop_image_decode(exact, cut, &image, &err) == LOP_OK) fail_msg("%s cut to %zu bytes", samples[k], cut);
            assert_true(err.code == LOP_E_FORMAT && !image.pixels);
            lop_free(exact);
        }
        lop_free(bytes);
    }
}

/* Whatever a damaged file holds, the answer is a picture or an error, and no memory is lost: ASan looks on. */
T_TEST(damaged_files_do_no_harm)
{
    int refused = 0, total = 0;
    lop_error err;
    lop_image image;
    for (size_t k = 0; k < T_COUNT(samples); k++) {
        size_t n;
        uint8_t *bytes = bytes_of(samples[k], &n);
        for (uint64_t seed = 0; seed < T_SEEDS(150); seed++, total++) {
            const int64_t at = lop_random_below(seed, k, 0, (int64_t)n);
            const uint8_t old = bytes[at];
            bytes[at] = (uint8_t)lop_random(seed, k, 1);
            const lop_status st = lop_image_decode(bytes, n, &image, &err);
            if (st != LOP_OK) refused++;
            assert_true((st == LOP_OK) == (image.pixels != NULL));
            lop_image_clear(&image);
            bytes[at] = old;
        }
        lop_free(bytes);
    }
    assert_true(refused > total / 4 && refused < total);
}

T_TEST(a_picture_of_endless_scans_is_refused)
{
    lop_error err;
    lop_image image;
    size_t n;
    uint8_t *bytes = bytes_of("progressive.jpg", &n);
    size_t first = 0;                   /* the first scan (of DC, so that it may come again), up to the next marker */
    while (bytes[first] != 0xff || bytes[first + 1] != 0xda) first++;
    size_t end = first + 2;
    while (bytes[end] != 0xff || bytes[end + 1] == 0) end++;
    const size_t scan = end - first, many = 3000;
    uint8_t *long_one = lop_array((int64_t)(n + many * scan), 1, &err);
    assert_non_null(long_one);
    memcpy(long_one, bytes, end);
    for (size_t i = 0; i < many; i++) memcpy(long_one + end + i * scan, bytes + first, scan);
    memcpy(long_one + end + many * scan, bytes + end, n - end);
    t_fails(lop_image_decode(long_one, n + many * scan, &image, &err), LOP_E_FORMAT, err, "JPEG: more than 200 scans");
    lop_free(long_one);
    lop_free(bytes);
}

T_TEST(grey_comes_back_from_three_channels_as_it_was)
{
    lop_error err;
    lop_image image;
    uint8_t planes[3 * 256];
    t_ok(lop_image_init(&image, 16, 16, &err), err);
    for (int i = 0; i < 768; i++) image.pixels[i] = (uint8_t)(i / 3);
    lop_image_planes(&image, 1, planes);
    for (int i = 0; i < 256; i++) assert_int_equal(planes[i], i);
    image.pixels[0] = 200, image.pixels[1] = 100, image.pixels[2] = 50;
    lop_image_planes(&image, 1, planes);
    assert_int_equal(planes[0], 124);           /* .299 * 200 + .587 * 100 + .114 * 50 = 124.2 */
    lop_image_planes(&image, 3, planes);
    assert_true(planes[0] == 200 && planes[256] == 100 && planes[512] == 50 && planes[256 + 255] == 255);
    lop_image_clear(&image);
}

T_TEST(a_png_comes_back)
{
    static const lop_shape shapes[] = {{2, {5, 7}}, {3, {1, 5, 7}}, {3, {3, 5, 7}}, {3, {3, 1, 1}}};
    char path[4096];
    lop_error err;
    t_temporary("saved.png", path);
    for (size_t k = 0; k < T_COUNT(shapes); k++) {
        lop_tensor t;
        lop_image image;
        uint8_t planes[3 * 35];
        t_ok(lop_tensor_init(&t, LOP_U8, &shapes[k], &err), err);
        uint8_t *bytes = t.data;
        for (int64_t i = 0; i < lop_tensor_size(&t); i++) bytes[i] = (uint8_t)lop_random(k, 1, (uint64_t)i);
        t_ok(lop_image_save_png(path, &t, &err), err);
        t_ok(lop_image_load(path, &image, &err), err);
        const int channels = shapes[k].ndim == 3 && shapes[k].dim[0] == 3 ? 3 : 1;
        assert_int_equal(image.height * image.width * channels, lop_tensor_size(&t));
        lop_image_planes(&image, channels, planes);
        assert_memory_equal(planes, bytes, (size_t)lop_tensor_size(&t));
        lop_image_clear(&image);
        lop_tensor_clear(&t);
    }
    unlink(path);
    static const struct { lop_dtype type; lop_shape shape; } wrong[] = {
        {LOP_F32, {2, {5, 7}}}, {LOP_U8, {3, {2, 5, 7}}}, {LOP_U8, {1, {5}}}, {LOP_U8, {2, {0, 5}}},
        {LOP_U8, {4, {1, 3, 2, 2}}}};
    for (size_t k = 0; k < T_COUNT(wrong); k++) {
        lop_tensor t;
        t_ok(lop_tensor_init(&t, wrong[k].type, &wrong[k].shape, &err), err);
        t_fails(lop_image_save_png(path, &t, &err), LOP_E_SHAPE, err, "uint8 (H, W)");
        lop_tensor_clear(&t);
    }
}
T_MAIN(T(claims_of_many_pixels_are_refused_before_there_is_memory_for_them),
       T(files_of_every_kind_are_read_as_pillow_reads_them), T(resizing_gives_the_bytes_of_pillow),
       T(a_window_is_a_part_of_the_whole), T(a_crop_without_scaling_is_the_middle),
       T(each_way_to_fit_scales_as_it_says),
       T(fits_that_cannot_be_are_refused), T(what_is_no_picture_is_refused), T(files_cut_anywhere_are_refused),
       T(damaged_files_do_no_harm), T(a_picture_of_endless_scans_is_refused),
       T(grey_comes_back_from_three_channels_as_it_was), T(a_png_comes_back))
