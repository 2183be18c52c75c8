/* tests/core/data/test_pictures.c - folders of pictures: which are read and in what order, their classes, how they are
 * made to fit, what is broken; batches read ahead against those read one by one. */
#include "support/t.h"
#include "data/data.h"
#include "image/image.h"
#include <sys/stat.h>

#define GOLDEN "tests/golden/pictures/"

/* ---- a folder to try on ---- */

static char root[4096];

static int set_up(void **state)
{
    (void)state;
    t_temporary("pictures", root);
    return mkdir(root, 0777);
}

static int tear_down(void **state)
{
    char command[4200];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static const char *in_root(const char *name)
{
    static char path[4][4200];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
    return path[turn];
}

static void folder(const char *name) { assert_int_equal(mkdir(in_root(name), 0777), 0); }

static void text(const char *name, const char *content)
{
    lop_error err;
    t_ok(lop_file_write(in_root(name), content, strlen(content), &err), err);
}

/* A grey picture of h x w pixels of one value, so that it is known again. */
static void plain(const char *name, int64_t h, int64_t w, uint8_t value)
{
    lop_tensor t;
    lop_error err;
    t_ok(lop_tensor_init(&t, LOP_U8, &(lop_shape){2, {h, w}}, &err), err);
    memset(t.data, value, (size_t)(h * w));
    t_ok(lop_image_save_png(in_root(name), &t, &err), err);
    lop_tensor_clear(&t);
}

static void golden(const char *from, const char *to)
{
    char path[256];
    lop_file file;
    lop_error err;
    snprintf(path, sizeof path, GOLDEN "%s", from);
    t_ok(lop_file_open(path, &file, &err), err);
    t_ok(lop_file_write(in_root(to), file.bytes, file.size, &err), err);
    lop_file_close(&file);
}

static lop_data_options options(const char *labels, const char *size)
{
    return (lop_data_options){.labels = labels, .size = size};
}

static const lop_preprocess none = {1.0, {0}, {1}, 1, false};

/* First values of the images, and their labels, as they are expected. */
static void check(const char *name, const lop_data_options *o, int64_t classes, int64_t n, const int *values,
                  const int64_t *labels)
{
    lop_data *d;
    lop_tensor x;
    lop_error err;
    t_ok(lop_data_open("images", in_root(name), o, &d, &err), err);
    assert_int_equal(lop_data_size(d), n);
    assert_int_equal(lop_data_classes(d), classes);
    assert_int_equal(lop_data_labelled(d), labels != NULL);
    assert_int_equal(lop_data_bytes(d), 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t label;
        t_ok(lop_data_read(d, &i, 1, &none, &x, &label, &err), err);
        assert_int_equal(((float *)x.data)[0], values[i]);
        assert_int_equal(label, labels ? labels[i] : -1);
        lop_tensor_clear(&x);
    }
    lop_data_free(d);
}

static void refused(const char *name, const lop_data_options *o, lop_status status, const char *says)
{
    lop_data *d;
    lop_error err;
    t_fails(lop_data_open("images", in_root(name), o, &d, &err), status, err, says);
    assert_null(d);
}

/* The notes of a set, as many as texts, each holds its text. */
static void noted(const char *name, const lop_data_options *o, int64_t n, const char *const *texts)
{
    lop_data *d;
    lop_error err;
    t_ok(lop_data_open("images", in_root(name), o, &d, &err), err);
    assert_int_equal(lop_data_notes(d), n);
    for (int64_t i = 0; i < n; i++)
        if (!strstr(lop_data_note(d, i), texts[i])) fail_msg("'%s' not in: %s", texts[i], lop_data_note(d, i));
    lop_data_free(d);
}

/* ---- which, and of what class ---- */

T_TEST(a_flat_folder_is_read_in_the_order_of_bytes)
{
    const lop_data_options o = options(NULL, "2");
    folder("flat");
    plain("flat/b.png", 2, 2, 4);
    plain("flat/B.PNG", 2, 2, 1);
    plain("flat/a10.png", 2, 2, 2);
    plain("flat/a9.png", 2, 2, 3);
    plain("flat/\xc3\xa9.png", 2, 2, 5);
    plain("flat/.hidden.png", 2, 2, 9);
    text("flat/README", "no picture");
    text("flat/a.gif", "GIF89a");
    check("flat", &o, 0, 5, (const int[]){1, 2, 3, 4, 5}, NULL);
    check("flat/", &o, 0, 5, (const int[]){1, 2, 3, 4, 5}, NULL);
    check("flat/b.png", &o, 0, 1, (const int[]){4}, NULL);
    noted("flat", &o, 1, (const char *const[]){"flat: files that are no .jpg, .jpeg or .png, passed over: 2"});
}

T_TEST(folders_are_classes)
{
    const lop_data_options o = options(NULL, "2"), blind = options("none", "2");
    folder("classes");
    folder("classes/b");
    folder("classes/b-c");
    folder("classes/b/deep");
    folder("classes/a");
    folder("classes/.git");
    folder("classes/empty");
    plain("classes/b/1.png", 2, 2, 20);
    plain("classes/b/deep/1.png", 2, 2, 21);
    plain("classes/b-c/1.png", 2, 2, 30);
    plain("classes/a/2.png", 2, 2, 12);
    plain("classes/a/1.png", 2, 2, 11);
    plain("classes/.git/1.png", 2, 2, 99);
    check("classes", &o, 4, 5, (const int[]){11, 12, 30, 20, 21}, (const int64_t[]){0, 0, 2, 1, 1});
    check("classes", &blind, 0, 5, (const int[]){11, 12, 30, 20, 21}, NULL);
    plain("classes/stray.png", 2, 2, 40);
    refused("classes", &o, LOP_E_FORMAT, "classes: 1 pictures stand beside folders of pictures: labels=FILE");
    check("classes", &blind, 0, 6, (const int[]){11, 12, 30, 20, 21, 40}, NULL);
}

T_TEST(links_are_followed_but_not_in_circles)
{
    const lop_data_options o = options(NULL, "2");
    folder("links");
    folder("links/a");
    folder("elsewhere");
    plain("elsewhere/1.png", 2, 2, 7);
    plain("links/a/1.png", 2, 2, 5);
    assert_int_equal(symlink("..", in_root("links/a/back")), 0);
    assert_int_equal(symlink(".", in_root("links/a/here")), 0);
    assert_int_equal(symlink("../elsewhere", in_root("links/b")), 0);
    assert_int_equal(symlink("1.png", in_root("links/a/2.png")), 0);
    check("links", &o, 2, 3, (const int[]){5, 5, 7}, (const int64_t[]){0, 0, 1});
    assert_int_equal(symlink("nowhere.png", in_root("links/a/3.png")), 0);
    lop_data *d;
    lop_tensor x;
    lop_error err;
    t_ok(lop_data_open("images", in_root("links"), &o, &d, &err), err);
    t_fails(lop_data_read(d, (const int64_t[]){0, 1, 2, 3}, 4, &none, &x, NULL, &err), LOP_E_NOTFOUND, err,
            "links/a/3.png: no such file");
    lop_data_free(d);
    char deep[64] = "deep";
    for (int k = 0; k < 10; k++) {
        folder(deep);
        strcat(deep, "/x");
    }
    refused("deep", &o, LOP_E_FORMAT, "nested more than 8 deep");
}

T_TEST(a_file_of_labels_says_the_classes)
{
    const lop_data_options o = options(NULL, "2"), other = options("other.txt", "2");
    const lop_data_options away = options(in_root("away.txt"), "2");
    folder("named");
    folder("named/sub");
    plain("named/a b.png", 2, 2, 1);
    plain("named/c.png", 2, 2, 2);
    plain("named/sub/d.png", 2, 2, 3);
    text("named/labels.txt", "\xef\xbb\xbf" "c.png\t7\r\n\n  sub/d.png   0 \n./a b.png 3");
    check("named", &o, 8, 3, (const int[]){1, 2, 3}, (const int64_t[]){3, 7, 0});
    noted("named", &o, 0, NULL);
    text("named/other.txt", "c.png 1\n");
    check("named", &other, 2, 1, (const int[]){2}, (const int64_t[]){1});
    noted("named", &other, 2, (const char *const[]){"passed over: 1",
          "named/other.txt: pictures without a class in it, left out: 2"});
    text("away.txt", "a b.png 0\nsub/d.png 0\n");
    check("named", &away, 1, 2, (const int[]){1, 3}, (const int64_t[]){0, 0});
}

T_TEST(labels_that_are_wrong_are_named_with_their_line)
{
    static const struct { const char *content, *says; } cases[] = {
        {"p.png 1\nq.png 2\n", "labels.txt: line 2: no picture 'q.png' in the folder"},
        {"p.png\n", "line 1: NAME CLASS expected"}, {"\n\n 5\n", "line 3: NAME CLASS expected"},
        {"p.png cat\n", "line 1: class 'cat': a whole number from 0 on expected"}, {"p.png -1\n", "class '-1'"},
        {"p.png 1.5\n", "class '1.5'"}, {"p.png 99999999\n", "class '99999999'"},
        {"p.png 123456789012345678901\n", "class '123456789012345678901'"},
        {"p.png 1\np.png 1\n", "line 2: 'p.png' has a class already"}, {"\n \n", "labels.txt: names no picture"},
        {"", "labels.txt: names no picture"}, {"../p.png 1\n", "no picture '../p.png'"}};
    const lop_data_options o = options(NULL, "2"), none_there = options("none.txt", "2");
    folder("wrong");
    plain("wrong/p.png", 2, 2, 1);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        text("wrong/labels.txt", cases[k].content);
        refused("wrong", &o, LOP_E_FORMAT, cases[k].says);
    }
    lop_error err;
    t_ok(lop_file_write(in_root("wrong/labels.txt"), "p\0.png 1\n", 9, &err), err);
    refused("wrong", &o, LOP_E_FORMAT, "line 1: NAME CLASS expected");
    char *line = lop_array(9000, 1, &err);
    memset(line, 'x', 8990);
    strcat(line, " 1");
    text("wrong/labels.txt", line);
    refused("wrong", &o, LOP_E_FORMAT, "line 1: NAME CLASS expected");
    lop_free(line);
    refused("wrong", &none_there, LOP_E_NOTFOUND, "none.txt: no such file");
    const lop_data_options on_file = options("labels.txt", "2");
    refused("wrong/p.png", &on_file, LOP_E_ARG, "labels=labels.txt: for folders");
}

