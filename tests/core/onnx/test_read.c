/* tests/core/onnx/test_read.c - models written byte by byte: tensors of every type, external data, what is refused. */
#include "exec/exec.h"
#include "ops/ops.h"
#include "wire.h"
#include <sys/stat.h>

static lop_status parse(const wire *m, const char *folder, lop_graph **g, lop_error *err)
{
    *err = (lop_error){0};
    return lop_onnx_parse(m->bytes, m->n, folder, NULL, g, err);
}

/* ---- tensors ---- */

typedef struct { int type, field; lop_dtype is; } typed;

/* Values 0, 1, 3 in the typed field that ONNX names for each type. */
T_TEST(typed_fields_of_every_type)
{
    static const typed cases[] = {
        {1, 4, LOP_F32}, {2, 5, LOP_U8}, {3, 5, LOP_I8}, {4, 5, LOP_U16}, {5, 5, LOP_I16}, {6, 5, LOP_I32},
        {7, 7, LOP_I64}, {9, 5, LOP_BOOL}, {10, 5, LOP_F16}, {11, 10, LOP_F64}, {12, 11, LOP_U32}, {13, 11, LOP_U64},
        {16, 5, LOP_BF16}};
    static const float f32[] = {0, 1, 3};
    static const double f64[] = {0, 1, 3};
    static const int64_t integers[] = {0, 1, 3}, f16[] = {0, 0x3C00, 0x4200}, bf16[] = {0, 0x3F80, 0x4040};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const int64_t *list = cases[k].is == LOP_F16 ? f16 : cases[k].is == LOP_BF16 ? bf16 : integers;
        wire t = wire_tensor("w", cases[k].type, (int64_t[]){3}, 1), packed = {.n = 0};
        for (int i = 0; i < 3; i++) wire_varint(&packed, (uint64_t)list[i]);
        if (cases[k].is == LOP_F32) wire_bytes(&t, 4, f32, sizeof f32);
        else if (cases[k].is == LOP_F64) wire_bytes(&t, 10, f64, sizeof f64);
        else wire_message(&t, (unsigned)cases[k].field, &packed);
        wire m = wire_model_of(&t, "w");
        lop_graph *g;
        lop_error err;
        t_ok(parse(&m, NULL, &g, &err), err);
        const lop_tensor *w = &g->value[lop_graph_value(g, "w")]->constant;
        assert_int_equal(w->type, cases[k].is);
        assert_true(lop_tensor_get(w, 1) == 1);
        assert_true(lop_tensor_get(w, 2) == (cases[k].is == LOP_BOOL ? 1 : 3));
        lop_graph_free(g);
    }
}

T_TEST(negative_integers_and_unpacked_lists)
{
    static const struct { int type, field; } cases[] = {{3, 5}, {5, 5}, {6, 5}, {7, 7}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        wire t = wire_tensor("w", cases[k].type, (int64_t[]){2}, 1);
        wire_int(&t, (unsigned)cases[k].field, -7);
        wire_int(&t, (unsigned)cases[k].field, 100);
        wire m = wire_model_of(&t, "w");
        lop_graph *g;
        lop_error err;
        t_ok(parse(&m, NULL, &g, &err), err);
        const lop_tensor *w = &g->value[lop_graph_value(g, "w")]->constant;
        assert_true(lop_tensor_get(w, 0) == -7 && lop_tensor_get(w, 1) == 100);
        lop_graph_free(g);
    }
}

T_TEST(scalars_and_empty_tensors_are_constants)
{
    for (int ndim = 0; ndim < 2; ndim++) {
        wire t = wire_tensor("w", 1, (int64_t[]){0}, ndim);
        wire_bytes(&t, 9, &(float){2.5f}, ndim == 0 ? 4 : 0);
        wire m = wire_model_of(&t, "w");
        lop_graph *g;
        lop_error err;
        t_ok(parse(&m, NULL, &g, &err), err);
        const lop_tensor *w = &g->value[lop_graph_value(g, "w")]->constant;
        assert_non_null(w->data);
        assert_int_equal(lop_tensor_size(w), 1 - ndim);
        lop_graph_free(g);
    }
}

