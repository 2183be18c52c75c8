/* core/tensor/tensor_impl.h - what .npy and .npz share. */
#ifndef LOP_TENSOR_TENSOR_IMPL_H
#define LOP_TENSOR_TENSOR_IMPL_H
#include "tensor/tensor.h"

enum { LOP_NPY_HEADER = 512 };
/* The version 1 preamble and header of t, padded to a multiple of 64 as numpy does; *length is its size. UNSUPPORTED
 * for an element type that numpy lacks. */
lop_status lop_npy_header(const lop_tensor *t, char text[LOP_NPY_HEADER], size_t *length, lop_error *err);
#endif
