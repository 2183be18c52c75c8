/* tests/core/onnx/test_write.c - what is written is what was read, also what lop does not understand; files are whole
 * or not there. */
#include "wire.h"
#include "same.h"
#include <sys/stat.h>

static bool holds(const uint8_t *bytes, size_t n, const char *text) { return memmem(bytes, n, text, strlen(text)); }

static void put_pair(wire *to, unsigned field, const char *key, const char *value)
{
    wire e = {.n = 0};
    wire_text(&e, 1, key);
    wire_text(&e, 2, value);
    wire_message(to, field, &e);
}

/* An If with a body, a list of strings, a string tensor, node metadata and an overload. */
static wire odd_node(void)
{
    wire n = wire_node("If", "x", "y"), body = {.n = 0}, branch = {.n = 0}, words = {.n = 0}, tensor = {.n = 0};
    wire inner = wire_node("Relu", "captured", "z"), t = wire_tensor(NULL, 8, (int64_t[]){1}, 1);
    wire_message(&body, 1, &inner);
    wire_text(&body, 2, "body of the branch");
    wire_text(&branch, 1, "then_branch");
    wire_message(&branch, 6, &body);
    wire_int(&branch, 20, 5);
    wire_text(&words, 1, "words");
    wire_text(&words, 9, "first word");
    wire_text(&words, 9, "second word");
    wire_int(&words, 20, 8);
    wire_text(&t, 6, "a string in a tensor");
    wire_text(&tensor, 1, "labels");
    wire_message(&tensor, 5, &t);
    wire_int(&tensor, 20, 4);
    wire_message(&n, 5, &branch);
    wire_message(&n, 5, &words);
    wire_message(&n, 5, &tensor);
    wire_text(&n, 2, "");
    wire_text(&n, 6, "what the node is for");
    wire_text(&n, 8, "the overload");
    put_pair(&n, 9, "node key", "node value");
    return n;
}

static wire odd_model(void)
{
    wire g = {.n = 0}, n = odd_node(), x = wire_value("x", (int64_t[]){-1, 3}, 2), y = {.n = 0}, type = {.n = 0};
    wire sequence = {.n = 0}, element = {.n = 0}, tensor = {.n = 0}, between = wire_value("q", (int64_t[]){2, -1}, 2);
    wire f = {.n = 0}, relu = wire_node("Relu", "x", "q"), opset = {.n = 0};
    wire_int(&tensor, 1, 7);
    wire_message(&element, 1, &tensor);
    wire_message(&sequence, 1, &element);
    wire_message(&type, 4, &sequence);
    wire_text(&y, 1, "y");
    wire_message(&y, 2, &type);
    wire_text(&x, 3, "what x is");
    wire_message(&g, 1, &n);
    wire_message(&g, 1, &relu);
    wire_text(&g, 10, "what the graph is");
    wire_message(&g, 11, &x);
    wire_message(&g, 12, &y);
    wire_message(&g, 13, &between);
    put_pair(&g, 14, "tensor_name", "quantized");
    put_pair(&g, 16, "graph key", "graph value");
    wire m = wire_model(&g);
    wire_text(&m, 2, "producer");
    wire_text(&m, 6, "what the model is");
    put_pair(&m, 14, "lop.preprocess", "mean=127");
    wire_text(&opset, 1, "ai.onnx.ml");
    wire_int(&opset, 2, 3);
    wire_message(&m, 8, &opset);
    wire_text(&f, 1, "function name");
    wire_text(&f, 12, "a field of the future");
    wire_message(&m, 25, &f);
    wire_text(&m, 99, "another field of the future");
    return m;
}