T_TEST(sizes_that_do_not_fit_are_named)
{
    typedef struct { int type, ndim; int64_t dim[2]; unsigned field; lop_status st; size_t bytes; const char *says; }
        bad;
    static const bad cases[] = {
        {1, 2, {16, 16}, 9, LOP_E_FORMAT, 100, "initializer 'conv1.w' needs 1024 bytes, the file has 100"},
        {1, 2, {4, 4}, 9, LOP_E_FORMAT, 100, "initializer 'conv1.w' has 100 bytes, 64 expected by its shape"},
        {1, 2, {16, 16}, 4, LOP_E_FORMAT, 100, "initializer 'conv1.w' needs 1024 bytes, the file has 100"},
        {1, 2, {16, 16}, 0, LOP_E_FORMAT, 0, "initializer 'conv1.w' needs 1024 bytes, the file has 0"},
        {1, 2, {-4, 4}, 9, LOP_E_FORMAT, 64, "initializer 'conv1.w' has a negative or too large shape"},
        {1, 2, {INT64_MAX, INT64_MAX}, 9, LOP_E_FORMAT, 64, "initializer 'conv1.w' has a negative or too large shape"},
        {1, 2, {1 << 20, 1 << 20}, 9, LOP_E_FORMAT, 64, "needs 4398046511104 bytes, the file has 64"},
        {14, 1, {1, 0}, 9, LOP_E_FORMAT, 4, "initializer 'conv1.w': has 4 bytes, 8 expected by its shape"},
        {-3, 1, {1, 0}, 9, LOP_E_FORMAT, 4, "initializer 'conv1.w': has no element type"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        static const uint8_t zeros[128];
        wire t = wire_tensor("conv1.w", cases[k].type, cases[k].dim, cases[k].ndim);
        if (cases[k].field > 0) wire_bytes(&t, cases[k].field, zeros, cases[k].bytes);
        wire m = wire_model_of(&t, "conv1.w");
        lop_graph *g;
        lop_error err;
        t_fails(parse(&m, NULL, &g, &err), cases[k].st, err, cases[k].says);
        assert_null(g);
    }
}

/* ---- external data ---- */

static void entry(wire *t, const char *key, const char *value)
{
    wire e = {.n = 0};
    wire_text(&e, 1, key);
    wire_text(&e, 2, value);
    wire_message(t, 13, &e);
}

/* folder/model.onnx, folder/data (16 bytes: floats 1 to 4), folder/inside -> data, folder/link -> a file in a folder
 * whose name is as long. */
static void make_folder(char folder[4096], char outside[4096])
{
    static const float floats[] = {1, 2, 3, 4};
    char path[4200];
    lop_error err;
    t_temporary("external", folder);
    t_temporary("externa2", outside);
    mkdir(folder, 0777);
    mkdir(outside, 0777);
    strcat(outside, "/data");
    snprintf(path, sizeof path, "%s/data", folder);
    t_ok(lop_file_write(path, floats, sizeof floats, &err), err);
    t_ok(lop_file_write(outside, floats, sizeof floats, &err), err);
    snprintf(path, sizeof path, "%s/link", folder);
    assert_int_equal(symlink(outside, path), 0);
    snprintf(path, sizeof path, "%s/inside", folder);
    assert_int_equal(symlink("data", path), 0);
}

static void remove_folder(const char *folder, const char *outside)
{
    static const char *const names[] = {"data", "link", "inside", "model.onnx"};
    char path[4200];
    for (size_t k = 0; k < T_COUNT(names); k++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[k]);
        unlink(path);
    }
    rmdir(folder);
    unlink(outside);
    snprintf(path, sizeof path, "%.*s", (int)(strlen(outside) - 5), outside);
    rmdir(path);
}

