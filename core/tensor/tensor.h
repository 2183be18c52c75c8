/* core/tensor/tensor.h - the dense tensor (C order, no strides), sharing of its memory, and the .npy and .npz formats.
 * A tensor is a plain struct: type, shape, data and the counted storage that owns data. An all-zero lop_tensor is
 * empty and may be cleared. Counts are atomic: tensors that share storage may be cleared from different threads;
 * writing to shared data at once is the callers' matter. */
#ifndef LOP_TENSOR_TENSOR_H
#define LOP_TENSOR_TENSOR_H
#include "base/base.h"

typedef enum {          /* the numbers of ONNX TensorProto.DataType */
    LOP_NONE = 0, LOP_F32 = 1, LOP_U8 = 2, LOP_I8 = 3, LOP_U16 = 4, LOP_I16 = 5, LOP_I32 = 6, LOP_I64 = 7,
    LOP_BOOL = 9, LOP_F16 = 10, LOP_F64 = 11, LOP_U32 = 12, LOP_U64 = 13, LOP_BF16 = 16
} lop_dtype;

enum { LOP_MAX_DIMS = 8 };
typedef struct { int ndim; int64_t dim[LOP_MAX_DIMS]; } lop_shape;      /* ndim 0: a scalar, one element */

typedef struct lop_storage lop_storage;
typedef struct {
    lop_dtype type;
    lop_shape shape;
    void *data;             /* NULL: only type and shape are known (see graph.h), or empty */
    lop_storage *storage;   /* NULL: data is borrowed */
} lop_tensor;

size_t lop_dtype_size(lop_dtype type);          /* bytes an element; 0 for NONE and unknown numbers */
const char *lop_dtype_name(lop_dtype type);     /* "float32", "int64", ... ; "none" */
lop_dtype lop_dtype_of(const char *name);       /* the reverse; LOP_NONE for an unknown name */

/* Elements of a shape under overflow check; SHAPE for a negative dimension or more than fit an int64_t of bytes. */
lop_status lop_shape_size(const lop_shape *shape, int64_t *size, lop_error *err);
bool lop_shape_equal(const lop_shape *a, const lop_shape *b);
/* "1x3x32x32", "scalar"; cut to n bytes. Returns text. */
char *lop_shape_text(const lop_shape *shape, char *text, size_t n);

int64_t lop_tensor_size(const lop_tensor *t);   /* elements; 0 for an empty tensor (type NONE) */
size_t lop_tensor_bytes(const lop_tensor *t);
/* A new tensor of zeros, 64-byte aligned. *t is overwritten, not cleared: pass an empty one. */
lop_status lop_tensor_init(lop_tensor *t, lop_dtype type, const lop_shape *shape, lop_error *err);
void lop_tensor_clear(lop_tensor *t);           /* t becomes empty */
void lop_tensor_share(lop_tensor *to, const lop_tensor *from);          /* same memory, one more owner */
lop_status lop_tensor_copy(lop_tensor *to, const lop_tensor *from, lop_error *err);     /* own memory */
/* Other dimensions over the same memory; SHAPE unless the sizes agree. One -1 is inferred. */
lop_status lop_tensor_reshape(lop_tensor *to, const lop_tensor *from, const lop_shape *shape, lop_error *err);
/* Elements [first, first + count) of dimension dim: a view sharing memory for dim 0, else a copy. */
lop_status lop_tensor_narrow(lop_tensor *to, const lop_tensor *from, int dim, int64_t first, int64_t count,
                             lop_error *err);
/* The slices list[0..count) of dimension dim, numbered from 0, repeats allowed: a copy. */
lop_status lop_tensor_index(lop_tensor *to, const lop_tensor *from, int dim, const int64_t *list, int64_t count,
                            lop_error *err);
/* Element-wise conversion (C rules; float to bool is != 0; F16 and BF16 to nearest even). */
lop_status lop_tensor_cast(lop_tensor *to, const lop_tensor *from, lop_dtype type, lop_error *err);
double lop_tensor_get(const lop_tensor *t, int64_t index);              /* any type, flat index, as double */
void lop_tensor_set(lop_tensor *t, int64_t index, double value);
bool lop_tensor_finite(const lop_tensor *t, int64_t *where);            /* false: *where is the first NaN or infinity */
/* SHAPE or ARG unless t is float64 (float32) of this shape, and NUMERIC unless finite: "gram: entry #3 is nan". */
lop_status lop_expect_f64(const lop_tensor *t, const char *name, lop_shape shape, lop_error *err);
lop_status lop_expect_f32(const lop_tensor *t, const char *name, lop_shape shape, lop_error *err);

/* ---- .npy, format versions 1 to 3 (tensor/npy.c), .npz (tensor/npz.c): numpy.lib.format ---- */

/* Reads b1, i1..i8, u1..u8, f2, f4, f8 of either byte order, C order (Fortran order: FORMAT with the way out). */
lop_status lop_npy_parse(const uint8_t *bytes, size_t size, lop_tensor *out, lop_error *err);
lop_status lop_npy_load(const char *path, lop_tensor *out, lop_error *err);     /* messages begin with path */
lop_status lop_npy_save(const char *path, const lop_tensor *t, lop_error *err); /* version 1, little endian, atomic */

typedef struct { char *name; lop_tensor tensor; } lop_npz_entry;        /* name without ".npy" */
typedef struct { lop_npz_entry *entry; int64_t count; } lop_npz;
lop_status lop_npz_load(const char *path, lop_npz *out, lop_error *err);        /* stored or deflated, CRC checked */
lop_status lop_npz_save(const char *path, const lop_npz *z, bool deflate, lop_error *err);
const lop_tensor *lop_npz_find(const lop_npz *z, const char *name);     /* NULL when absent */
void lop_npz_clear(lop_npz *z);

/* ---- tensors that wait on disk (tensor/scratch.c) ---- */

/* A file of so many bytes in a folder, without a name: it is gone with the process, however that ends. The room is
 * checked, and taken where the file system can. IO: less is free, or the folder lets no file be made; the message
 * begins with the folder. */
typedef struct lop_scratch lop_scratch;
lop_status lop_scratch_open(const char *folder, int64_t bytes, lop_scratch **out, lop_error *err);
void lop_scratch_free(lop_scratch *s);          /* NULL is fine */
/* A tensor's bytes at a place of the file, and back as a new tensor. ARG past the file's end; IO as the system says, or
 * where nothing was written yet. */
lop_status lop_scratch_write(lop_scratch *s, int64_t at, const lop_tensor *t, lop_error *err);
lop_status lop_scratch_read(lop_scratch *s, int64_t at, lop_dtype type, const lop_shape *shape, lop_tensor *out,
                            lop_error *err);
#endif