T_TEST(folders_without_pictures_are_refused)
{
    const lop_data_options o = options(NULL, "2");
    folder("bare");
    refused("bare", &o, LOP_E_NOTFOUND, "bare: no .jpg, .jpeg or .png in it (0 other files)");
    text("bare/a.txt", "x");
    folder("bare/sub");
    refused("bare", &o, LOP_E_NOTFOUND, "in it (1 other files)");
    refused("nowhere", &o, LOP_E_NOTFOUND, "nowhere: no such folder");
}

/* ---- what is broken ---- */

T_TEST(broken_pictures_stop_or_are_left_out)
{
    lop_data_options o = options(NULL, "11x19");
    lop_data *d;
    lop_tensor x;
    lop_error err;
    folder("broken");
    golden("rgb8.png", "broken/b.png");
    golden("rgb8.png", "broken/d.png");
    golden("short.png", "broken/f.png");
    golden("huge.jpg", "broken/g.jpg");
    text("broken/a.jpg", "this is text");
    text("broken/c.jpg", "");
    text("broken/e.png", "\x89PNG\r\n\x1a\n" "cut");
    t_ok(lop_data_open("images", in_root("broken"), &o, &d, &err), err);
    assert_int_equal(lop_data_size(d), 7);
    static const struct { int64_t index; const char *says; } cases[] = {
        {0, "broken/a.jpg: neither a JPEG nor a PNG by its first bytes (broken=skip leaves such files out)"},
        {2, "broken/c.jpg: the file is empty"}, {4, "broken/e.png: PNG: the file is cut off"},
        {5, "broken/f.png: PNG: the file is cut off"}, {6, "broken/g.jpg: says it has 65500x65500 pixels"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const int64_t list[] = {1, 3, cases[k].index, 0, 1};      /* the first of them is named */
        t_fails(lop_data_read(d, list, 5, &none, &x, NULL, &err), LOP_E_FORMAT, err, cases[k].says);
        assert_null(x.data);
    }
    lop_data_free(d);
    o.broken = "skip";
    t_ok(lop_data_open("images", in_root("broken"), &o, &d, &err), err);
    assert_int_equal(lop_data_size(d), 2);
    assert_int_equal(lop_data_notes(d), 5);
    for (size_t k = 0; k < 5; k++) {
        assert_memory_equal(lop_data_note(d, (int64_t)k), "left out: ", 10);
        char says[200];
        snprintf(says, sizeof says, "%s", cases[k].says);
        if (strstr(says, " (broken")) *strstr(says, " (broken") = '\0';
        if (!strstr(lop_data_note(d, (int64_t)k), says)) fail_msg("%s", lop_data_note(d, (int64_t)k));
    }
    t_ok(lop_data_read(d, (const int64_t[]){0, 1}, 2, &none, &x, NULL, &err), err);
    lop_tensor_clear(&x);
    lop_data_free(d);
    unlink(in_root("broken/b.png"));
    unlink(in_root("broken/d.png"));
    refused("broken", &o, LOP_E_FORMAT, "broken/: no picture in it can be decoded");
}

T_TEST(labels_stay_with_their_pictures_where_others_are_left_out)
{
    lop_data_options o = {.size = "2", .broken = "skip"};
    folder("gaps");
    folder("gaps/a");
    folder("gaps/b");
    text("gaps/a/1.png", "x");
    plain("gaps/a/2.png", 2, 2, 2);
    plain("gaps/b/3.png", 2, 2, 3);
    text("gaps/b/4.png", "x");
    plain("gaps/b/5.png", 2, 2, 5);
    check("gaps", &o, 2, 3, (const int[]){2, 3, 5}, (const int64_t[]){0, 1, 1});
    o.labels = "none";
    check("gaps", &o, 0, 3, (const int[]){2, 3, 5}, NULL);
}

/* ---- how they fit ---- */

T_TEST(options_say_how_pictures_fit)
{
    static const struct { lop_data_options o; lop_fit fit; int channels; } cases[] = {
        {{.size = "10"}, {10, 10, LOP_FIT_CROP, 0, LOP_RESAMPLE_BILINEAR}, 3},
        {{.size = "10x12"}, {10, 12, LOP_FIT_CROP, 0, LOP_RESAMPLE_BILINEAR}, 3},
        {{.input = {3, 9, 8}}, {9, 8, LOP_FIT_CROP, 0, LOP_RESAMPLE_BILINEAR}, 3},
        {{.input = {1, 9, 8}}, {9, 8, LOP_FIT_CROP, 0, LOP_RESAMPLE_BILINEAR}, 1},
        {{.input = {1, 9, 8}, .channels = "3", .size = "5"}, {5, 5, LOP_FIT_CROP, 0, LOP_RESAMPLE_BILINEAR}, 3},
        {{.size = "9", .channels = "1", .resample = "bicubic"}, {9, 9, LOP_FIT_CROP, 0, LOP_RESAMPLE_BICUBIC}, 1},
        {{.size = "9", .resize = "11", .crop = "center"}, {9, 9, LOP_FIT_CROP, 11, LOP_RESAMPLE_BILINEAR}, 3},
        {{.size = "9", .crop = "none"}, {9, 9, LOP_FIT_STRETCH, 0, LOP_RESAMPLE_BILINEAR}, 3},
        {{.size = "9", .fit = "stretch"}, {9, 9, LOP_FIT_STRETCH, 0, LOP_RESAMPLE_BILINEAR}, 3},
        {{.size = "9", .fit = "letterbox", .crop = "none"}, {9, 9, LOP_FIT_LETTERBOX, 0, LOP_RESAMPLE_BILINEAR}, 3}};
    lop_image image, fitted;
    lop_error err;
    t_ok(lop_image_load(GOLDEN "resize.png", &image, &err), err);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_data *d;
        lop_tensor x;
        const lop_fit *fit = &cases[k].fit;
        const int64_t values = fit->height * fit->width * cases[k].channels;
        uint8_t *planes = lop_array(values, 1, &err);
        t_ok(lop_image_fit(&image, fit, &fitted, &err), err);
        lop_image_planes(&fitted, cases[k].channels, planes);
        t_ok(lop_data_open("images", GOLDEN "resize.png", &cases[k].o, &d, &err), err);
        const lop_shape s = lop_data_shape(d);
        assert_true(s.dim[0] == cases[k].channels && s.dim[1] == fit->height && s.dim[2] == fit->width);
        t_ok(lop_data_read(d, (const int64_t[]){0}, 1, &none, &x, NULL, &err), err);
        for (int64_t i = 0; i < values; i++) assert_true(((float *)x.data)[i] == (float)planes[i]);
        lop_tensor_clear(&x);
        lop_data_free(d);
        lop_image_clear(&fitted);
        lop_free(planes);
    }
    lop_image_clear(&image);
}

