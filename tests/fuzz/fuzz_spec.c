/* tests/fuzz/fuzz_spec.c - texts: a data set's spec, and a preprocessing, whose text form reads as itself. */
#include "fuzz/fuzz.h"
#include "data/data.h"

static lop_error err;

static void preprocess(const char *text)
{
    lop_preprocess p, again;
    char first[LOP_PREPROCESS_TEXT], second[LOP_PREPROCESS_TEXT];
    const lop_status st = lop_preprocess_parse(text, &p, &err);
    fuzz_message(st, &err);
    if (st != LOP_OK) return;
    lop_preprocess_text(&p, first, sizeof first);
    FUZZ_EXPECT(lop_preprocess_parse(first, &again, &err) == LOP_OK, "'%s': %s", first, err.message);
    lop_preprocess_text(&again, second, sizeof second);
    FUZZ_EXPECT(strcmp(first, second) == 0, "'%s' became '%s'", first, second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lop_data_spec spec;
    char *text = lop_string_n((const char *)bytes, size, NULL);
    if (!text) return 0;
    const lop_status st = lop_data_spec_parse(text, &spec, &err);
    fuzz_message(st, &err);
    if (st == LOP_OK) FUZZ_EXPECT(spec.kind && spec.path && *spec.path, "'%s'", text);
    lop_data_spec_clear(&spec);
    preprocess(text);
    lop_free(text);
    return 0;
}
