/* core/sample/normal.c - the normal equations of a kept set, with a ridge toward the original weights. */
#include "sample/sample_impl.h"
#include <math.h>

lop_status lop_weight_rows(const lop_tensor *weight, int64_t c, int64_t taps, int64_t n, double *out, lop_error *err)
{
    return lop_weight_part(weight, c, taps, n, 0, n, out, err);
}

lop_status lop_weight_part(const lop_tensor *weight, int64_t c, int64_t taps, int64_t n, int64_t first, int64_t count,
                           double *out, lop_error *err)
{
    char text[128];
    int64_t where;
    if ((weight->type != LOP_F32 && weight->type != LOP_F64) || !weight->data || weight->shape.ndim < 1 ||
        weight->shape.dim[0] != n || lop_tensor_size(weight) != n * c * taps)
        return lop_fail(err, LOP_E_SHAPE, "weight is %s %s: float32 or float64 with %" PRId64 " filters of %" PRId64
                        " channels, %" PRId64 " taps expected", lop_dtype_name(weight->type),
                        lop_shape_text(&weight->shape, text, sizeof text), n, c, taps);
    if (!lop_tensor_finite(weight, &where))
        return lop_fail(err, LOP_E_NUMERIC, "weight: entry #%" PRId64 " is not finite", where);
    const int64_t p = c * taps;
    for (int64_t f = 0; f < count; f++)
        for (int64_t i = 0, at = (first + f) * p; i < p; i++, at++)
            out[i * count + f] = weight->type == LOP_F32 ? (double)((const float *)weight->data)[at]
                                                         : ((const double *)weight->data)[at];
    return LOP_OK;
}

void lop_centred_dead(const lop_centred *q, uint8_t *dead)
{
    const int64_t p = q->c * q->taps;
    const double *own_of = q->diagonal.data, *mean = q->mean_x.data;
    double most = 0.0;
    for (int64_t i = 0; i < p; i++) most = fmax(most, own_of[i]);
    for (int64_t i = 0; i < p; i++) {
        const double own = own_of[i], whole = own + q->rows * (mean[i] * mean[i]);
        dead[i] = own <= 1e-12 * most || own <= 1e-10 * whole;
    }
}

double lop_centred_power(const lop_centred *q, int64_t channel)
{
    const double *own = q->diagonal.data;
    double sum = 0.0;
    for (int64_t i = channel * q->taps; i < (channel + 1) * q->taps; i++) sum += own[i];
    return sum / (double)q->taps;
}

/* One row of M and R: tap `tap` of the consumer, row `row` of the equations. */
static void fill_row(const lop_centred *q, const double *W0, const uint8_t *dead, const int64_t *channel, int64_t count,
                     int64_t tap, int64_t row, double pull, double *M, double *R)
{
    const int64_t taps = q->taps, n = q->n, width = count * taps;
    const double *G = (const double *)q->gram.data + tap * q->c * taps, *B = (const double *)q->cross.data + tap * n;
    double *at = M ? M + row * width : NULL;
    for (int64_t j = 0; M && j < count; j++)
        for (int64_t other = channel[j] * taps, end = other + taps; other < end; other++)
            *at++ = dead[tap] || dead[other] ? 0.0 : G[other];
    if (M) M[row * width + row] = dead[tap] ? 1.0 : G[tap] + pull;
    for (int64_t f = 0; R && f < n; f++) R[row * n + f] = dead[tap] ? 0.0 : B[f] + pull * W0[tap * n + f];
}

void lop_normal_fill(const lop_centred *q, const double *W0, const uint8_t *dead, const int64_t *channel, int64_t count,
                     double ridge, double *M, double *R)
{
    for (int64_t k = 0; k < count; k++) {
        const double pull = ridge * lop_centred_power(q, channel[k]);
        for (int64_t t = 0; t < q->taps; t++)
            fill_row(q, W0, dead, channel, count, channel[k] * q->taps + t, k * q->taps + t, pull, M, R);
    }
}