T_TEST(options_that_are_wrong_are_named)
{
    static const struct { lop_data_options o; const char *says; } cases[] = {
        {{0}, "the size of pictures is not known: images:PATH?size=S"}, 
        {{.input = {3, 0, 0}}, "size of pictures is not known"},
        {{.size = "ten"}, "size 'ten': S or HxW"}, {{.size = "10x"}, "size '10x'"}, {{.size = "x10"}, "size 'x10'"},
        {{.size = "10x10x3"}, "size '10x10x3'"}, {{.size = "0"}, "size 0x0"}, {{.size = "-5"}, "size '-5'"},
        {{.size = "99999999999"}, "size '99999999999'"}, {{.size = "20000"}, "size 20000x20000"},
        {{.size = "9", .resize = "0"}, "resize '0'"}, {{.size = "9", .resize = "big"}, "resize 'big'"},
        {{.size = "9", .resize = "8"}, "resize=8 is less than the size 9x9"},
        {{.size = "9", .resize = "12", .crop = "none"}, "resize=12: only what is cropped"},
        {{.size = "9", .crop = "centre"}, "crop 'centre' (did you mean 'center'?)"},
        {{.size = "9", .fit = "pad"}, "fit 'pad': crop, letterbox, stretch expected"},
        {{.size = "9", .fit = "crop", .crop = "none"}, "crop=none and fit=crop: one of them"},
        {{.size = "9", .fit = "stretch", .crop = "center"}, "crop=center and fit=stretch"},
        {{.size = "9", .resample = "lanczos"}, "resample 'lanczos': bilinear, bicubic expected"},
        {{.size = "9", .channels = "4"}, "channels '4'"},
        {{.size = "9", .broken = "ignore"}, "broken 'ignore': stop, skip"}};
    lop_data *d;
    lop_error err;
    for (size_t k = 0; k < T_COUNT(cases); k++)
        t_fails(lop_data_open("images", GOLDEN, &cases[k].o, &d, &err), LOP_E_ARG, err, cases[k].says);
}

