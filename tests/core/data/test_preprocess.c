/* tests/core/data/test_preprocess.c - presets, the text form there and back, what is refused. */
#include "support/t.h"
#include "data/data.h"

T_TEST(presets_have_their_published_figures)
{
    lop_error err;
    lop_preprocess p;
    t_ok(lop_preprocess_parse("none", &p, &err), err);
    assert_true(p.scale == 1 && p.nmean == 1 && p.mean[0] == 0 && p.std[0] == 1 && !p.bgr);
    t_ok(lop_preprocess_parse("unit", &p, &err), err);
    assert_true(p.scale == 1.0 / 255.0 && p.nmean == 1 && p.mean[0] == 0 && p.std[0] == 1 && !p.bgr);
    for (int k = 0; k < 2; k++) {
        t_ok(lop_preprocess_parse(k ? "cifar10" : "imagenet", &p, &err), err);
        assert_true(p.scale == 1.0 / 255.0 && p.nmean == 3 && !p.bgr);
        assert_true(p.mean[0] == .485 && p.mean[1] == .456 && p.mean[2] == .406);
        assert_true(p.std[0] == .229 && p.std[1] == .224 && p.std[2] == .225);
    }
    t_ok(lop_preprocess_parse("caffe", &p, &err), err);
    assert_true(p.scale == 1 && p.nmean == 3 && p.bgr && p.mean[0] == 104 && p.mean[1] == 117 && p.mean[2] == 123);
    assert_true(p.std[0] == 1 && p.std[1] == 1 && p.std[2] == 1);
}

T_TEST(texts_are_canonical_and_come_back)
{
    static const struct { const char *in, *out; } cases[] = {
        {"none", "scale=1&mean=0&std=1&order=rgb"},
        {"unit", "scale=0.00392156862745098&mean=0&std=1&order=rgb"},
        {"caffe", "scale=1&mean=104,117,123&std=1,1,1&order=bgr"},
        {"mean=127&std=128&scale=1&order=rgb", "scale=1&mean=127&std=128&order=rgb"},
        {"std=2,3", "scale=1&mean=0,0&std=2,3&order=rgb"},
        {"order=bgr", "scale=1&mean=0&std=1&order=bgr"},
        {"mean=.5,1e-3,-7,4", "scale=1&mean=0.5,0.001,-7,4&std=1,1,1,1&order=rgb"}};
    lop_error err;
    lop_preprocess p, q;
    char text[LOP_PREPROCESS_TEXT], again[LOP_PREPROCESS_TEXT];
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        t_ok(lop_preprocess_parse(cases[k].in, &p, &err), err);
        assert_string_equal(lop_preprocess_text(&p, text, sizeof text), cases[k].out);
        t_ok(lop_preprocess_parse(text, &q, &err), err);
        assert_string_equal(lop_preprocess_text(&q, again, sizeof again), text);
    }
}

T_TEST(any_figures_come_back_exactly)
{
    lop_error err;
    char text[LOP_PREPROCESS_TEXT];
    for (uint64_t seed = 0; seed < T_SEEDS(200); seed++) {
        lop_preprocess p = {0}, q;
        p.nmean = 1 + (int)lop_random_below(seed, 1, 0, 4);
        p.bgr = lop_random_below(seed, 1, 1, 2);
        p.scale = lop_random_normal(seed, 1, 2) * 1e-300;
        for (int i = 0; i < p.nmean; i++) {
            p.mean[i] = lop_random_normal(seed, 2, (uint64_t)i) * -1e300;
            p.std[i] = 1e-5 + lop_random_unit(seed, 3, (uint64_t)i);
        }
        t_ok(lop_preprocess_parse(lop_preprocess_text(&p, text, sizeof text), &q, &err), err);
        assert_true(q.scale == p.scale && q.nmean == p.nmean && q.bgr == p.bgr);
        assert_memory_equal(q.mean, p.mean, (size_t)p.nmean * sizeof *p.mean);
        assert_memory_equal(q.std, p.std, (size_t)p.nmean * sizeof *p.std);
        for (size_t n = 1; n < sizeof text; n += 13) assert_true(strlen(lop_preprocess_text(&p, text, n)) < n);
    }
}

T_TEST(what_is_wrong_is_named)
{
    static const struct { const char *text, *says; } cases[] = {
        {"unt", "unknown preprocessing 'unt': none, unit, imagenet, cifar10, caffe, or scale="}, {"", "unit, imagenet"},
        {"mean=1,2&std=1,2,3", "2 means and 3 stds"}, {"std=0", "std is 0, more than 0 expected"},
        {"std=1,-1", "std is -1"}, {"scale=0", "scale is 0"}, {"scale=1,2", "scale: one number"},
        {"scale=", "scale: one"},
        {"mean=1,2,3,4,5", "mean: 1 to 4 numbers"}, {"mean=nan", "mean: 1 to 4"}, {"mean=1,", "mean: 1 to 4"},
        {"mean=1;2", "mean: 1 to 4"}, {"order=grb", "order 'grb': rgb or bgr"},
        {"men=1", "unknown key 'men' (did you mean 'mean'?)"},
        {"mean=1&mean=2", "key 'mean' is given twice"}, {"mean=1&", "'': key=value"},
        {"unit&mean=1", "'unit': key=value"}};
    lop_error err;
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_preprocess p = {.scale = 77};
        t_fails(lop_preprocess_parse(cases[k].text, &p, &err), LOP_E_ARG, err, cases[k].says);
        assert_true(p.scale == 77);
    }
}
T_MAIN(T(presets_have_their_published_figures), T(texts_are_canonical_and_come_back), T(any_figures_come_back_exactly),
       T(what_is_wrong_is_named))