T_TEST(what_is_not_understood_survives)
{
    static const char *const kept[] = {
        "body of the branch", "captured", "second word", "a string in a tensor", "what the node is for", "the overload",
        "node value", "what x is", "what the graph is", "quantized", "graph value", "producer", "what the model is",
        "mean=127", "ai.onnx.ml", "function name", "a field of the future", "another field of the future"};
    const wire m = odd_model();
    lop_graph *a, *b;
    lop_error err;
    uint8_t *bytes, *again;
    size_t n, n2;
    t_ok(lop_onnx_parse(m.bytes, m.n, NULL, NULL, &a, &err), err);
    t_ok(lop_onnx_write_bytes(a, &bytes, &n, &err), err);
    for (size_t k = 0; k < T_COUNT(kept); k++)
        if (!holds(bytes, n, kept[k])) fail_msg("'%s' is lost", kept[k]);
    t_ok(lop_onnx_parse(bytes, n, NULL, NULL, &b, &err), err);
    same_graph(a, b);
    t_ok(lop_onnx_write_bytes(b, &again, &n2, &err), err);
    assert_int_equal(n, n2);
    assert_memory_equal(bytes, again, n);
    /* Field for field the file has what it had: nothing was said twice, nothing dropped. */
    assert_int_equal(n, m.n);
    lop_free(bytes);
    lop_free(again);
    lop_graph_free(a);
    lop_graph_free(b);
}

/* A doc string is kept as bytes with its type; a shape that has changed since must win over those bytes. */
T_TEST(a_changed_shape_is_written)
{
    const wire m = odd_model();
    lop_graph *a, *b;
    lop_error err;
    uint8_t *bytes;
    size_t n;
    t_ok(lop_onnx_parse(m.bytes, m.n, NULL, NULL, &a, &err), err);
    a->value[a->input[0]]->shape.dim[1] = 2;
    t_ok(lop_onnx_write_bytes(a, &bytes, &n, &err), err);
    t_ok(lop_onnx_parse(bytes, n, NULL, NULL, &b, &err), err);
    assert_int_equal(b->value[b->input[0]]->shape.dim[1], 2);
    assert_string_equal(b->value[b->input[0]]->param[0], "N");
    assert_true(holds(bytes, n, "what x is"));
    lop_free(bytes);
    lop_graph_free(a);
    lop_graph_free(b);
}

T_TEST(tensors_of_all_types_come_back)
{
    static const lop_dtype types[] = {LOP_F32, LOP_U8, LOP_I8, LOP_U16, LOP_I16, LOP_I32, LOP_I64, LOP_BOOL, LOP_F16,
                                      LOP_F64, LOP_U32, LOP_U64, LOP_BF16};
    lop_error err;
    lop_graph *g, *back;
    uint8_t *bytes;
    size_t n;
    t_ok(lop_graph_new(NULL, &g, &err), err);
    for (size_t k = 0; k < T_COUNT(types); k++) {
        int id;
        lop_tensor t = {0};
        t_ok(lop_tensor_init(&t, types[k], &(lop_shape){2, {2, (int64_t)k % 4}}, &err), err);
        for (int64_t i = 0; i < lop_tensor_size(&t); i++) lop_tensor_set(&t, i, (double)(i % 2));
        t_ok(lop_graph_add_constant(g, NULL, &t, &id, &err), err);
        lop_tensor_clear(&t);
    }
    t_ok(lop_onnx_write_bytes(g, &bytes, &n, &err), err);
    t_ok(lop_onnx_parse(bytes, n, NULL, NULL, &back, &err), err);
    same_values(g, back);
    lop_free(bytes);
    lop_graph_free(g);
    lop_graph_free(back);
}

T_TEST(a_file_is_written_whole_or_not_at_all)
{
    const wire m = odd_model();
    char path[4096];
    lop_graph *g, *back;
    lop_error err = {0};
    t_ok(lop_onnx_parse(m.bytes, m.n, NULL, NULL, &g, &err), err);
    t_temporary("written.onnx", path);
    t_ok(lop_onnx_save(g, path, false, &err), err);
    t_ok(lop_onnx_load(path, NULL, &back, &err), err);
    same_graph(g, back);
    unlink(path);
    t_fails(lop_onnx_save(g, "/none/of/these/x.onnx", false, &err), LOP_E_IO, err, "/none/of/these/x.onnx: ");
    lop_graph_free(g);
    lop_graph_free(back);
}