T_TEST(a_picture_has_one_hash_whatever_its_file_and_fit)
{
    const lop_data_options fits[] = {{.size = "11x19"}, {.size = "3", .fit = "stretch"}};
    lop_digest digest[2], other;
    lop_data *d;
    lop_error err;
    for (int k = 0; k < 2; k++) {
        t_ok(lop_data_open("images", k ? GOLDEN "rgb8_interlaced.png" : GOLDEN "rgb8.png", &fits[k], &d, &err), err);
        t_ok(lop_data_hash(d, (const int64_t[]){0}, 1, NULL, &digest[k], &err), err);
        lop_data_free(d);
    }
    assert_memory_equal(&digest[0], &digest[1], sizeof other);
    /* The same picture in an array: (1, 3, 11, 19). */
    lop_image image;
    lop_npz_entry e = {.name = (char[]){"images"}};
    t_ok(lop_image_load(GOLDEN "rgb8.png", &image, &err), err);
    t_ok(lop_tensor_init(&e.tensor, LOP_U8, &(lop_shape){4, {1, 3, 11, 19}}, &err), err);
    lop_image_planes(&image, 3, e.tensor.data);
    t_ok(lop_npz_save(in_root("one.npz"), &(lop_npz){&e, 1}, false, &err), err);
    t_ok(lop_data_open("npz", in_root("one.npz"), NULL, &d, &err), err);
    t_ok(lop_data_hash(d, (const int64_t[]){0}, 1, NULL, &other, &err), err);
    assert_memory_equal(&digest[0], &other, sizeof other);
    lop_data_free(d);
    lop_tensor_clear(&e.tensor);
    lop_image_clear(&image);
    t_ok(lop_data_open("images", GOLDEN "rgb16.png", &fits[0], &d, &err), err);
    t_ok(lop_data_hash(d, (const int64_t[]){0}, 1, NULL, &other, &err), err);
    assert_memory_equal(&digest[0], &other, sizeof other);       /* its upper bytes are rgb8's */
    lop_data_free(d);
}

