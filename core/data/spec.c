/* core/data/spec.c - KIND:PATH[?key=value&key=value]. */
#include "data/data_impl.h"
#include <stdio.h>
#include <string.h>

const char *const lop_data_kinds[] = {"mnist", "cifar10", "images", "npz", NULL};
/* The keys of each kind, in the same order. */
static const char *const keys[][9] = {
    {"split", NULL}, {"split", NULL},
    {"labels", "size", "resize", "crop", "fit", "resample", "channels", "broken", NULL}, {"x", "y", NULL}};

/* Changes (insert, delete, replace a letter) from a to b; words are cut at 31 letters. */
static int distance(const char *a, const char *b)
{
    enum { MOST = 31 };
    int row[MOST + 1];
    const int n = (int)strnlen(b, MOST);
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 0; i < MOST && a[i]; i++) {
        int corner = row[0];
        row[0] = i + 1;
        for (int j = 1; j <= n; j++) {
            const int replace = corner + (a[i] != b[j - 1]), other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            corner = row[j];
            row[j] = replace < other ? replace : other;
        }
    }
    return row[n];
}

const char *lop_data_hint(const char *word, const char *const *known, char text[LOP_DATA_HINT])
{
    int least = 3;                              /* 2 changes are a slip, more are another word */
    size_t at = 0;
    const char *nearest = NULL;
    for (int k = 0; known[k]; k++) {
        const int far = distance(word, known[k]);
        if (far < least && far < (int)strlen(known[k])) {
            least = far;
            nearest = known[k];
        }
        if (at < LOP_DATA_HINT)
            at += (size_t)snprintf(text + at, LOP_DATA_HINT - at, "%s%s", k ? ", " : ": ", known[k]);
    }
    if (nearest) snprintf(text, LOP_DATA_HINT, " (did you mean '%s'?)", nearest);
    else if (at < LOP_DATA_HINT) snprintf(text + at, LOP_DATA_HINT - at, " expected");
    return text;
}

lop_status lop_data_split(const char *split, bool *test, lop_error *err)
{
    *test = split && strcmp(split, "test") == 0;
    if (!split || *test || strcmp(split, "train") == 0) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "split '%.40s': train or test expected", split);
}

static int find(const char *word, const char *const *known)
{
    for (int k = 0; known[k]; k++)
        if (strcmp(word, known[k]) == 0) return k;
    return -1;
}

static const char **field(lop_data_options *o, const char *key)
{
    const struct { const char *key; const char **value; } fields[] = {
        {"split", &o->split}, {"x", &o->x}, {"y", &o->y}, {"labels", &o->labels}, {"size", &o->size},
        {"resize", &o->resize}, {"crop", &o->crop}, {"fit", &o->fit}, {"resample", &o->resample},
        {"channels", &o->channels}, {"broken", &o->broken}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].key, key) == 0) return fields[i].value;
    return NULL;
}

/* One key=value, in place. */
static lop_status take_option(char *pair, int kind, lop_data_options *o, lop_error *err)
{
    char hint[LOP_DATA_HINT];
    char *equals = strchr(pair, '=');
    if (equals) *equals = '\0';
    const char **value = find(pair, keys[kind]) < 0 ? NULL : field(o, pair);
    if (!value)
        return lop_fail(err, LOP_E_ARG, "data %s: unknown key '%.40s'%s", lop_data_kinds[kind], pair,
                        lop_data_hint(pair, keys[kind], hint));
    if (!equals || !equals[1]) return lop_fail(err, LOP_E_ARG, "data: key '%s' has no value", pair);
    if (*value) return lop_fail(err, LOP_E_ARG, "data: key '%s' is given twice", pair);
    *value = equals + 1;
    bool test;
    return strcmp(pair, "split") == 0 ? lop_data_split(*value, &test, err) : LOP_OK;
}

static lop_status parse(lop_data_spec *s, lop_error *err)
{
    char hint[LOP_DATA_HINT];
    char *colon = strchr(s->text, ':');
    if (!colon || !colon[1] || colon[1] == '?')
        return lop_fail(err, LOP_E_ARG, "data '%.200s': KIND:PATH expected, KIND mnist, cifar10, images, npz", s->text);
    *colon = '\0';
    const int kind = find(s->text, lop_data_kinds);
    if (kind < 0)
        return lop_fail(err, LOP_E_ARG, "unknown data kind '%.40s'%s", s->text,
                        lop_data_hint(s->text, lop_data_kinds, hint));
    s->kind = s->text;
    s->path = colon + 1;
    char *pair = strrchr(colon + 1, '?');
    if (pair) *pair++ = '\0';
    lop_status st = LOP_OK;
    while (st == LOP_OK && pair) {
        char *next = strchr(pair, '&');
        if (next) *next++ = '\0';
        st = take_option(pair, kind, &s->options, err);
        pair = next;
    }
    return st;
}

lop_status lop_data_spec_parse(const char *text, lop_data_spec *out, lop_error *err)
{
    *out = (lop_data_spec){.text = lop_string(text, err)};
    if (!out->text) return LOP_E_MEMORY;
    const lop_status st = parse(out, err);
    if (st != LOP_OK) lop_data_spec_clear(out);
    return st;
}

void lop_data_spec_clear(lop_data_spec *spec)
{
    lop_free(spec->text);
    *spec = (lop_data_spec){0};
}
