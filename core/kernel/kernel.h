/* core/kernel/kernel.h - the arithmetic of one image: convolution, pooling, element-wise work. Raw pointers, NCHW
 * float32; the callers (core/ops, core/exec) have checked shapes. One file per instruction set, picked at run time.
 * Same bytes whatever the tile, team or neighbour: each output element is one fused multiply-add chain over (channel,
 * row tap, column tap) in that order, started from 0, the bias added last, on every path of the same instruction
 * set. */
#ifndef LOP_KERNEL_KERNEL_H
#define LOP_KERNEL_KERNEL_H
#include "base/base.h"

typedef enum { LOP_CPU_PORTABLE = 0, LOP_CPU_AVX2, LOP_CPU_AVX512, LOP_CPU_NEON } lop_cpu;
/* The best path of this machine, or that of the environment variable LOP_CPU if the machine has it. A name that is
 * unknown or not runnable here: ARG, listing those that are. Detected anew by each call; callers keep the result. */
lop_status lop_cpu_best(lop_cpu *out, lop_error *err);
const char *lop_cpu_name(lop_cpu cpu);                  /* "portable", "avx2", "avx512", "neon" */
bool lop_cpu_runs(lop_cpu cpu);                         /* built in and runnable here */

/* ---- convolution of one image (kernel/conv.c; microkernels conv_<isa>.c) ---- */

typedef struct {                /* ONNX Conv, 2-D; pad is top, left, bottom, right; all sizes in pixels and channels */
    int64_t c, h, w;            /* input */
    int64_t n, oh, ow;          /* output */
    int64_t kh, kw, stride[2], pad[4], dilation[2], group;
} lop_conv;

typedef enum { LOP_ACT_NONE = 0, LOP_ACT_RELU, LOP_ACT_CLIP } lop_act;
typedef struct {                /* what follows the sum: y = act(sum + bias [+ add]) */
    const float *bias;          /* n, or NULL */
    const float *add;           /* n x oh x ow, or NULL: a residual */
    lop_act act;
    float low, high;            /* CLIP: min(max(y, low), high) */
} lop_epilogue;

typedef struct lop_conv_plan lop_conv_plan;   /* weights packed for one lop_conv on one cpu path; read only once made */
/* w (n, c / group, kh, kw) is copied into the packing. Grouped and depthwise convolutions included. */
lop_status lop_conv_plan_new(const lop_conv *conv, const float *w, lop_cpu cpu, lop_conv_plan **out, lop_error *err);
/* From now on input channel i is channel[i] of x, copied: a Gather before the convolution, at no cost. x holds as many
 * channels as there are. ARG: several groups. On error the plan is as it was. */
lop_status lop_conv_plan_gather(lop_conv_plan *p, const int64_t *channel, lop_error *err);
void lop_conv_plan_free(lop_conv_plan *p);
size_t lop_conv_plan_bytes(const lop_conv_plan *p);     /* of the packing */
size_t lop_conv_scratch(const lop_conv_plan *p);        /* bytes of scratch that one call needs */
/* y = conv(x); scratch 64-byte aligned, not shared with a call under way. team may be NULL; it shares the work of
 * this one image. y overlaps neither x nor scratch; e->add may be y itself. */
void lop_conv_run(const lop_conv_plan *p, const float *x, const lop_epilogue *e, void *scratch, lop_team *team,
                  float *y);

/* ---- pooling of one channel plane (kernel/pool.c) ---- */

typedef struct { int64_t h, w, oh, ow, kh, kw, stride[2], pad[4], dilation[2]; bool count_pad; } lop_pool;
/* planes (channels) at x, planes at y. Padding never wins a maximum; the mean divides by what is inside, or by all
 * taps within the padded input with count_pad (ONNX AveragePool, ceil_mode overhang never counted). */
void lop_pool_max(const lop_pool *p, int64_t planes, const float *x, float *y, lop_cpu cpu);
void lop_pool_mean(const lop_pool *p, int64_t planes, const float *x, float *y, lop_cpu cpu);
/* Mean over each plane of `size` pixels, float32 result of a fixed-order float64 sum. */
void lop_pool_global_mean(int64_t planes, int64_t size, const float *x, float *y);

/* ---- element-wise (kernel/map.c) ---- */

void lop_map_act(lop_act act, float low, float high, int64_t size, const float *x, float *y);
void lop_map_add(int64_t size, const float *a, const float *b, lop_act act, float low, float high, float *y);
/* y[ch][i] = x[ch][i] * scale[ch] + shift[ch]: an unfolded batch normalisation. */
void lop_map_affine(int64_t channels, int64_t size, const float *scale, const float *shift, const float *x, float *y);

/* ---- rows times a matrix (kernel/gemv.c): y (n) = w (n, k) x (k) + bias; each row its own call, so that a batch
 * changes no byte. team may be NULL. */
void lop_gemv(int64_t n, int64_t k, const float *w, const float *x, const float *bias, lop_cpu cpu, lop_team *team,
              float *y);
#endif