/* ---- batches ---- */

static void make_many(const char *name, int count)
{
    folder(name);
    for (int i = 0; i < count; i++) {
        char file[64];
        snprintf(file, sizeof file, "%s/%03d.png", name, i);
        plain(file, 2, 2, (uint8_t)(i + 1));
    }
}

/* All images by batches, against what they hold; with pauses of the caller's own, so that the reader is ahead or
 * behind. */
static void check_batches(const lop_data *d, const int64_t *index, int64_t count, int64_t batch, int threads)
{
    lop_batches *b;
    lop_error err;
    lop_tensor x;
    int64_t n, done = 0;
    t_ok(lop_batches_new(d, index, count, batch, &none, threads, &b, &err), err);
    for (;;) {
        t_ok(lop_batches_next(b, &x, NULL, &n, &err), err);
        if (n == 0) break;
        assert_int_equal(n, count - done < batch ? count - done : batch);
        assert_int_equal(x.shape.dim[0], n);
        for (int64_t i = 0; i < n; i++) assert_int_equal(((float *)x.data)[i * 12], index[done + i] + 1);
        done += n;
        if (done % 3 == 0) usleep(500);
        lop_tensor_clear(&x);
    }
    assert_int_equal(done, count);
    t_ok(lop_batches_next(b, &x, NULL, &n, &err), err);
    assert_int_equal(n, 0);
    lop_batches_free(b);
}

