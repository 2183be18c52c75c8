/* core/ops/image/nms.c - NonMaxSuppression (opsets 10, 11): of boxes that overlap, the one of the best score stays. How
 * many stay hangs on the values, so boxes and scores must be constant. */
#include "ops/ops_impl.h"
#include <stdlib.h>

typedef struct {
    int64_t images, boxes, classes, most;
    float overlap, least;
    bool has_least, centre;
    const float *box, *score;
} suppression;

typedef struct { float score; int64_t box; } candidate;

/* 0 when left out. */
static lop_status number(const lop_op_call *call, int i, const char *what, double *out, lop_error *err)
{
    *out = 0;
    if (!ops_has(call, i) || lop_tensor_size(call->in[i]) == 0) return LOP_OK;
    if (lop_tensor_size(call->in[i]) != 1)
        return lop_fail(err, LOP_E_SHAPE, "%s has %" PRId64 " entries, 1 expected", what, lop_tensor_size(call->in[i]));
    *out = lop_tensor_get(call->in[i], 0);
    return LOP_OK;
}

static lop_status nms_read(const lop_op_call *call, suppression *s, lop_error *err)
{
    double most, overlap, least;
    lop_status st = ops_need(call, 2, 5, err);
    for (int i = 0; st == LOP_OK && i < 2; i++) st = ops_need_f32(call, i, err);
    if (st != LOP_OK) return st;
    const lop_shape *box = &call->in[0]->shape, *score = &call->in[1]->shape;
    if (box->ndim != 3 || score->ndim != 3 || box->dim[2] != 4 || score->dim[0] != box->dim[0] ||
        score->dim[2] != box->dim[1])
        return lop_fail(err, LOP_E_SHAPE, "boxes (N, n, 4) and scores (N, classes, n) expected");
    for (int i = 0; i < call->nin; i++)
        if (call->in[i] && !call->in[i]->data)
            return lop_fail(err, LOP_E_UNSUPPORTED, "input #%d is computed from activations, a constant expected: the "
                            "output's shape would hang on it", i);
    st = number(call, 2, "max_output_boxes_per_class", &most, err);
    if (st == LOP_OK) st = number(call, 3, "iou_threshold", &overlap, err);
    if (st == LOP_OK) st = number(call, 4, "score_threshold", &least, err);
    if (st != LOP_OK) return st;
    *s = (suppression){.images = box->dim[0], .boxes = box->dim[1], .classes = score->dim[1],
                       .most = most >= (double)box->dim[1] ? box->dim[1] : most > 0 ? (int64_t)most : 0,
                       .overlap = (float)overlap, .least = (float)least, .has_least = ops_has(call, 4),
                       .centre = lop_node_int(call->node, "center_point_box", 0) != 0, .box = call->in[0]->data,
                       .score = call->in[1]->data};
    return LOP_OK;
}

/* Lower and upper end along both dimensions. */
static void corners(const suppression *s, const float *b, float low[2], float high[2])
{
    for (int d = 0; d < 2; d++) {
        const float p = s->centre ? b[d] - b[d + 2] / 2 : b[d], q = s->centre ? b[d] + b[d + 2] / 2 : b[d + 2];
        low[d] = p < q ? p : q;
        high[d] = p < q ? q : p;
    }
}

static bool overlaps(const suppression *s, const float *a, const float *b)
{
    float low[2][2], high[2][2], common = 1, area[2] = {1, 1};
    corners(s, a, low[0], high[0]);
    corners(s, b, low[1], high[1]);
    for (int d = 0; d < 2; d++) {
        const float from = low[0][d] > low[1][d] ? low[0][d] : low[1][d];
        const float to = high[0][d] < high[1][d] ? high[0][d] : high[1][d];
        if (!(to > from)) return false;
        common *= to - from;
        area[0] *= high[0][d] - low[0][d];
        area[1] *= high[1][d] - low[1][d];
    }
    return common / (area[0] + area[1] - common) > s->overlap;
}

static int by_score(const void *a, const void *b)
{
    const candidate *p = a, *q = b;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return (p->box > q->box) - (p->box < q->box);
}

/* The boxes of one class of one image that stay, the best first; returns how many. */
static int64_t choose(const suppression *s, const float *box, const float *score, candidate *list, int64_t *kept)
{
    int64_t count = 0, n = 0;
    for (int64_t i = 0; i < s->boxes; i++)
        if (s->has_least ? score[i] > s->least : score[i] == score[i]) list[count++] = (candidate){score[i], i};
    qsort(list, (size_t)count, sizeof *list, by_score);
    for (int64_t i = 0; i < count && n < s->most; i++) {
        bool stays = true;
        for (int64_t k = 0; stays && k < n; k++) stays = !overlaps(s, box + list[i].box * 4, box + kept[k] * 4);
        if (stays) kept[n++] = list[i].box;
    }
    return n;
}

/* Rows (image, class, box) to y, unless it is NULL; *rows: how many. */
static lop_status suppress(const suppression *s, int64_t *y, int64_t *rows, lop_error *err)
{
    candidate *list = lop_array(s->boxes, sizeof *list, err);
    int64_t *kept = lop_array(s->boxes, sizeof *kept, err);
    lop_status st = list && kept ? LOP_OK : LOP_E_MEMORY;
    *rows = 0;
    for (int64_t i = 0; st == LOP_OK && i < s->images * s->classes; i++) {
        const float *box = s->box + i / s->classes * s->boxes * 4;
        const int64_t n = choose(s, box, s->score + i * s->boxes, list, kept);
        for (int64_t k = 0; y && k < n; k++, y += 3) {
            y[0] = i / s->classes;
            y[1] = i % s->classes;
            y[2] = kept[k];
        }
        *rows += n;
    }
    lop_free(list);
    lop_free(kept);
    return st;
}

lop_status ops_nms_shape(const lop_op_call *call, lop_error *err)
{
    suppression s;
    lop_shape y = {2, {0, 3}};
    lop_status st = nms_read(call, &s, err);
    if (st == LOP_OK) st = suppress(&s, NULL, &y.dim[0], err);
    return st == LOP_OK ? ops_set(call, 0, LOP_I64, &y, err) : st;
}

lop_status ops_nms_forward(const lop_op_call *call, lop_error *err)
{
    suppression s;
    int64_t rows;
    lop_status st = nms_read(call, &s, err);
    return st == LOP_OK ? suppress(&s, call->out[0].data, &rows, err) : st;
}