T_TEST(external_data_comes_from_the_folder_only)
{
    static const struct { const char *location, *offset, *length; lop_status st; const char *says; } cases[] = {
        {"data", NULL, NULL, LOP_OK, "1"},
        {"data", "8", NULL, LOP_OK, "3"},
        {"./inside", "4", "8", LOP_OK, "2"},
        {"data", "12", NULL, LOP_E_FORMAT, "'w' needs 8 bytes from byte 12 of 'data' on, the file has 16 in all"},
        {"data", "18446744073709551615", NULL, LOP_E_FORMAT, "needs 8 bytes from byte 18446744073709551615"},
        {"data", "-4", NULL, LOP_E_FORMAT, "lies in 'data' at '-4', a number of bytes expected"},
        {"data", "0", "9x", LOP_E_FORMAT, "lies in 'data', '9x' long, a number of bytes expected"},
        {"data", "0", "4", LOP_E_FORMAT, "needs 8 bytes, it has 4 in 'data'"},
        {"gone", NULL, NULL, LOP_E_NOTFOUND, "initializer 'w' lies in 'gone': no such file"},
        {"link", NULL, NULL, LOP_E_FORMAT, "lies in 'link', a link out of the model's folder"},
        {"../outside", NULL, NULL, LOP_E_FORMAT, "lies in '../outside', not inside the model's folder"},
        {"a/../../x", NULL, NULL, LOP_E_FORMAT, "not inside the model's folder"},
        {"/etc/passwd", NULL, NULL, LOP_E_FORMAT, "lies in '/etc/passwd', not inside the model's folder"},
        {"", NULL, NULL, LOP_E_FORMAT, "not inside the model's folder"}};
    char folder[4096], outside[4096], path[4200];
    make_folder(folder, outside);
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        wire t = wire_tensor("w", 1, (int64_t[]){2}, 1);
        wire_int(&t, 14, 1);
        entry(&t, "location", cases[k].location);
        if (cases[k].offset) entry(&t, "offset", cases[k].offset);
        if (cases[k].length) entry(&t, "length", cases[k].length);
        wire m = wire_model_of(&t, "w");
        lop_graph *g;
        lop_error err = {0};
        t_ok(lop_file_write(path, m.bytes, m.n, &err), err);
        const lop_status st = lop_onnx_load(path, NULL, &g, &err);
        if (cases[k].st != LOP_OK) {
            t_fails(st, cases[k].st, err, cases[k].says);
            assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
            continue;
        }
        t_ok(st, err);
        assert_true(lop_tensor_get(&g->value[lop_graph_value(g, "w")]->constant, 0) == atof(cases[k].says));
        lop_graph_free(g);
        t_fails(parse(&m, NULL, &g, &err), LOP_E_FORMAT, err, "there is no folder to look in");
    }
    remove_folder(folder, outside);
}

/* ---- the graph ---- */

T_TEST(values_keep_what_the_file_declares)
{
    wire g = {.n = 0}, n = wire_node("Relu", "x", "y"), x = wire_value("x", (int64_t[]){-1, 3, 0}, 3);
    wire y = wire_value("y", (int64_t[]){2}, 1);
    wire_message(&g, 1, &n);
    wire_message(&g, 11, &x);
    wire_message(&g, 12, &y);
    wire m = wire_model(&g);
    lop_graph *out;
    lop_error err;
    t_ok(parse(&m, NULL, &out, &err), err);
    const lop_value *v = out->value[out->input[0]];
    assert_int_equal(v->type, LOP_F32);
    assert_true(v->shaped && lop_shape_equal(&v->shape, &(lop_shape){3, {-1, 3, 0}}));
    assert_string_equal(v->param[0], "N");
    assert_null(v->param[1]);
    assert_int_equal(lop_graph_opset(out, ""), 13);
    assert_int_equal(lop_graph_opset(out, "ai.onnx"), 13);
    assert_int_equal(lop_graph_opset(out, "ai.onnx.ml"), 0);
    assert_int_equal(out->ir_version, 8);
    lop_graph_free(out);
}