T_TEST(batches_are_the_images_in_order_whatever_the_threads)
{
    const lop_data_options o = options(NULL, "2");
    lop_data *d;
    lop_error err;
    make_many("many", 30);
    t_ok(lop_data_open("images", in_root("many"), &o, &d, &err), err);
    int64_t index[60];
    for (int i = 0; i < 60; i++) index[i] = lop_random_below(5, 1, (uint64_t)i, 30);
    for (int threads = 1; threads <= 3; threads++) {
        static const int64_t sizes[] = {1, 7, 30, 60, 1000};
        for (size_t k = 0; k < T_COUNT(sizes); k++) check_batches(d, index, 60, sizes[k], threads);
        check_batches(d, index, 0, 5, threads);
    }
    lop_batches *b;
    lop_tensor x;
    int64_t n;
    for (int taken = 0; taken < 3; taken++) {           /* left early */
        t_ok(lop_batches_new(d, index, 60, 4, &none, 2, &b, &err), err);
        for (int k = 0; k < taken; k++) {
            t_ok(lop_batches_next(b, &x, NULL, &n, &err), err);
            lop_tensor_clear(&x);
        }
        lop_batches_free(b);
    }
    t_fails(lop_batches_new(d, index, 60, 0, &none, 1, &b, &err), LOP_E_ARG, err, "batches of 0");
    assert_null(b);
    lop_data_free(d);
}