/* More small pieces than fit the buffer, and tensors larger than it. */
T_TEST(large_files_stream)
{
    char path[4096];
    lop_error err;
    lop_graph *g, *back;
    uint8_t *bytes;
    size_t n;
    lop_file file;
    t_ok(lop_graph_new(NULL, &g, &err), err);
    for (int k = 0; k < 300; k++) {
        int id;
        lop_tensor t = {0};
        t_ok(lop_tensor_init(&t, LOP_F32, &(lop_shape){1, {(k * 7919) % 40000}}, &err), err);
        for (int64_t i = 0; i < lop_tensor_size(&t); i++) lop_tensor_set(&t, i, (double)(i + k));
        t_ok(lop_graph_add_constant(g, "w", &t, &id, &err), err);
        lop_tensor_clear(&t);
    }
    t_temporary("large.onnx", path);
    t_ok(lop_onnx_save(g, path, false, &err), err);
    t_ok(lop_onnx_write_bytes(g, &bytes, &n, &err), err);
    t_ok(lop_file_open(path, &file, &err), err);
    assert_int_equal(file.size, n);
    assert_memory_equal(file.bytes, bytes, n);
    t_ok(lop_onnx_load(path, NULL, &back, &err), err);
    same_values(g, back);
    lop_file_close(&file);
    unlink(path);
    lop_free(bytes);
    lop_graph_free(g);
    lop_graph_free(back);
}

/* ---- weights in a file of their own ---- */

/* Constants of n float32 (n bytes for the last, of uint8), each with its own values. */
static lop_graph *weights(const int64_t *n, size_t count)
{
    lop_graph *g;
    lop_error err;
    t_ok(lop_graph_new(NULL, &g, &err), err);
    for (size_t k = 0; k < count; k++) {
        int id;
        lop_tensor t = {0};
        t_ok(lop_tensor_init(&t, k + 1 < count ? LOP_F32 : LOP_U8, &(lop_shape){1, {n[k]}}, &err), err);
        for (int64_t i = 0; i < n[k]; i++) lop_tensor_set(&t, i, (double)((i + (int64_t)k) % 251));
        t_ok(lop_graph_add_constant(g, "w", &t, &id, &err), err);
        lop_tensor_clear(&t);
    }
    return g;
}

static size_t size_of(const char *path)
{
    lop_file file;
    lop_error err;
    t_ok(lop_file_open(path, &file, &err), err);
    const size_t size = file.size;
    lop_file_close(&file);
    return size;
}

T_TEST(large_weights_go_into_a_file_beside_the_model)
{
    /* 1020 bytes stay; 1024 go; then a gap to 64; a page for the one of 1 MiB; uint8 behind it. */
    static const int64_t n[] = {255, 256, 257, 1 << 18, 300, 1030};
    static const size_t data_end = 4096 + (1 << 20) + 1216 + 1030;
    char path[4096], data[4200], again[4096], again_data[4200], hex[2][65];
    lop_graph *g = weights(n, T_COUNT(n)), *back;
    lop_error err = {0};
    snprintf(data, sizeof data, "%s.data", t_temporary("external.onnx", path));
    snprintf(again_data, sizeof again_data, "%s.data", t_temporary("again.onnx", again));
    t_ok(lop_onnx_save(g, path, true, &err), err);
    assert_int_equal(size_of(data), data_end);
    assert_true(size_of(path) < 2048);
    t_ok(lop_onnx_load(path, NULL, &back, &err), err);
    same_graph(g, back);
    t_ok(lop_onnx_save(back, again, true, &err), err);
    t_ok(lop_file_sha256(data, hex[0], &err), err);
    t_ok(lop_file_sha256(again_data, hex[1], &err), err);
    assert_string_equal(hex[0], hex[1]);
    lop_graph_free(back);

    assert_int_equal(truncate(data, (off_t)data_end - 1), 0);
    t_fails(lop_onnx_load(path, NULL, &back, &err), LOP_E_FORMAT, err, "needs 1030 bytes from byte");
    unlink(data);
    t_fails(lop_onnx_load(path, NULL, &back, &err), LOP_E_NOTFOUND, err, "external.onnx.data': no such file");
    unlink(path);
    unlink(again);
    unlink(again_data);
    lop_graph_free(g);
}