/* Old files do not say an attribute's type. */
T_TEST(attributes_without_a_type_are_what_they_hold)
{
    wire a[4] = {{.n = 0}, {.n = 0}, {.n = 0}, {.n = 0}}, n = wire_node("Relu", "x", "x2"), g = {.n = 0};
    wire x = wire_value("x", NULL, 0);
    wire_text(&a[0], 1, "i");
    wire_int(&a[0], 3, -5);
    wire_text(&a[1], 1, "f");
    wire_float(&a[1], 2, 0.25f);
    wire_text(&a[2], 1, "ints");
    wire_int(&a[2], 8, 1);
    wire_int(&a[2], 8, -2);
    wire_text(&a[3], 1, "s");
    wire_text(&a[3], 4, "SAME_UPPER");
    for (int k = 0; k < 4; k++) wire_message(&n, 5, &a[k]);
    wire_message(&g, 1, &n);
    wire_message(&g, 11, &x);
    wire m = wire_model(&g);
    lop_graph *out;
    lop_error err;
    int64_t list[2];
    t_ok(parse(&m, NULL, &out, &err), err);
    assert_int_equal(lop_node_int(out->node[0], "i", 0), -5);
    assert_true(lop_node_float(out->node[0], "f", 0) == 0.25f);
    assert_int_equal(lop_node_ints(out->node[0], "ints", list, 2), 2);
    assert_int_equal(list[1], -2);
    assert_string_equal(lop_node_string(out->node[0], "s", ""), "SAME_UPPER");
    lop_graph_free(out);
}

/* ---- what is refused ---- */

static wire deep(int levels)
{
    wire inner = {.n = 0};
    for (int k = 0; k < levels; k++) {          /* GraphProto.node.attribute.g.node ... */
        wire next = {.n = 0};
        wire_message(&next, (unsigned[]){6, 5, 1}[k % 3], &inner);
        inner = next;
    }
    return inner;
}

T_TEST(nesting_is_bounded)
{
    lop_graph *g;
    lop_error err;
    wire shallow = deep(60), m = {.n = 0};
    wire_message(&m, 7, &shallow);
    t_ok(parse(&m, NULL, &g, &err), err);
    lop_graph_free(g);
    wire far = deep(66), m2 = {.n = 0};
    wire_message(&m2, 7, &far);
    t_fails(parse(&m2, NULL, &g, &err), LOP_E_FORMAT, err, "messages are nested more than 64 deep");
}

T_TEST(what_is_no_model_is_refused)
{
    static const struct { const char *bytes; size_t n; const char *says; } cases[] = {
        {"", 0, "is empty"},
        {"return {}\n", 10, "is cut off, or no ONNX model: byte "},
        {"\x08", 1, "an integer does not end"},
        {"\x3a\x01", 2, "byte 2: ModelProto.graph needs 1 bytes, there are 0"},
        {"\x3a\x7f", 2, "byte 2: ModelProto.graph needs 127 bytes, there are 0"},
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "ModelProto.graph needs 18446744073709551615 bytes"},
        {"\x38\x01", 2, "ModelProto.graph has another type"},
        {"\x0b\x01", 2, "ModelProto.ir_version has another type"},
        {"\x02\x01", 2, "no such field number"},
        {"\x08\x07", 2, "holds no graph"},
        {"\x3a\x06\x2a\x04\x22\x02\x01\x02", 8, "half a float in a list"},
        {"\x3a\x04\x2a\x02\x08\x01", 6, "initializer #0 has no name"},
        {"\x3a\x02\x7a\x00", 4, "sparse initializer #0 has no name"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_graph *g;
        lop_error err = {0};
        const lop_status st = lop_onnx_parse((const uint8_t *)cases[k].bytes, cases[k].n, NULL, NULL, &g, &err);
        if (!strstr(err.message, cases[k].says)) fail_msg("case %zu: %s", k, err.message);
        assert_int_not_equal(st, LOP_OK);
        assert_null(g);
    }
}

