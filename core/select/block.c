/* core/select/block.c - the k x k block arithmetic of the greedy methods, and their checked input. */
#include "select/select_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

void lop_select_factor(int64_t k, const double *H, int64_t ldh, double sign, const double *floor, double *L,
                       bool *skipped)
{
    memset(L, 0, (size_t)(k * k) * sizeof *L);
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double s = sign * H[i * ldh + j];
            for (int64_t t = 0; t < j; t++) s -= L[i * k + t] * L[j * k + t];
            if (j < i) L[i * k + j] = L[j * k + j] > 0.0 ? s / L[j * k + j] : 0.0;
            else L[i * k + i] = s > (floor ? floor[i] : 0.0) ? sqrt(s) : 0.0;   /* NaN: 0 */
        }
        if (!(L[i * k + i] > 0.0)) *skipped = true;
    }
}

double lop_select_whiten(int64_t k, int64_t n, const double *H, int64_t ldh, double sign, const double *floor,
                         const double *W, double *L, double *Y, bool *skipped)
{
    double sum = 0.0;
    lop_select_factor(k, H, ldh, sign, floor, L, skipped);
    for (int64_t i = 0; i < k; i++) {
        double *y = Y + i * n;
        memset(y, 0, (size_t)n * sizeof *y);
        if (!(L[i * k + i] > 0.0)) continue;
        lop_axpy(n, 1.0 / L[i * k + i], W + i * n, y);
        for (int64_t j = 0; j < i; j++) lop_axpy(n, -L[i * k + j] / L[i * k + i], Y + j * n, y);
        sum += lop_dot(n, y, y);
    }
    return sum;
}

void lop_select_unmix(int64_t rows, int64_t k, const double *C, int64_t ldc, const double *L, double *V, int64_t ldv)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < k; i++) {
            double s = C[r * ldc + i];
            for (int64_t j = 0; j < i; j++) s -= L[i * k + j] * V[r * ldv + j];
            V[r * ldv + i] = L[i * k + i] > 0.0 ? s / L[i * k + i] : 0.0;
        }
}

int64_t lop_select_least(int64_t count, const double *value, const bool *gone)
{
    double least = INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (!gone[i]) least = fmin(least, value[i]);
    const double equal = least + 1e-9 * fabs(least);
    int64_t first = -1;
    for (int64_t i = 0; i < count; i++) {
        if (gone[i]) continue;
        if (value[i] <= equal) return i;
        if (first < 0) first = i;       /* all values are NaN: still a choice */
    }
    return first;
}

void lop_consumers_free(lop_consumer *list, int64_t count)
{
    for (int64_t k = 0; list && k < count; k++) {
        lop_free(list[k].W0);
        lop_free(list[k].dead);
    }
    lop_free(list);
}

static lop_status fill(const lop_select_input *in, int64_t k, lop_consumer *to, lop_error *err)
{
    const lop_centred *q = in->centred[k];
    const int64_t p = q->c * q->taps;
    if (q->c != in->centred[0]->c)
        return lop_fail(err, LOP_E_SHAPE, "consumers of %" PRId64 " and of %" PRId64 " channels share none",
                        in->centred[0]->c, q->c);
    if (!q->gram.data)
        return lop_fail(err, LOP_E_ARG, "statistics that keep rows have no Gram matrix for this method: lasso, thinet, "
                        "response, apoz, l1, l2, fpgm, first or random expected");
    to->q = q;
    to->W0 = lop_array(p, (size_t)q->n * sizeof *to->W0, err);
    to->dead = lop_array(p, 1, err);
    if (!to->W0 || !to->dead) return LOP_E_MEMORY;
    lop_centred_dead(q, to->dead);
    for (int64_t f = 0; f < q->n; f++) to->energy += ((const double *)q->energy.data)[f];
    to->share = to->energy > 0.0 ? 1.0 / ((to->energy + q->beside) * (double)in->consumers) : 0.0;
    return lop_weight_rows(in->weight[k], q->c, q->taps, q->n, to->W0, err);
}

lop_status lop_consumers_new(const lop_select_input *in, lop_consumer **out, lop_error *err)
{
    *out = NULL;
    if (!(in->ridge >= 0.0 && isfinite(in->ridge)))
        return lop_fail(err, LOP_E_ARG, "ridge = %g: 0 or more expected", in->ridge);
    for (int64_t i = 0; in->cost && i < in->centred[0]->c; i++)
        if (!(in->cost[i] > 0.0 && isfinite(in->cost[i])))
            return lop_fail(err, LOP_E_ARG, "cost of channel #%" PRId64 " is %g: more than 0 expected", i, in->cost[i]);
    lop_consumer *list = lop_array(in->consumers, sizeof *list, err);
    if (!list) return LOP_E_MEMORY;
    lop_status st = LOP_OK;
    for (int64_t k = 0; st == LOP_OK && k < in->consumers; k++) {
        st = fill(in, k, &list[k], err);
        if (st != LOP_OK && in->consumers > 1) lop_error_at(err, "consumer #%" PRId64, k);
    }
    if (st == LOP_OK) *out = list;
    else lop_consumers_free(list, in->consumers);
    return st;
}
