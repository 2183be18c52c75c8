/* core/data/preprocess.c - presets and the text form of a preprocessing. */
#include "data/data_impl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4 };
static const struct { const char *name; lop_preprocess p; } presets[] = {
    {"none", {1.0, {0}, {1}, 1, false}},
    {"unit", {1.0 / 255.0, {0}, {1}, 1, false}},
    {"imagenet", {1.0 / 255.0, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 3, false}},
    {"cifar10", {1.0 / 255.0, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 3, false}},
    {"caffe", {1.0, {104, 117, 123}, {1, 1, 1}, 3, true}}};
enum { PRESETS = sizeof presets / sizeof *presets };

/* Up to `most` finite numbers, commas between. */
static lop_status numbers(const char *key, const char *text, double *list, int most, int *count, lop_error *err)
{
    for (*count = 0; *count < most;) {
        char *end;
        const double v = strtod(text, &end);
        if (end == text || !isfinite(v)) break;
        list[(*count)++] = v;
        if (*end == '\0') return LOP_OK;
        if (*end != ',') break;
        text = end + 1;
    }
    if (most == 1) return lop_fail(err, LOP_E_ARG, "preprocess: %s: one number expected", key);
    return lop_fail(err, LOP_E_ARG, "preprocess: %s: 1 to %d numbers with commas between expected", key, most);
}

typedef struct { int means, stds; unsigned seen; } parts;      /* how many were given; bits of the keys */

static lop_status take_value(int key, const char *value, lop_preprocess *p, parts *given, lop_error *err)
{
    int one;
    if (key == 0) {
        const lop_status st = numbers("scale", value, &p->scale, 1, &one, err);
        return st == LOP_OK && p->scale == 0.0 ? lop_fail(err, LOP_E_ARG, "preprocess: scale is 0") : st;
    }
    if (key == 1) return numbers("mean", value, p->mean, MOST, &given->means, err);
    if (key == 2) {
        const lop_status st = numbers("std", value, p->std, MOST, &given->stds, err);
        for (int i = 0; st == LOP_OK && i < given->stds; i++)
            if (!(p->std[i] > 0.0))
                return lop_fail(err, LOP_E_ARG, "preprocess: std is %g, more than 0 expected", p->std[i]);
        return st;
    }
    p->bgr = strcmp(value, "bgr") == 0;
    if (p->bgr || strcmp(value, "rgb") == 0) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "preprocess: order '%.20s': rgb or bgr expected", value);
}

static lop_status take_pair(const char *pair, size_t n, lop_preprocess *p, parts *given, lop_error *err)
{
    static const char *const keys[] = {"scale", "mean", "std", "order", NULL};
    char text[256], hint[LOP_DATA_HINT];
    if (n >= sizeof text) return lop_fail(err, LOP_E_ARG, "preprocess: a value of %zu letters", n);
    memcpy(text, pair, n);
    text[n] = '\0';
    char *equals = strchr(text, '=');
    if (!equals) return lop_fail(err, LOP_E_ARG, "preprocess: '%.40s': key=value expected", text);
    *equals = '\0';
    int key = 0;
    while (keys[key] && strcmp(keys[key], text) != 0) key++;
    if (!keys[key])
        return lop_fail(err, LOP_E_ARG, "preprocess: unknown key '%.40s'%s", text, lop_data_hint(text, keys, hint));
    if (given->seen >> key & 1) return lop_fail(err, LOP_E_ARG, "preprocess: key '%s' is given twice", text);
    given->seen |= 1u << key;
    return take_value(key, equals + 1, p, given, err);
}

/* One number goes for all channels; more must agree. */
static lop_status settle(lop_preprocess *p, const parts *given, lop_error *err)
{
    p->nmean = given->means > given->stds ? given->means : given->stds;
    if ((given->means != 1 && given->means != p->nmean) || (given->stds != 1 && given->stds != p->nmean))
        return lop_fail(err, LOP_E_ARG, "preprocess: %d means and %d stds: as many of both, or one, expected",
                        given->means, given->stds);
    for (int i = 1; i < p->nmean; i++) {
        if (given->means == 1) p->mean[i] = p->mean[0];
        if (given->stds == 1) p->std[i] = p->std[0];
    }
    return LOP_OK;
}

static lop_status unknown_preset(const char *text, lop_error *err)
{
    char list[128] = "";
    size_t at = 0;
    for (int k = 0; k < PRESETS && at < sizeof list; k++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s, ", presets[k].name);
    return lop_fail(err, LOP_E_ARG, "unknown preprocessing '%.60s': %sor scale=S&mean=M&std=S&order=rgb expected", text,
                    list);
}

lop_status lop_preprocess_parse(const char *text, lop_preprocess *out, lop_error *err)
{
    for (int k = 0; k < PRESETS; k++)
        if (strcmp(presets[k].name, text) == 0) {
            *out = presets[k].p;
            return LOP_OK;
        }
    if (!strchr(text, '=')) return unknown_preset(text, err);
    lop_preprocess p = presets[0].p;
    parts given = {1, 1, 0};
    lop_status st = LOP_OK;
    while (st == LOP_OK && text) {
        const size_t n = strcspn(text, "&");
        st = take_pair(text, n, &p, &given, err);
        text = text[n] ? text + n + 1 : NULL;
    }
    if (st == LOP_OK) st = settle(&p, &given, err);
    if (st == LOP_OK) *out = p;
    return st;
}

/* The shortest of the figures that come back exactly. */
static size_t print_number(char *text, size_t n, double v)
{
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        char figures[40];
        length = snprintf(figures, sizeof figures, "%.*g", digits, v);
        snprintf(text, n, "%s", figures);
        if (strtod(figures, NULL) == v) break;
    }
    return (size_t)length;
}

static size_t print_list(char *text, size_t n, const char *key, const double *list, int count)
{
    size_t at = (size_t)snprintf(text, n, "%s=", key);
    for (int i = 0; i < count && at < n; i++) {
        if (i > 0) at += (size_t)snprintf(text + at, n - at, ",");
        if (at < n) at += print_number(text + at, n - at, list[i]);
    }
    return at;
}

char *lop_preprocess_text(const lop_preprocess *p, char *text, size_t n)
{
    size_t at = print_list(text, n, "scale", &p->scale, 1);
    if (at < n) at += print_list(text + at, n - at, "&mean", p->mean, p->nmean);
    if (at < n) at += print_list(text + at, n - at, "&std", p->std, p->nmean);
    if (at < n) snprintf(text + at, n - at, "&order=%s", p->bgr ? "bgr" : "rgb");
    return text;
}
