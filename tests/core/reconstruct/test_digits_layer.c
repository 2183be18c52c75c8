/* tests/core/reconstruct/test_digits_layer.c - a layer of a trained net on real digits: what comes from the sums equals
 * what comes from the rows themselves - LASSO, order of elimination, rebuilt weights - to 1e-6. */
#include "core/sample/layer.h"
#include "data/data.h"
#include "exec/exec.h"
#include "lasso/lasso.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include "reconstruct/reconstruct.h"
#include "select/select.h"

enum { IMAGES = 32, EACH = 20 };
static const char layer_name[] = "/features/features.3/Conv";

/* The layer's input and output for the first digits, and its filters. */
static void activations(lop_tensor out[2], lop_tensor *weight)
{
    lop_graph *g;
    lop_shapes s;
    lop_exec *e;
    lop_data *d;
    lop_preprocess p;
    lop_tensor x;
    lop_error err;
    int64_t index[IMAGES];
    for (int64_t i = 0; i < IMAGES; i++) index[i] = i;
    t_ok(lop_onnx_load("recipes/models/digits-vgg/model.onnx", lop_ops(), &g, &err), err);
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    const int k = lop_graph_node(g, layer_name);
    assert_true(k >= 0);
    const int wanted[] = {g->node[k]->in[0], g->node[k]->out[0]};
    t_ok(lop_exec_new(g, &s, &(lop_exec_options){.wanted = wanted, .nwanted = 2}, &e, &err), err);
    t_ok(lop_data_open("mnist", "recipes/data/digits", NULL, &d, &err), err);
    t_ok(lop_preprocess_parse("unit", &p, &err), err);
    t_ok(lop_data_read(d, index, IMAGES, &p, &x, NULL, &err), err);
    t_ok(lop_exec_run(e, NULL, &x, out, &err), err);
    t_ok(lop_tensor_copy(weight, &g->value[g->node[k]->in[1]]->constant, &err), err);
    lop_tensor_clear(&x);
    lop_data_free(d);
    lop_exec_free(e);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

/* Row `row` of l: the 3x3 patch around a position, and the target there. */
static void take_row(t_layer *l, int64_t row, const lop_tensor xy[2], int64_t image, int64_t at)
{
    const int64_t h = xy[0].shape.dim[2], w = xy[0].shape.dim[3], size = h * w;
    for (int64_t i = 0; i < l->p; i++) {
        const int64_t r = at / w + i % 9 / 3 - 1, c = at % w + i % 3 - 1;
        const float *plane = (const float *)xy[0].data + (image * l->c + i / 9) * size;
        l->x[row * l->p + i] = r < 0 || r >= h || c < 0 || c >= w ? 0.0f : plane[r * w + c];
    }
    for (int64_t f = 0; f < l->n; f++)
        l->y[row * l->n + f] = ((const float *)xy[1].data)[(image * l->n + f) * size + at];
}

/* The made-up layer's rows replaced by the real ones, drawn by hand; its sums by those of lop_sample_add. */
static t_layer *real_layer(lop_tensor *weight)
{
    lop_tensor xy[2];
    lop_error err;
    activations(xy, weight);
    t_layer *l = t_layer_new(16, 9, 24, IMAGES * EACH, 0, T_PLAIN);
    assert_true(weight->shape.dim[0] == l->n && weight->shape.dim[1] == l->c && xy[0].shape.dim[1] == l->c);
    memcpy(l->w, weight->data, lop_tensor_bytes(weight));
    lop_stats_free(l->stats);
    lop_centred_clear(&l->q);
    const lop_window window = {3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}};
    t_ok(lop_stats_new(l->c, 9, l->n, &l->stats, &err), err);
    t_ok(lop_sample_add(l->stats, &xy[0], &xy[1], &window, 5, 3, 0, EACH, NULL, &err), err);
    for (int64_t image = 0; image < IMAGES; image++) {
        int64_t list[EACH], count;
        t_ok(lop_positions(5, 3, image, xy[0].shape.dim[2], xy[0].shape.dim[3], EACH, list, &count, &err), err);
        assert_int_equal(count, EACH);
        for (int64_t k = 0; k < EACH; k++) take_row(l, image * EACH + k, xy, image, list[k]);
    }
    t_centre(l->x, l->rows, l->p, l->X);
    t_centre(l->y, l->rows, l->n, l->Y);
    l->energy = 0;
    for (int64_t i = 0; i < l->rows * l->n; i++) l->energy += l->Y[i] * l->Y[i];
    t_ok(lop_stats_centre(l->stats, &l->q, &err), err);
    lop_tensor_clear(&xy[0]);
    lop_tensor_clear(&xy[1]);
    return l;
}

/* A_ij = <Z_i, Z_j> and b_i = <Z_i, Y> from the rows' Z_i = X_i W_i^T. */
static void rows_problem(const t_layer *l, double *A, double *b)
{
    const int64_t size = l->rows * l->n;
    double *Z = lop_array(l->c * size, sizeof *Z, NULL);
    for (int64_t i = 0; i < l->c; i++)
        for (int64_t r = 0; r < l->rows; r++)
            for (int64_t f = 0; f < l->n; f++)
                for (int64_t t = 0; t < 9; t++)
                    Z[i * size + r * l->n + f] += l->X[r * l->p + i * 9 + t] * (double)l->w[f * l->p + i * 9 + t];
    for (int64_t i = 0; i < l->c; i++) {
        for (int64_t k = 0; k < size; k++) b[i] += Z[i * size + k] * l->Y[k];
        for (int64_t j = 0; j < l->c; j++)
            for (int64_t k = 0; k < size; k++) A[i * l->c + j] += Z[i * size + k] * Z[j * size + k];
    }
    lop_free(Z);
}