T_TEST(small_weights_need_no_second_file)
{
    char path[4096], data[4200];
    lop_graph *g = weights((const int64_t[]){255, 10}, 2), *back;
    lop_error err = {0};
    snprintf(data, sizeof data, "%s.data", t_temporary("small.onnx", path));
    t_ok(lop_onnx_save(g, path, true, &err), err);
    assert_int_not_equal(access(data, F_OK), 0);
    t_ok(lop_onnx_load(path, NULL, &back, &err), err);
    same_graph(g, back);
    unlink(path);
    lop_graph_free(g);
    lop_graph_free(back);
}

/* The data can't be written (a folder has its name): the model that was there stays, and nothing is left over. */
T_TEST(a_failure_leaves_what_was_there)
{
    char path[4096], data[4200];
    lop_graph *g = weights((const int64_t[]){4000, 10}, 2), *back;
    lop_error err = {0};
    snprintf(data, sizeof data, "%s.data", t_temporary("kept.onnx", path));
    t_ok(lop_onnx_save(g, path, false, &err), err);
    const size_t before = size_of(path);
    assert_int_equal(mkdir(data, 0700), 0);
    t_fails(lop_onnx_save(g, path, true, &err), LOP_E_IO, err, data);
    assert_int_equal(size_of(path), before);
    t_ok(lop_onnx_load(path, NULL, &back, &err), err);
    same_graph(g, back);
    rmdir(data);
    unlink(path);
    lop_graph_free(g);
    lop_graph_free(back);
}

/* 2.2 GiB of one tensor under many names: more than protobuf can hold, so that it is external without being asked. */
T_TEST(past_2_gib_weights_are_external)
{
    char path[4096], data[4200];
    lop_graph *g;
    lop_error err = {0};
    lop_tensor t = {0};
    uint8_t *bytes;
    size_t n;
    t_ok(lop_graph_new(NULL, &g, &err), err);
    t_ok(lop_tensor_init(&t, LOP_F32, &(lop_shape){1, {1 << 24}}, &err), err);
    for (int k = 0, id; k < 35; k++) t_ok(lop_graph_add_constant(g, "w", &t, &id, &err), err);
    t_fails(lop_onnx_write_bytes(g, &bytes, &n, &err), LOP_E_UNSUPPORTED, err, "larger than 2 GiB");
    snprintf(data, sizeof data, "%s.data", t_temporary("past.onnx", path));
    if (getenv("LOP_LONG")) {                           /* so much on disk only then */
        t_ok(lop_onnx_save(g, path, false, &err), err);
        assert_true(size_of(data) == (size_t)35 << 26);
        assert_true(size_of(path) < 8192);
    }
    unlink(path);
    unlink(data);
    lop_tensor_clear(&t);
    lop_graph_free(g);
}

T_MAIN(T(what_is_not_understood_survives), T(a_changed_shape_is_written), T(tensors_of_all_types_come_back),
       T(a_file_is_written_whole_or_not_at_all), T(large_files_stream),
       T(large_weights_go_into_a_file_beside_the_model), T(small_weights_need_no_second_file),
       T(a_failure_leaves_what_was_there), T(past_2_gib_weights_are_external))