/* A model whose only initializer is w: strings, or (dims given) sparse float32 values 1, 2, ... at the indices. */
static wire strings_of(const int64_t *dim, int ndim, int count)
{
    wire t = wire_tensor("w", 8, dim, ndim);
    for (int k = 0; k < count; k++) wire_bytes(&t, 6, k == 0 ? "first\0word" : "", k == 0 ? 10 : 0);
    return wire_model_of(&t, "w");
}

static wire sparse_of(const int64_t *dim, int ndim, const int64_t *index, int64_t count, int64_t columns)
{
    const float value[] = {1, 2, 3};
    wire g = {.n = 0}, s = {.n = 0}, n = wire_node("Identity", "w", "y"), y = wire_value("y", NULL, 0);
    wire v = wire_tensor("w", 1, (int64_t[]){2}, 1);
    wire i = wire_tensor("", 7, (int64_t[]){count, columns}, columns ? 2 : 1);
    wire_bytes(&v, 9, value, 2 * sizeof *value);
    wire_bytes(&i, 9, index, (size_t)(count * (columns ? columns : 1)) * sizeof *index);
    wire_message(&s, 1, &v);
    wire_message(&s, 2, &i);
    for (int d = 0; d < ndim; d++) wire_int(&s, 3, dim[d]);
    wire_message(&g, 1, &n);
    wire_message(&g, 12, &y);
    wire_message(&g, 15, &s);
    return wire_model(&g);
}

static lop_graph *parsed(const wire *m)
{
    lop_error err;
    lop_graph *g;
    t_ok(lop_onnx_parse(m->bytes, m->n, NULL, NULL, &g, &err), err);
    return g;
}

/* A model whose only initializer is w, of a type and so many bytes of raw data; -1: no data here. */
static wire raw_of(int type, const int64_t *dim, int ndim, int bytes)
{
    static const uint8_t zero[64] = {0};
    wire t = wire_tensor("w", type, dim, ndim);
    if (bytes >= 0) wire_bytes(&t, 9, zero, (size_t)bytes);
    return wire_model_of(&t, "w");
}

/* What no tensor here can hold comes back as it came, and stops who reads it. */
T_TEST(initializers_of_other_kinds_are_kept)
{
    const int64_t nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 2};
    const struct { wire m; const char *what; int ndim; } cases[] = {
        {strings_of((int64_t[]){2}, 1, 2), "string", 1},
        {raw_of(14, (int64_t[]){3}, 1, 24), "complex64", 1},
        {raw_of(15, (int64_t[]){0}, 1, 0), "complex128", 1},
        {raw_of(22, (int64_t[]){5}, 1, 3), "int4", 1},
        {raw_of(17, (int64_t[]){5}, 1, 5), "float8e4m3fn", 1},
        {raw_of(99, (int64_t[]){5}, 1, 1), "an unknown type", 1},
        {raw_of(1, nine, 9, 8), "float32, 9 dimensions", 0},
        {sparse_of((int64_t[]){1 << 20, 1 << 20}, 2, (int64_t[]){5, 1}, 2, 0), "sparse float32", 2}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        char says[128];
        lop_error err;
        lop_shapes s;
        uint8_t *bytes[2];
        size_t n[2];
        lop_graph *g = parsed(&cases[k].m), *copy;
        g->ops = lop_ops();
        const lop_value *w = g->value[lop_graph_value(g, "w")];
        assert_true(lop_value_is_initializer(w));
        assert_int_equal(w->shape.ndim, cases[k].ndim);
        if (k == 0) assert_non_null(memmem(w->kept, w->kept_length, "first\0word", 10));
        t_ok(lop_graph_infer_known(g, &s, &err), err);
        snprintf(says, sizeof says, "(Identity): its input 'w' is %s: such do not run here", cases[k].what);
        t_fails(lop_shapes_complete(g, &s, &err), LOP_E_UNSUPPORTED, err, says);
        lop_shapes_clear(&s);
        lop_tensor y;
        t_fails(lop_exec_once(g, NULL, NULL, 0, NULL, 0, &y, &err), LOP_E_UNSUPPORTED, err, says);
        t_ok(lop_graph_clone(g, &copy, &err), err);
        t_ok(lop_onnx_write_bytes(g, &bytes[0], &n[0], &err), err);
        t_ok(lop_onnx_write_bytes(copy, &bytes[1], &n[1], &err), err);
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(bytes[0], bytes[1], n[0]);
        assert_non_null(memmem(bytes[0], n[0], w->kept, w->kept_length));
        for (int i = 0; i < 2; i++) lop_free(bytes[i]);
        lop_graph_free(copy);
        g->node[0]->in[0] = -1;
        t_ok(lop_graph_prune_dead(g, &err), err);
        assert_false(lop_value_is_initializer(g->value[lop_graph_value(g, "w")]));
        lop_graph_free(g);
    }
}