T_TEST(the_lasso_is_that_of_the_rows)
{
    lop_tensor weight, gram, cross, one, two;
    lop_error err;
    t_layer *l = real_layer(&weight);
    t_ok(lop_tensor_init(&gram, LOP_F64, &(lop_shape){2, {l->c, l->c}}, &err), err);
    t_ok(lop_tensor_init(&cross, LOP_F64, &(lop_shape){1, {l->c}}, &err), err);
    rows_problem(l, gram.data, cross.data);
    lop_lasso sums, rows;
    const lop_centred *q = &l->q;
    const lop_tensor *w = &weight;
    t_ok(lop_lasso_init(&q, &w, 1, NULL, &sums, &err), err);
    t_ok(lop_lasso_from(&gram, &cross, l->energy, (double)l->rows, NULL, &rows, &err), err);
    t_ok(lop_tensor_init(&one, LOP_F64, &(lop_shape){1, {l->c}}, &err), err);
    t_ok(lop_tensor_init(&two, LOP_F64, &(lop_shape){1, {l->c}}, &err), err);
    for (double share = 0.9; share > 1e-3; share *= 0.6) {
        int64_t active, others;
        t_ok(lop_lasso_at(&sums, share * lop_lasso_top(&sums), 1e-12, &one, &active, &err), err);
        t_ok(lop_lasso_at(&rows, share * lop_lasso_top(&rows), 1e-12, &two, &others, &err), err);
        double scale = 0;
        for (int64_t i = 0; i < l->c; i++) scale = fmax(scale, fabs(lop_tensor_get(&two, i)));
        assert_int_equal(active, others);
        for (int64_t i = 0; i < l->c; i++)
            if (fabs(lop_tensor_get(&one, i) - lop_tensor_get(&two, i)) > 1e-6 * scale)
                fail_msg("lambda %g of the top, channel #%d", share, (int)i);
    }
    lop_lasso_clear(&sums);
    lop_lasso_clear(&rows);
    lop_tensor *own[] = {&weight, &gram, &cross, &one, &two};
    for (size_t k = 0; k < T_COUNT(own); k++) lop_tensor_clear(own[k]);
    t_layer_free(l);
}

/* Each channel removed is the one whose loss leaves least, by fresh least squares on the rows. */
T_TEST(elimination_is_that_of_the_rows)
{
    lop_tensor weight;
    lop_error err;
    lop_curve curve;
    t_layer *l = real_layer(&weight);
    const lop_centred *q = &l->q;
    const lop_tensor *w = &weight;
    const lop_select_input in = {.centred = &q, .weight = &w, .consumers = 1, .ridge = 0};
    t_ok(lop_select_curve(&in, LOP_SELECT_ELIMINATION, &curve, &err), err);
    int64_t left[16];
    for (int64_t i = 0; i < 16; i++) left[i] = i;
    for (int64_t count = 16; count > 8; count--) {
        double least = INFINITY;
        int64_t worst = -1;
        for (int64_t k = 0; k < count; k++) {
            int64_t trial[16];
            for (int64_t i = 0; i < count - 1; i++) trial[i] = left[i + (i >= k)];
            const double error = t_least(l, trial, count - 1, NULL) / l->energy;
            if (error < least) { least = error; worst = k; }
        }
        assert_int_equal(curve.order[16 - count], left[worst]);
        if (fabs(curve.error[count - 1] - least) > 1e-6 * least + 1e-9)
            fail_msg("width %d: error %.12g, %.12g expected", (int)count - 1, curve.error[count - 1], least);
        for (int64_t i = worst; i < count - 1; i++) left[i] = left[i + 1];
    }
    lop_curve_clear(&curve);
    lop_tensor_clear(&weight);
    t_layer_free(l);
}

T_TEST(rebuilt_weights_are_those_of_the_rows)
{
    static const int64_t kept[] = {0, 1, 3, 4, 8, 9, 13, 15};
    lop_tensor weight;
    lop_error err;
    lop_reconstruction r;
    t_layer *l = real_layer(&weight);
    const int64_t m = 8 * 9;
    double *W = lop_array(m * l->n, sizeof *W, NULL), scale = 0;
    const double error = t_least(l, kept, 8, W) / l->energy;
    const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, 0, NULL};
    t_ok(lop_reconstruct(&l->q, NULL, &weight, kept, 8, &o, &r, &err), err);
    for (int64_t i = 0; i < m * l->n; i++) scale = fmax(scale, fabs(W[i]));
    for (int64_t f = 0; f < l->n; f++)
        for (int64_t i = 0; i < m; i++)
            if (fabs((double)((float *)r.weight.data)[f * m + i] - W[i * l->n + f]) > 1e-6 * scale)
                fail_msg("filter %d, entry %d", (int)f, (int)i);
    assert_true(fabs(r.error - error) < 1e-6 * error);
    lop_reconstruction_clear(&r);
    lop_free(W);
    lop_tensor_clear(&weight);
    t_layer_free(l);
}
T_MAIN(T(the_lasso_is_that_of_the_rows), T(elimination_is_that_of_the_rows), T(rebuilt_weights_are_those_of_the_rows))