T_TEST(a_batch_with_a_broken_picture_fails_and_those_before_it_do_not)
{
    const lop_data_options o = options(NULL, "2");
    lop_data *d;
    lop_batches *b;
    lop_tensor x;
    lop_error err;
    int64_t index[20], labels[6], n;
    make_many("fault", 20);
    text("fault/013.png", "x");
    text("fault/016.png", "x");
    for (int i = 0; i < 20; i++) index[i] = i;
    t_ok(lop_data_open("images", in_root("fault"), &o, &d, &err), err);
    for (int threads = 1; threads <= 3; threads++) {
        t_ok(lop_batches_new(d, index, 20, 6, &none, threads, &b, &err), err);
        for (int k = 0; k < 2; k++) {
            t_ok(lop_batches_next(b, &x, labels, &n, &err), err);
            assert_true(n == 6 && labels[5] == -1);
            lop_tensor_clear(&x);
        }
        for (int k = 0; k < 2; k++)
            t_fails(lop_batches_next(b, &x, labels, &n, &err), LOP_E_FORMAT, err, "fault/013.png: ");
        assert_null(x.data);
        lop_batches_free(b);
    }
    lop_data_free(d);
}

T_TEST(batches_of_arrays_are_the_same)
{
    lop_npz_entry e[2] = {{.name = (char[]){"images"}}, {.name = (char[]){"labels"}}};
    lop_data *d;
    lop_batches *b;
    lop_tensor x;
    lop_error err;
    int64_t labels[2], n, done = 0;
    t_ok(lop_tensor_init(&e[0].tensor, LOP_U8, &(lop_shape){4, {5, 1, 1, 1}}, &err), err);
    t_ok(lop_tensor_init(&e[1].tensor, LOP_U8, &(lop_shape){1, {5}}, &err), err);
    for (int i = 0; i < 5; i++) ((uint8_t *)e[0].tensor.data)[i] = ((uint8_t *)e[1].tensor.data)[i] = (uint8_t)(10 + i);
    t_ok(lop_npz_save(in_root("five.npz"), &(lop_npz){e, 2}, false, &err), err);
    t_ok(lop_data_open("npz", in_root("five.npz"), NULL, &d, &err), err);
    t_ok(lop_batches_new(d, (const int64_t[]){4, 3, 2, 1, 0}, 5, 2, &none, 2, &b, &err), err);
    for (;; done += n) {
        t_ok(lop_batches_next(b, &x, labels, &n, &err), err);
        if (n == 0) break;
        for (int64_t i = 0; i < n; i++)
            assert_true(((float *)x.data)[i] == (float)(14 - done - i) && labels[i] == 14 - done - i);
        lop_tensor_clear(&x);
    }
    assert_int_equal(done, 5);
    lop_batches_free(b);
    lop_data_free(d);
    lop_tensor_clear(&e[0].tensor);
    lop_tensor_clear(&e[1].tensor);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        T(a_flat_folder_is_read_in_the_order_of_bytes), T(folders_are_classes),
        T(links_are_followed_but_not_in_circles),
        T(a_file_of_labels_says_the_classes), T(labels_that_are_wrong_are_named_with_their_line),
        T(folders_without_pictures_are_refused), T(broken_pictures_stop_or_are_left_out),
        T(labels_stay_with_their_pictures_where_others_are_left_out), T(options_say_how_pictures_fit),
        T(options_that_are_wrong_are_named), T(a_picture_has_one_hash_whatever_its_file_and_fit),
        T(batches_are_the_images_in_order_whatever_the_threads),
        T(a_batch_with_a_broken_picture_fails_and_those_before_it_do_not), T(batches_of_arrays_are_the_same)};
    return cmocka_run_group_tests(all, set_up, tear_down);
}