T_TEST(types_are_told_in_words)
{
    static const struct { unsigned field; const char *says; } inside[] = {
        {4, "seq(tensor(string))"}, {9, "optional(tensor(string))"}, {8, "sparse_tensor(string)"}, {1, "string"},
        {5, "map(int64, tensor(string))"}};
    for (size_t k = 0; k < T_COUNT(inside); k++) {
        wire leaf = {.n = 0}, tensor = {.n = 0}, type = {.n = 0}, holder = {.n = 0}, x = {.n = 0}, g = {.n = 0};
        wire n = wire_node("Identity", "x", "y"), y = wire_value("y", NULL, 0);
        wire_int(&leaf, 1, 8);
        wire_message(&tensor, 1, &leaf);
        if (inside[k].field == 5) wire_int(&holder, 1, 7);
        if (inside[k].field == 1 || inside[k].field == 8) wire_message(&type, inside[k].field, &leaf);
        else {
            wire_message(&holder, inside[k].field == 5 ? 2 : 1, &tensor);
            wire_message(&type, inside[k].field, &holder);
        }
        wire_text(&x, 1, "x");
        wire_message(&x, 2, &type);
        wire_message(&g, 1, &n);
        wire_message(&g, 11, &x);
        wire_message(&g, 12, &y);
        const wire m = wire_model(&g);
        lop_graph *net = parsed(&m);
        assert_string_equal(net->value[lop_graph_value(net, "x")]->foreign, inside[k].says);
        lop_shapes s;
        lop_error err;
        t_ok(lop_graph_infer_known(net, &s, &err), err);
        t_fails(lop_shapes_complete(net, &s, &err), LOP_E_UNSUPPORTED, err, "input 'x' is ");
        lop_shapes_clear(&s);
        lop_graph_free(net);
    }
}

T_TEST(sparse_initializers_become_dense)
{
    const int64_t dim[] = {2, 3};
    const wire m[] = {sparse_of(dim, 2, (int64_t[]){5, 1}, 2, 0), sparse_of(dim, 2, (int64_t[]){1, 2, 0, 1}, 2, 2)};
    for (size_t k = 0; k < T_COUNT(m); k++) {
        static const double expected[] = {0, 2, 0, 0, 0, 1};
        lop_graph *g = parsed(&m[k]);
        const lop_tensor *w = &g->value[lop_graph_value(g, "w")]->constant;
        assert_true(lop_shape_equal(&w->shape, &(lop_shape){2, {2, 3}}));
        for (int i = 0; i < 6; i++) assert_true(lop_tensor_get(w, i) == expected[i]);
        lop_graph_free(g);
    }
}

