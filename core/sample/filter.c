/* core/sample/filter.c - one filter of a layer, as a layer of one filter on the same Gram matrix. */
#include "sample/sample.h"

void lop_centred_filter(const lop_centred *q, int64_t filter, double *cross, lop_centred *out)
{
    const int64_t p = q->c * q->taps;
    const double *B = q->cross.data;
    for (int64_t i = 0; i < p; i++) cross[i] = B[i * q->n + filter];
    *out = *q;
    out->n = 1;
    out->beside = 0.0;
    out->kept = NULL;
    out->cross = (lop_tensor){LOP_F64, {2, {p, 1}}, cross, NULL};
    out->energy = (lop_tensor){LOP_F64, {1, {1}}, (double *)q->energy.data + filter, NULL};
    out->mean_y = (lop_tensor){LOP_F64, {1, {1}}, (double *)q->mean_y.data + filter, NULL};
}

lop_tensor lop_weight_filter(const lop_tensor *weight, int64_t filter)
{
    lop_tensor one = *weight;
    const size_t bytes = lop_tensor_bytes(weight) / (size_t)weight->shape.dim[0];
    one.shape.dim[0] = 1;
    one.data = (char *)weight->data + (size_t)filter * bytes;
    one.storage = NULL;
    return one;
}