T_TEST(misfits_of_strings_and_sparse_ones_are_named)
{
    const int64_t dim[] = {2, 3}, odd[] = {2, -3};
    const struct { wire m; const char *says; } cases[] = {
        {strings_of((int64_t[]){3}, 1, 2), "initializer 'w': has 2 strings, 3 expected"},
        {strings_of((int64_t[]){-1}, 1, 2), "initializer 'w': has a negative"},
        {raw_of(14, (int64_t[]){3}, 1, 20), "initializer 'w': has 20 bytes, 24 expected"},
        {raw_of(22, (int64_t[]){5}, 1, 2), "initializer 'w': has 2 bytes, 3 expected"},
        {raw_of(0, (int64_t[]){5}, 1, 2), "initializer 'w': has no element type"},
        {raw_of(14, (int64_t[]){INT64_MAX}, 1, 0), "initializer 'w': has a negative or too large shape"},
        {sparse_of(dim, 2, (int64_t[]){6, 1}, 2, 0), "sparse initializer 'w': has index 6 where 6 are"},
        {sparse_of(dim, 2, (int64_t[]){-1, 1}, 2, 0), "has index -1"},
        {sparse_of(dim, 2, (int64_t[]){1, 3, 0, 1}, 2, 2), "has index 3 where 3 are"},
        {sparse_of(dim, 2, (int64_t[]){1, 2, 3}, 3, 0), "indices that do not fit its 2 values"},
        {sparse_of(odd, 2, (int64_t[]){1, 2}, 2, 0), "has dimension #1 of -3"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_graph *g;
        lop_error err = {0};
        const lop_status st = lop_onnx_parse(cases[k].m.bytes, cases[k].m.n, NULL, NULL, &g, &err);
        if (!strstr(err.message, cases[k].says)) fail_msg("case %zu: %s", k, err.message);
        assert_int_equal(st, LOP_E_FORMAT);
        assert_null(g);
    }
}

T_TEST(doubled_names_are_refused)
{
    lop_graph *g;
    lop_error err;
    wire t = wire_tensor("w", 1, (int64_t[]){0}, 1), x = wire_value("x", NULL, 0), a = {.n = 0}, b = {.n = 0};
    wire_message(&a, 5, &t);
    wire_message(&a, 5, &t);
    wire_message(&b, 11, &x);
    wire_message(&b, 11, &x);
    wire ma = wire_model(&a), mb = wire_model(&b);
    t_fails(parse(&ma, NULL, &g, &err), LOP_E_FORMAT, err, "initializer 'w' is there twice");
    t_fails(parse(&mb, NULL, &g, &err), LOP_E_FORMAT, err, "two inputs of the graph have the same name");
}

T_TEST(a_missing_file_and_a_folder_are_named)
{
    lop_graph *g;
    lop_error err = {0};
    assert_int_equal(lop_onnx_load("none.onnx", NULL, &g, &err), LOP_E_NOTFOUND);
    assert_string_equal(err.message, "none.onnx: no such file");
    assert_int_equal(lop_onnx_load("/", NULL, &g, &err), LOP_E_IO);
    assert_string_equal(err.message, "/: is a directory");
    assert_int_equal(lop_onnx_load("none.onnx", NULL, &g, NULL), LOP_E_NOTFOUND);
}

T_MAIN(T(typed_fields_of_every_type), T(negative_integers_and_unpacked_lists),
       T(scalars_and_empty_tensors_are_constants), T(sizes_that_do_not_fit_are_named),
       T(external_data_comes_from_the_folder_only), T(values_keep_what_the_file_declares),
       T(attributes_without_a_type_are_what_they_hold), T(nesting_is_bounded), T(what_is_no_model_is_refused),
       T(initializers_of_other_kinds_are_kept), T(types_are_told_in_words),
       T(sparse_initializers_become_dense), T(misfits_of_strings_and_sparse_ones_are_named),
       T(doubled_names_are_refused), T(a_missing_file_and_a_folder_are_named))
