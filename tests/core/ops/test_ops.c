/* tests/core/ops/test_ops.c - the table, the helpers that core/exec calls, refusals, images kept apart; convolution
 * against a direct sum in float64; large inputs with and without a team. What each operator computes: test_golden.c. */
#include "case.h"
#include <float.h>

T_TEST(table_is_sorted_and_complete)
{
    const lop_op_table *t = lop_ops();
    for (int i = 0; i < t->count; i++) {
        assert_true(i == 0 || strcmp(t->op[i - 1].name, t->op[i].name) < 0);
        assert_true(t->op[i].shape && t->op[i].forward && t->op[i].per_image);
        assert_ptr_equal(lop_op_find(t, "", t->op[i].name), &t->op[i]);
    }
    assert_null(lop_op_find(t, "", "LSTM"));
    assert_null(lop_op_find(t, "com.microsoft", "Conv"));
}

/* Hides input i's data: a value that is not constant. */
static void hide(op_run *r, int i) { r->in[i].data = NULL; }

/* ---- refusals ---- */

typedef struct { op_case c; const char *hidden; lop_status code; const char *says; } refusal;

T_TEST(what_does_not_fit_is_refused)
{
    static const refusal cases[] = {
        {{"Conv", 11, "", "f 1x3x4x4 ~1|f 2x4x3x3 ~2", ""}, "", LOP_E_SHAPE, "input has 3 channels, weight takes 4"},
        {{"Conv", 11, "", "f 1x3x4x4 ~1|f 2x3x3 ~2", ""}, "", LOP_E_SHAPE, "weight has 3 dimensions, 4 expected"},
        {{"Conv", 11, "", "f 1x1x4x4x4x4 ~1|f 2x1x3x3x3x3 ~2", ""}, "", LOP_E_UNSUPPORTED, "4 spatial dimensions"},
        {{"Conv", 11, "kernel_shape=I:3,2,3", "f 1x1x4x4x4 ~1|f 2x1x3x3x3 ~2", ""}, "", LOP_E_SHAPE, "kernel_shape"},
        {{"MaxPool", 12, "kernel_shape=I:2", "l 1x1x4 1 2 3 4", ""}, "", LOP_E_UNSUPPORTED, "of int64 is not built"},
        {{"AveragePool", 12, "kernel_shape=I:2", "B 1x1x4 1 2 3 4", ""}, "", LOP_E_UNSUPPORTED, "of uint8"},
        {{"LpPool", 12, "kernel_shape=I:2 p=i:0", "f 1x1x4 1 2 3 4", ""}, "", LOP_E_FORMAT, "p is 0"},
        {{"ConvTranspose", 11, "output_shape=I:1,2,3", "f 1x1x4x4 ~1|f 1x1x3x3 ~2", ""}, "", LOP_E_FORMAT,
         "output_shape has 3 entries, 2 expected"},
        {{"Conv", 11, "group=i:2", "f 1x4x4x4 ~1|f 3x2x3x3 ~2", ""}, "", LOP_E_SHAPE, "3 filters in 2 groups"},
        {{"Conv", 11, "group=i:0", "f 1x4x4x4 ~1|f 3x2x3x3 ~2", ""}, "", LOP_E_SHAPE, "in 0 groups"},
        {{"Conv", 11, "", "f 1x1x2x2 ~1|f 1x1x3x3 ~2", ""}, "", LOP_E_SHAPE, "a kernel that spans 3 pixels"},
        {{"Conv", 11, "strides=I:0,1", "f 1x1x4x4 ~1|f 1x1x3x3 ~2", ""}, "", LOP_E_FORMAT, "strides[0] is 0"},
        {{"Conv", 11, "pads=I:1,1", "f 1x1x4x4 ~1|f 1x1x3x3 ~2", ""}, "", LOP_E_FORMAT,
         "pads has 2 entries, 4 expected"},
        {{"Conv", 11, "pads=I:-1,0,0,0", "f 1x1x4x4 ~1|f 1x1x3x3 ~2", ""}, "", LOP_E_FORMAT, "pads[0] is -1"},
        {{"Conv", 11, "auto_pad=s:SAME", "f 1x1x4x4 ~1|f 1x1x3x3 ~2", ""}, "", LOP_E_FORMAT, "auto_pad is 'SAME'"},
        {{"Conv", 11, "kernel_shape=I:2,2", "f 1x1x4x4 ~1|f 1x1x3x3 ~2", ""}, "", LOP_E_SHAPE, "kernel_shape"},
        {{"Conv", 11, "", "f 1x1x4x4 ~1|f 2x1x3x3 ~2|f 3 1 2 3", ""}, "", LOP_E_SHAPE, "a list of 2 expected"},
        {{"Conv", 11, "", "d 1x1x4x4 ~1|d 2x1x3x3 ~2", ""}, "", LOP_E_UNSUPPORTED, "input #0 is float64"},
        {{"Conv", 11, "", "f 1x1x4x4 ~1", ""}, "", LOP_E_FORMAT, "input #1 is missing"},
        {{"MaxPool", 12, "", "f 1x1x4x4 ~1", ""}, "", LOP_E_FORMAT, "kernel_shape is missing"},
        {{"MaxPool", 12, "kernel_shape=I:2,2 pads=I:2,0,0,0", "f 1x1x4x4 ~1", ""}, "", LOP_E_FORMAT,
         "would hold no pixel"},
        {{"BatchNormalization", 9, "", "f 1x2x1x1 ~1|f 2 1 1|f 2 0 0|f 2 0 0|f 1 1", ""}, "", LOP_E_SHAPE,
         "var has 1 entries"},
        {{"BatchNormalization", 14, "training_mode=i:1", "f 1x1x1x1 ~1|f 1 1|f 1 0|f 1 0|f 1 1", ""}, "",
         LOP_E_UNSUPPORTED,
         "training_mode"},
        {{"Dropout", 13, "", "f 2 1 2|f scalar 0.5|b scalar 1", ""}, "", LOP_E_UNSUPPORTED, "training_mode"},
        {{"Gemm", 13, "", "f 2x3 ~1|f 4x2 ~2", ""}, "", LOP_E_SHAPE, "A has rows of 3, B columns of 4"},
        {{"Gemm", 13, "", "f 2x3 ~1|f 3x2 ~2|f 3 ~3", ""}, "", LOP_E_SHAPE, "2x2 and 3 do not broadcast"},
        {{"Gemm", 13, "", "f 1x3 ~1|f 3x2 ~2|f 2x2 ~3", ""}, "", LOP_E_SHAPE, "C does not broadcast to 1x2"},
        {{"MatMul", 13, "", "f 2x3 ~1|f 2x3 ~2", ""}, "", LOP_E_SHAPE, "A has rows of 3, B columns of 2"},
        {{"Add", 14, "", "f 2x3 ~1|f 2 ~2", ""}, "", LOP_E_SHAPE, "2x3 and 2 do not broadcast"},
        {{"Add", 14, "", "f 2 ~1|l 2 1 2", ""}, "", LOP_E_SHAPE, "float32 and int64: one type expected"},
        {{"Add", 14, "", "b 2 0 1|b 2 0 1", ""}, "", LOP_E_UNSUPPORTED, "of bool is not built"},
        {{"And", 14, "", "h 2 0 1|h 2 0 1", ""}, "", LOP_E_UNSUPPORTED, "of float32 is not built"},
        {{"Sigmoid", 13, "", "l 2 1 2", ""}, "", LOP_E_UNSUPPORTED, "of int64 is not built"},
        {{"Clip", 13, "", "f 2 1 2|f 2 0 1", ""}, "", LOP_E_SHAPE, "min holds 2"},
        {{"PRelu", 13, "", "f 2 1 2|f 3x2 ~1", ""}, "", LOP_E_SHAPE, "slope does not broadcast"},
        {{"Softmax", 13, "axis=i:2", "f 2x2 ~1", ""}, "", LOP_E_SHAPE, "axis 2 of 2 dimensions"},
        {{"Reshape", 13, "", "f 2x3 ~1|l 2 4 -1", ""}, "", LOP_E_SHAPE, "2x3 does not reshape to 4x-1"},
        {{"Reshape", 13, "", "f 2x3 ~1|l 2 -1 -1", ""}, "", LOP_E_SHAPE, "two entries of -1"},
        {{"Reshape", 13, "", "f 2x3 ~1|l 3 2 3 0", ""}, "", LOP_E_SHAPE, "shape[2] is 0, the input has 2 dimensions"},
        {{"Reshape", 13, "", "f 2x3 ~1|l 2 -2 -3", ""}, "", LOP_E_SHAPE, "-2"},
        {{"Reshape", 13, "", "f 2x3 ~1|l 2 3 2", ""}, "1", LOP_E_UNSUPPORTED, "shape is computed from activations"},
        {{"Squeeze", 13, "", "f 2x1 ~1|l 1 0", ""}, "", LOP_E_SHAPE, "dimension 0 is 2, only 1 can be squeezed"},
        {{"Unsqueeze", 13, "", "f 2 ~1|l 2 0 0", ""}, "", LOP_E_FORMAT, "axis 0 is given twice"},
        {{"Unsqueeze", 13, "", "f 2 ~1", ""}, "", LOP_E_FORMAT, "axes is missing"},
        {{"Flatten", 13, "axis=i:3", "f 2x2 ~1", ""}, "", LOP_E_SHAPE, "axis 3 of 2 dimensions"},
        {{"Transpose", 13, "perm=I:0,0", "f 2x2 ~1", ""}, "", LOP_E_FORMAT, "perm is no permutation"},
        {{"Transpose", 13, "perm=I:0", "f 2x2 ~1", ""}, "", LOP_E_SHAPE, "perm has 1 entries, the input 2 dimensions"},
        {{"Concat", 13, "axis=i:1", "f 2x2 ~1|f 3x2 ~1", ""}, "", LOP_E_SHAPE,
         "input #1 is float32 3x2, the first one float32 2x2"},
        {{"Split", 13, "", "f 4 ~1|l 2 1 2", ""}, "", LOP_E_SHAPE, "2 parts of 3 entries in all, 1 of 4 expected"},
        {{"Slice", 13, "", "f 4 ~1|l 1 0|l 1 4|l 1 0|l 1 0", ""}, "", LOP_E_FORMAT, "a step of 0"},
        {{"Slice", 13, "", "f 4 ~1|l 1 0|l 2 4 4", ""}, "", LOP_E_FORMAT, "have 1, 2, -1, -1 entries"},
        {{"Slice", 13, "", "f 4 ~1|l 1 0|l 1 4", ""}, "2", LOP_E_UNSUPPORTED, "ends is computed"},
        {{"Pad", 13, "", "f 2x2 ~1|l 2 1 1", ""}, "", LOP_E_FORMAT, "pads has 2 entries, 4 expected"},
        {{"Pad", 13, "", "f 2 ~1|l 2 -2 -1", ""}, "", LOP_E_SHAPE, "dimension 0: -2 + 2 + -1"},
        {{"Pad", 13, "mode=s:mirror", "f 2 ~1|l 2 1 1", ""}, "", LOP_E_FORMAT, "mode is 'mirror'"},
        {{"Expand", 13, "", "f 2 ~1|l 1 3", ""}, "", LOP_E_SHAPE, "2 and 3 do not broadcast"},
        {{"Tile", 13, "", "f 2 ~1|l 1 -3", ""}, "", LOP_E_SHAPE, "repeats[0] is -3"},
        {{"Gather", 13, "axis=i:-3", "f 2x2 ~1|l 1 0", ""}, "", LOP_E_SHAPE, "axis -3 of 2 dimensions"},
        {{"ConstantOfShape", 9, "", "l 3 4294967296 4294967296 4294967296", ""}, "", LOP_E_SHAPE, "past any memory"},
        {{"ConstantOfShape", 9, "", "l 1 -1", ""}, "", LOP_E_SHAPE, "dimension 0 is -1"},
        {{"Cast", 13, "to=i:8", "f 2 ~1", ""}, "", LOP_E_UNSUPPORTED, "to element type 8 is not built"},
        {{"Range", 11, "", "l scalar 0|l scalar 5|l scalar 0", ""}, "", LOP_E_SHAPE, "from 0 to 5 by 0"},
        {{"Where", 16, "", "l 2 0 1|f 2 ~1|f 2 ~1", ""}, "", LOP_E_SHAPE, "int64 ? float32 : float32"},
        {{"Resize", 13, "", "f 1x1x2x2 ~1", ""}, "", LOP_E_FORMAT, "neither scales nor sizes"},
        {{"Resize", 13, "", "f 1x1x2x2 ~1|-|f 4 1 1 0 1", ""}, "", LOP_E_SHAPE, "scale 0 of dimension 2"},
        {{"Resize", 13, "mode=s:area", "f 1x1x2x2 ~1|-|f 4 1 1 2 1", ""}, "", LOP_E_UNSUPPORTED,
         "mode 'area' is not built"},
        {{"TopK", 11, "", "f 3 ~1|l 1 4", ""}, "", LOP_E_SHAPE, "4 of 3 entries"},
        {{"MatMul", 13, "", "b 2x2 0 1 1 0|b 2x2 0 1 1 0", ""}, "", LOP_E_UNSUPPORTED, "of bool is not built"},
        {{"MatMul", 13, "", "f 2x2 ~1|d 2x2 ~1", ""}, "", LOP_E_SHAPE, "float32 and float64: one type expected"},
        {{"ReduceSum", 13, "", "B 2 1 2", ""}, "", LOP_E_UNSUPPORTED, "of uint8 is not built"},
        {{"Pad", 18, "mode=s:edge", "f 2 ~1|l 2 -2 1", ""}, "", LOP_E_SHAPE, "dimension 0 is empty"},
        {{"QuantizeLinear", 21, "block_size=i:2", "f 2x3 ~1|f 2x3 ~1", ""}, "", LOP_E_SHAPE, "blocks of 2"},
        {{"QuantizeLinear", 21, "block_size=i:2", "f 2x3 ~1|f 2 ~1", ""}, "", LOP_E_SHAPE, "blocks of 2"},
        {{"QuantizeLinear", 21, "block_size=i:-1", "f 2x3 ~1|f 2x2 ~1", ""}, "", LOP_E_FORMAT, "block_size is -1"},
        {{"QuantizeLinear", 21, "output_dtype=i:17", "f 2 ~1|f 1 1", ""}, "", LOP_E_UNSUPPORTED, "to element type 17"},
        {{"DequantizeLinear", 13, "", "B 2x3 1 2 3 4 5 6|f 2 1 1", ""}, "", LOP_E_SHAPE, "2 scales in 1 dimensions"},
        {{"Einsum", 12, "", "f 2 ~1", ""}, "", LOP_E_FORMAT, "equation is missing"},
        {{"Einsum", 12, "equation=s:ij->i", "f 2 ~1", ""}, "", LOP_E_SHAPE, "a term of 2 letters for an input of 1"},
        {{"Einsum", 12, "equation=s:i,j->ij", "f 2 ~1", ""}, "", LOP_E_FORMAT, "'->' expected"},
        {{"Einsum", 12, "equation=s:i->ij", "f 2 ~1", ""}, "", LOP_E_FORMAT, "is in no input"},
        {{"Einsum", 12, "equation=s:i->ii", "f 2 ~1", ""}, "", LOP_E_FORMAT, "is twice in the result"},
        {{"Einsum", 12, "equation=s:i->i->i", "f 2 ~1", ""}, "", LOP_E_FORMAT, "behind the result"},
        {{"Einsum", 12, "equation=s:i?->i", "f 2 ~1", ""}, "", LOP_E_FORMAT, "'?->i' is no letter"},
        {{"Einsum", 12, "equation=s:i,i->i", "f 2 ~1|f 3 ~1", ""}, "", LOP_E_SHAPE, "for 2 and for 3 entries"},
        {{"Einsum", 12, "equation=s:ij,jk", "f 2x2 ~1", ""}, "", LOP_E_FORMAT, "'->' expected"},
        {{"Einsum", 12, "equation=s:ij", "f 2x2 ~1|f 2x2 ~1", ""}, "", LOP_E_FORMAT, "terms for 1 of 2 inputs"},
        {{"GridSample", 16, "", "f 1x1x2x2 ~1|f 1x2x2x3 ~1", ""}, "", LOP_E_SHAPE, "the last of 2, expected"},
        {{"GridSample", 16, "mode=s:area", "f 1x1x2x2 ~1|f 1x2x2x2 ~1", ""}, "", LOP_E_FORMAT, "mode is 'area'"},
        {{"GridSample", 20, "mode=s:cubic", "f 1x1x2x2x2 ~1|f 1x2x2x2x3 ~1", ""}, "", LOP_E_UNSUPPORTED, "cubic in 3"},
        {{"RoiAlign", 16, "", "f 1x1x2x2 ~1|f 2x4 ~1|l 1 0", ""}, "", LOP_E_SHAPE, "regions (n, 4)"},
        {{"RoiAlign", 16, "mode=s:sum", "f 1x1x2x2 ~1|f 1x4 ~1|l 1 0", ""}, "", LOP_E_FORMAT, "mode is 'sum'"},
        {{"RoiAlign", 16, "output_width=i:0", "f 1x1x2x2 ~1|f 1x4 ~1|l 1 0", ""}, "", LOP_E_FORMAT, "out of range"},
        {{"NonMaxSuppression", 11, "", "f 1x2x4 ~1|f 1x1x3 ~1", ""}, "", LOP_E_SHAPE, "boxes (N, n, 4)"},
        {{"NonMaxSuppression", 11, "", "f 1x2x4 ~1|f 1x1x2 ~1", ""}, "1", LOP_E_UNSUPPORTED, "input #1 is computed"},
        {{"NonZero", 13, "", "f 2 ~1", ""}, "0", LOP_E_UNSUPPORTED, "a constant is expected"},
        {{"GroupNormalization", 21, "num_groups=i:3", "f 1x4x2 ~1|f 4 ~1|f 4 ~1", ""}, "", LOP_E_SHAPE,
         "4 channels in 3 groups"},
        {{"ReduceMax", 13, "", "f 0x2", ""}, "", LOP_E_SHAPE, "dimension 0 is empty"},
        {{"DepthToSpace", 13, "blocksize=i:2", "f 1x6x2x2 ~1", ""}, "", LOP_E_SHAPE, "by blocks of 2"},
        {{"ConvTranspose", 11, "", "f 1x3x4x4 ~1|f 2x3x3x3 ~2", ""}, "", LOP_E_SHAPE,
         "input has 3 channels, weight takes 2"},
    };
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        op_run r;
        case_open(&r, &cases[k].c, 1);
        for (const char *p = cases[k].hidden; *p; p++) hide(&r, *p - '0');
        const lop_status st = case_shape(&r);
        if (st != cases[k].code)
            fail_msg("%s [%s] (%s): %d: %s", r.op, cases[k].c.attr, cases[k].c.in, st, r.err.message);
        t_fails(st, cases[k].code, r.err, cases[k].says);
        case_close(&r);
    }
}

T_TEST(values_at_fault_are_refused)
{
    static const refusal cases[] = {
        {{"Gather", 13, "", "f 3 ~1|l 2 0 3", ""}, "", LOP_E_SHAPE, "index #1 is 3 of 3"},
        {{"GatherElements", 13, "", "f 3 ~1|l 1 -4", ""}, "", LOP_E_SHAPE, "index #0 is -4 of 3"},
        {{"GatherND", 13, "", "f 3x2 ~1|l 1x2 0 2", ""}, "", LOP_E_SHAPE, "index #1 is 2 of 2"},
        {{"ScatterElements", 16, "", "f 3 ~1|l 1 3|f 1 0", ""}, "", LOP_E_SHAPE, "index #0 is 3 of 3"},
        {{"ScatterND", 16, "", "f 3 ~1|l 1x1 -4|f 1 0", ""}, "", LOP_E_SHAPE, "index #0 is -4 of 3"},
        {{"Div", 13, "", "l 2 1 2|l 2 1 0", ""}, "", LOP_E_NUMERIC, "division by zero at entry #1"},
        {{"RoiAlign", 16, "", "f 1x1x2x2 ~1|f 1x4 ~1|l 1 1", ""}, "", LOP_E_SHAPE, "region #0: image 1 of 1"},
        {{"Mod", 13, "", "i 2 1 2|i 2 0 1", ""}, "", LOP_E_NUMERIC, "division by zero at entry #0"},
    };
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        op_run r;
        case_open(&r, &cases[k].c, 1);
        t_ok(case_shape(&r), r.err);
        t_fails(case_forward(&r), cases[k].code, r.err, cases[k].says);
        case_close(&r);
    }
}

/* ---- what ONNX Runtime has no answer to, or no way to be asked ---- */

T_TEST(more_cases_by_hand)
{
    static const op_case cases[] = {
        {"Constant", 13, "value=t:l,2x1,5,6", "", "l 2x1 5 6"},
        {"Constant", 13, "value_float=f:2.5", "", "f scalar 2.5"},
        {"Constant", 13, "value_int=i:-3", "", "l scalar -3"},
        {"Constant", 13, "value_ints=I:1,2,3", "", "l 3 1 2 3"},
        {"Constant", 13, "value_floats=F:1,0.5", "", "f 2 1 0.5"},
        {"Dropout", 7, "ratio=f:0.5", "f 2 3 4", "f 2 3 4|f 2 1 1"},
        {"Div", 13, "", "l 1 -9223372036854775808|l 1 -1", "l 1 -9223372036854775808"},
        {"Mod", 13, "", "l 2 -9223372036854775808 7|l 1 -1", "l 2 0 0"},
        {"Abs", 13, "", "l 1 -9223372036854775808", "l 1 -9223372036854775808"},
        {"Min", 13, "", "f 3 nan 1 2|f 3 1 nan 3", "f 3 nan nan 2"},
        {"Max", 13, "", "f 3 nan 1 2|f 3 1 nan 3", "f 3 nan nan 3"},
        {"Where", 9, "", "b 2 1 0|h 2 1 2|h 2 3 4", "h 2 1 4"},
        {"LRN", 13, "size=i:2 alpha=f:2 beta=f:1 bias=f:1", "f 1x3x1 1 2 3", "f 1x3x1 0.1666666667 0.1428571429 0.3"},
        {"GroupNormalization", 18, "num_groups=i:2 epsilon=f:0", "f 1x4x1 1 3 5 9|f 2 2 1|f 2 10 0",
         "f 1x4x1 8 12 -1 1"},
        {"TopK", 11, "", "f 4 1 nan -inf 2|l 1 2", "f 2 nan 2|l 2 1 3"},
        {"TopK", 1, "k=i:1", "f 1x3 1 3 2", "f 1x1 3|l 1x1 1"},
        {"Slice", 13, "", "f 3 1 2 3|l 1 5|l 1 -9223372036854775808|l 1 0|l 1 -2", "f 2 3 1"},
        {"Slice", 13, "", "f 3 1 2 3|l 1 2|l 1 1", "f 0"},
        {"Conv", 11, "auto_pad=s:SAME_UPPER dilations=I:1,2", "f 1x1x1x4 1 2 3 4|f 1x1x1x2 1 10",
         "f 1x1x1x4 20 31 42 3"},
    };
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        op_run r;
        lop_tensor want[CASE_TENSORS] = {{0}};
        const int n = case_tensors(cases[k].out, want, NULL);
        case_open(&r, &cases[k], n);
        t_ok(case_shape(&r), r.err);
        t_ok(case_forward(&r), r.err);
        for (int o = 0; o < n; o++) {
            case_compare(&cases[k], o, &r.out[o], &want[o], 1e-6);
            lop_tensor_clear(&want[o]);
        }
        case_close(&r);
    }
}

/* Outputs that a node leaves out have no data, and are not written. */
T_TEST(left_out_outputs_are_not_written)
{
    static const op_case cases[] = {
        {"MaxPool", 12, "kernel_shape=I:2,2", "f 1x1x3x3 ~1", ""}, {"Dropout", 13, "", "f 3 ~1", ""},
        {"TopK", 11, "", "f 3 ~1|l 1 2", ""}, {"Split", 13, "", "f 4 ~1|l 2 1 3", ""},
        {"LayerNormalization", 17, "", "f 2x2 ~1|f 2 ~2", ""}};
    for (size_t k = 0; k < T_COUNT(cases); k++)
        for (int left = 0; left < 2; left++) {
            op_run r;
            case_open(&r, &cases[k], 2);
            t_ok(case_shape(&r), r.err);
            const lop_tensor other = r.out[!left];
            lop_tensor *kept = &r.out[!left];
            r.out[left] = (lop_tensor){0};
            t_ok(lop_tensor_init(kept, other.type, &other.shape, &r.err), r.err);
            t_ok(r.rule->forward(&r.call, &r.err), r.err);
            case_close(&r);
        }
}

/* ---- convolution against the definition ---- */

static double conv_at(const lop_conv *c, const float *x, const float *w, int64_t f, int64_t oy, int64_t ox)
{
    const int64_t in = c->c / c->group, first = f / (c->n / c->group) * in;
    double sum = 0.0;
    for (int64_t i = 0; i < in; i++)
        for (int64_t a = 0; a < c->kh; a++)
            for (int64_t b = 0; b < c->kw; b++) {
                const int64_t r = oy * c->stride[0] + a * c->dilation[0] - c->pad[0];
                const int64_t s = ox * c->stride[1] + b * c->dilation[1] - c->pad[1];
                if (r < 0 || r >= c->h || s < 0 || s >= c->w) continue;
                const float *plane = x + (first + i) * c->h * c->w, *taps = w + (f * in + i) * c->kh * c->kw;
                sum += (double)plane[r * c->w + s] * (double)taps[a * c->kw + b];
            }
    return sum;
}

T_TEST(convolution_is_the_sum_it_should_be)
{
    for (uint64_t seed = 0; seed < T_SEEDS(60); seed++) {
        int64_t v[14];
        for (int i = 0; i < 14; i++) v[i] = lop_random_below(seed, LOP_STREAM_USER, (uint64_t)i, 4);
        const int64_t group = 1 + v[0], in = group * (1 + v[1]), n = group * (1 + v[2]), h = 5 + v[3], w = 5 + v[4];
        const int64_t kh = 1 + v[5] % 3, kw = 1 + v[6] % 3;
        char attr[256], text[256];
        snprintf(attr, sizeof attr, "group=i:%d strides=I:%d,%d dilations=I:%d,%d pads=I:%d,%d,%d,%d", (int)group,
                 (int)v[7] % 3 + 1, (int)v[8] % 3 + 1, (int)v[9] % 2 + 1, (int)v[10] % 2 + 1, (int)v[11] % 3,
                 (int)v[12] % 3, (int)v[13] % 3, (int)v[12] / 2);
        snprintf(text, sizeof text, "f 3x%dx%dx%d ~%d|f %dx%dx%dx%d ~7|f %d ~9", (int)in, (int)h, (int)w, (int)seed,
                 (int)n, (int)(in / group), (int)kh, (int)kw, (int)n);
        const op_case one = {"Conv", 11, attr, text, ""};
        op_run r;
        lop_conv c;
        case_open(&r, &one, 1);
        t_ok(case_shape(&r), r.err);
        t_ok(case_forward(&r), r.err);
        t_ok(lop_ops_conv_params(&r.call, &c, &r.err), r.err);
        const float *bias = r.in[2].data, *y = r.out[0].data;
        for (int64_t i = 0; i < lop_tensor_size(&r.out[0]); i++) {
            const int64_t plane = c.oh * c.ow, f = i / plane % n;
            const float *x = (const float *)r.in[0].data + i / plane / n * in * h * w;
            const double want = conv_at(&c, x, r.in[1].data, f, i % plane / c.ow, i % c.ow) + (double)bias[f];
            if (!(fabs((double)y[i] - want) <= 1e-5))
                fail_msg("seed %d: #%d is %g, %g expected", (int)seed, (int)i, (double)y[i], want);
        }
        case_close(&r);
    }
}

/* The input pixel that tap `tap` puts on output pixel `at`, or -1. */
static int64_t source(int64_t at, int64_t tap, int64_t pad, int64_t stride, int64_t dilation, int64_t size)
{
    const int64_t from = at + pad - tap * dilation;
    return from < 0 || from % stride != 0 || from / stride >= size ? -1 : from / stride;
}

/* Entry (f, oy, ox) of one image: c channels of h x w, weights (c, n / group, k, k). */
static double transposed_at(const lop_conv *c, const float *x, const float *w, int64_t f, int64_t oy, int64_t ox)
{
    const int64_t from = c->c / c->group, out = c->n / c->group;
    double sum = 0.0;
    for (int64_t i = f / out * from; i < (f / out + 1) * from; i++)
        for (int64_t t = 0; t < c->kh * c->kw; t++) {
            const int64_t r = source(oy, t / c->kw, c->pad[0], c->stride[0], c->dilation[0], c->h);
            const int64_t s = source(ox, t % c->kw, c->pad[1], c->stride[1], c->dilation[1], c->w);
            if (r < 0 || s < 0) continue;
            sum += (double)x[(i * c->h + r) * c->w + s] * (double)w[(i * out + f % out) * c->kh * c->kw + t];
        }
    return sum;
}

T_TEST(transposed_convolution_is_the_sum_it_should_be)
{
    /* images, group, channels and filters a group, h, w, kh, kw, strides, dilations, pads; the last of several
     * pieces */
    static const int cases[][14] = {
        {2, 1, 3, 4, 5, 6, 3, 3, 2, 2, 1, 1, 1, 1}, {3, 3, 2, 3, 4, 5, 4, 2, 2, 3, 1, 1, 0, 1},
        {1, 1, 2, 2, 6, 6, 3, 3, 1, 1, 2, 3, 2, 0}, {1, 2, 1, 1, 1, 1, 1, 1, 3, 2, 1, 1, 0, 0},
        {2, 2, 3, 40, 32, 32, 4, 4, 2, 2, 1, 1, 1, 1}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const int *v = cases[k];
        char attr[256], text[256];
        snprintf(attr, sizeof attr, "group=i:%d strides=I:%d,%d dilations=I:%d,%d pads=I:%d,%d,%d,%d", v[1], v[8], v[9],
                 v[10], v[11], v[12], v[13], v[12], v[13]);
        snprintf(text, sizeof text, "f %dx%dx%dx%d ~3|f %dx%dx%dx%d ~7|f %d ~9", v[0], v[1] * v[2], v[4], v[5],
                 v[1] * v[2], v[3], v[6], v[7], v[1] * v[3]);
        const op_case one = {"ConvTranspose", 11, attr, text, ""};
        op_run r;
        case_open(&r, &one, 1);
        t_ok(case_shape(&r), r.err);
        t_ok(case_forward(&r), r.err);
        const lop_shape *out = &r.out[0].shape;
        const lop_conv c = {.c = v[1] * v[2], .h = v[4], .w = v[5], .n = v[1] * v[3], .oh = out->dim[2],
                            .ow = out->dim[3], .kh = v[6], .kw = v[7], .stride = {v[8], v[9]}, .pad = {v[12], v[13]},
                            .dilation = {v[10], v[11]}, .group = v[1]};
        const float *bias = r.in[2].data, *y = r.out[0].data;
        assert_int_equal(c.oh, (v[4] - 1) * v[8] + (v[6] - 1) * v[10] + 1 - 2 * v[12]);
        for (int64_t i = 0; i < lop_tensor_size(&r.out[0]); i++) {
            const int64_t plane = c.oh * c.ow, f = i / plane % c.n;
            const float *x = (const float *)r.in[0].data + i / plane / c.n * c.c * c.h * c.w;
            const double want = transposed_at(&c, x, r.in[1].data, f, i % plane / c.ow, i % c.ow) + (double)bias[f];
            if (!(fabs((double)y[i] - want) <= 1e-5))
                fail_msg("case %d: #%d is %g, %g expected", (int)k, (int)i, (double)y[i], want);
        }
        case_close(&r);
    }
}

/* ---- helpers of core/exec ---- */

T_TEST(clip_bounds_are_read)
{
    static const struct { op_case c; float low, high; } cases[] = {
        {{"Clip", 6, "max=f:6", "f 1 0", ""}, -FLT_MAX, 6}, {{"Clip", 6, "", "f 1 0", ""}, -FLT_MAX, FLT_MAX},
        {{"Clip", 11, "", "f 1 0|f scalar 0|f scalar 6", ""}, 0, 6},
        {{"Clip", 11, "", "f 1 0|-|f 1 6", ""}, -FLT_MAX, 6}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        op_run r;
        float low = 9, high = 9;
        case_open(&r, &cases[k].c, 1);
        t_ok(lop_ops_clip_range(&r.call, &low, &high, &r.err), r.err);
        assert_true(low == cases[k].low && high == cases[k].high);
        if (k == 2) {
            hide(&r, 2);
            t_fails(lop_ops_clip_range(&r.call, &low, &high, &r.err), LOP_E_UNSUPPORTED, r.err, "max is no constant");
        }
        case_close(&r);
    }
}

T_TEST(batch_norm_is_rounded_once)
{
    static const op_case c = {"BatchNormalization", 15, "epsilon=f:0.001",
                              "f 1x2x1x1 0 0|f 2 0.3 -2|f 2 0.1 4|f 2 7 -0.7|f 2 0.2 3", ""};
    op_run r;
    float scale[2], shift[2];
    case_open(&r, &c, 1);
    t_ok(lop_ops_bn_affine(&r.call, scale, shift, &r.err), r.err);
    const double s = (double)0.3f / sqrt((double)0.2f + (double)0.001f), t = -2.0 / sqrt(3.0 + (double)0.001f);
    assert_true(scale[0] == (float)s && scale[1] == (float)t);
    assert_true(shift[0] == (float)((double)0.1f - 7.0 * s) && shift[1] == (float)(4.0 + (double)0.7f * t));
    hide(&r, 3);
    t_fails(lop_ops_bn_affine(&r.call, scale, shift, &r.err), LOP_E_UNSUPPORTED, r.err, "input #3 is computed");
    case_close(&r);
}

T_TEST(pool_sizes_are_worked_out)
{
    static const struct { op_case c; int64_t oh, ow, top, left; } cases[] = {
        {{"MaxPool", 12, "kernel_shape=I:3,3 strides=I:2,2", "f 1x1x111x111 ~1", ""}, 55, 55, 0, 0},
        {{"MaxPool", 12, "kernel_shape=I:3,3 strides=I:2,2 ceil_mode=i:1", "f 1x1x112x7 ~1", ""}, 56, 3, 0, 0},
        {{"MaxPool", 12, "kernel_shape=I:2,2 strides=I:3,3 ceil_mode=i:1", "f 1x1x3x4 ~1", ""}, 1, 2, 0, 0},
        {{"AveragePool", 12, "kernel_shape=I:2,3 auto_pad=s:SAME_LOWER", "f 1x1x4x4 ~1", ""}, 4, 4, 1, 1},
        {{"AveragePool", 12, "kernel_shape=I:4", "f 1x1x6 ~1", ""}, 1, 3, 0, 0}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        op_run r;
        lop_pool p;
        case_open(&r, &cases[k].c, 1);
        t_ok(lop_ops_pool_params(&r.call, &p, &r.err), r.err);
        if (p.oh != cases[k].oh || p.ow != cases[k].ow || p.pad[0] != cases[k].top || p.pad[1] != cases[k].left)
            fail_msg("case %d: %dx%d", (int)k, (int)p.oh, (int)p.ow);
        case_close(&r);
    }
}

/* ---- images ---- */

T_TEST(nodes_that_mix_images_are_known)
{
    static const struct { op_case c; const char *activations; bool mixes; } cases[] = {
        {{"Relu", 13, "", "f 1x2 ~1", ""}, "0", false},
        {{"Conv", 11, "", "f 1x1x3x3 ~1|f 1x1x3x3 ~1", ""}, "0", false},
        {{"Conv", 11, "", "f 1x1x3x3 ~1|f 1x1x3x3 ~1", ""}, "01", true},
        {{"Add", 13, "", "f 1x2 ~1|f 1x2 ~1", ""}, "01", false},
        {{"Add", 13, "", "f 1x2 ~1|f 2 ~1", ""}, "0", false},
        {{"Add", 13, "", "f 1x2 ~1|f 2 ~1", ""}, "01", true},
        {{"Add", 13, "", "f 1x2 ~1|f 3x2 ~1", ""}, "0", true},
        {{"Concat", 13, "axis=i:1", "f 1x2 ~1|f 1x2 ~1", ""}, "01", false},
        {{"Concat", 13, "axis=i:0", "f 1x2 ~1|f 1x2 ~1", ""}, "01", true},
        {{"Concat", 13, "axis=i:-2", "f 1x2 ~1|f 1x2 ~1", ""}, "01", true},
        {{"Transpose", 13, "perm=I:0,2,1", "f 1x2x2 ~1", ""}, "0", false},
        {{"Transpose", 13, "perm=I:1,0,2", "f 1x2x2 ~1", ""}, "0", true},
        {{"Transpose", 13, "", "f 1x2x2 ~1", ""}, "0", true},
        {{"Slice", 13, "", "f 1x4 ~1|l 1 0|l 1 2|l 1 1", ""}, "0", false},
        {{"Slice", 13, "", "f 1x4 ~1|l 2 0 0|l 2 9223372036854775807 2", ""}, "0", false},
        {{"Slice", 13, "", "f 1x4 ~1|l 1 0|l 1 1", ""}, "0", true},
        {{"Slice", 13, "", "f 1x4 ~1|l 1 0|l 1 1|l 1 -2", ""}, "0", true},
        {{"Slice", 13, "", "f 1x4 ~1|l 1 -1|l 1 -9223372036854775807|l 1 0|l 1 -1", ""}, "0", true},
        {{"Slice", 13, "", "f 1x4 ~1|l 1 0|l 1 2|l 1 1", ""}, "01", true},
        {{"Pad", 13, "", "f 1x4 ~1|l 4 0 1 0 1", ""}, "0", false},
        {{"Pad", 13, "", "f 1x4 ~1|l 4 1 0 0 0", ""}, "0", true},
        {{"Gather", 13, "axis=i:1", "f 1x4 ~1|l 1 0", ""}, "0", false},
        {{"Gather", 13, "axis=i:0", "f 1x4 ~1|l 1 0", ""}, "0", true},
        {{"Gather", 13, "axis=i:0", "f 3x4 ~1|l 1x2 0 1", ""}, "1", false},
        {{"Reshape", 13, "", "f 1x4 ~1|l 2 1 -1", ""}, "0", false},
        {{"Flatten", 13, "", "f 1x4 ~1", ""}, "0", false},
        {{"Softmax", 13, "", "f 1x4 ~1", ""}, "0", false},
        {{"Softmax", 13, "axis=i:0", "f 1x4 ~1", ""}, "0", true},
        {{"ReduceMean", 13, "axes=I:2,3", "f 1x2x2x2 ~1", ""}, "0", false},
        {{"ReduceMean", 13, "axes=I:0", "f 1x2x2x2 ~1", ""}, "0", true},
        {{"ReduceMean", 13, "", "f 1x2x2x2 ~1", ""}, "0", true},
        {{"Gemm", 13, "", "f 1x2 ~1|f 2x2 ~1", ""}, "0", false},
        {{"Gemm", 13, "transA=i:1", "f 2x1 ~1|f 2x2 ~1", ""}, "0", true},
        {{"MatMul", 13, "", "f 1x2 ~1|f 2x2 ~1", ""}, "0", false},
        {{"MatMul", 13, "", "f 1x2 ~1|f 2x2 ~1", ""}, "01", true},
        {{"MatMul", 13, "", "f 1x2x2 ~1|f 1x2x2 ~1", ""}, "01", false},
        {{"Expand", 13, "", "f 1x2 ~1|l 3 4 1 2", ""}, "0", true},
        {{"Tile", 13, "", "f 1x2 ~1|l 2 1 2", ""}, "0", false},
        {{"Tile", 13, "", "f 1x2 ~1|l 2 2 1", ""}, "0", true},
        {{"ArgMax", 13, "", "f 1x2 ~1", ""}, "0", true},
        {{"ArgMax", 13, "axis=i:1", "f 1x2 ~1", ""}, "0", false},
        {{"Split", 13, "axis=i:1", "f 1x2 ~1", ""}, "0", false},
        {{"Resize", 13, "", "f 1x1x2x2 ~1|-|f 4 1 1 2 2", ""}, "0", false},
        {{"ScatterND", 13, "", "f 1x2 ~1|l 1x1 0|f 1x2 ~1", ""}, "0", true},
    };
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        op_run r;
        case_open(&r, &cases[k].c, 1);
        t_ok(case_shape(&r), r.err);
        for (const char *p = cases[k].activations; *p; p++) hide(&r, *p - '0');
        if (lop_ops_mixes_images(&r.call) != cases[k].mixes)
            fail_msg("%s [%s] (%s), activations %s", r.op, cases[k].c.attr, cases[k].c.in, cases[k].activations);
        case_close(&r);
    }
}

/* ---- inputs of several pieces: threads change no byte ---- */

T_TEST(large_inputs_are_the_same_with_a_team)
{
    static const op_case cases[] = {
        {"Add", 13, "", "f 2x40x33x33 ~1|f 2x40x33x33 ~2", ""}, {"Mul", 13, "", "f 2x40x33x33 ~1|f 40x1x1 ~2", ""},
        {"Sub", 13, "", "f 7x1x9001 ~1|f 2x9001 ~2", ""}, {"Relu", 13, "", "f 100001 ~1", ""},
        {"Sub", 13, "", "f 100001 ~1|f scalar 3", ""}, {"Sub", 13, "", "f scalar 3|f 100001 ~1", ""},
        {"Clip", 6, "max=f:1", "f 100001 ~1", ""}, {"Sigmoid", 13, "", "f 100001 ~1", ""},
        {"Transpose", 13, "perm=I:0,2,3,1", "f 2x37x41x43 ~1", ""},
        {"Pad", 13, "", "f 2x37x41x43 ~1|l 8 0 1 2 1 0 1 0 1", ""},
        {"Softmax", 13, "axis=i:1", "f 3x50x1001 ~1", ""}, {"MaxPool", 12, "kernel_shape=I:3,3", "f 2x37x41x43 ~1", ""},
        {"AveragePool", 12, "kernel_shape=I:3,3", "f 2x37x41x43 ~1", ""},
        {"GlobalMaxPool", 12, "", "f 2x37x41x43 ~1", ""},
        {"GlobalAveragePool", 12, "", "f 2x37x41x43 ~1", ""}, {"Gemm", 13, "", "f 5x300 ~1|f 300x200 ~2|f 200 ~3", ""},
        {"Gemm", 13, "", "f 1x300 ~1|f 300x200 ~2|f 200 ~3", ""}, {"MatMul", 13, "", "f 3x5x300 ~1|f 300x200 ~2", ""},
        {"Conv", 11, "pads=I:1,1,1,1", "f 1x16x40x40 ~1|f 24x16x3x3 ~2", ""},
        {"Conv", 11, "pads=I:1,1,1,1", "f 5x16x20x20 ~1|f 24x16x3x3 ~2|f 24 ~3", ""},
        {"Conv", 11, "pads=I:1,1,1,1 strides=I:2,2", "f 40x16x20x20 ~1|f 24x16x3x3 ~2|f 24 ~3", ""},
        {"InstanceNormalization", 6, "", "f 2x37x41x43 ~1|f 37 ~2|f 37 ~3", ""},
        {"Resize", 13, "mode=s:linear", "f 1x9x41x43 ~1|-|f 4 1 1 2 1.5", ""},
        {"ReduceMean", 13, "axes=I:1", "f 3x50x1001 ~1", ""}, {"LRN", 13, "size=i:5", "f 2x37x41x43 ~1", ""},
        {"ConvTranspose", 11, "strides=I:2,2", "f 2x5x9x9 ~1|f 5x7x3x3 ~2", ""},
        {"ConvTranspose", 11, "strides=I:2,2", "f 1x5x32x32 ~1|f 5x40x4x4 ~2", ""}};
    lop_error err;
    lop_team *team;
    t_ok(lop_team_new(3, &team, &err), err);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        op_run alone, together;
        case_open(&alone, &cases[k], 1);
        case_open(&together, &cases[k], 1);
        together.call.team = team;
        t_ok(case_shape(&alone), alone.err);
        t_ok(case_shape(&together), together.err);
        t_ok(case_forward(&alone), alone.err);
        t_ok(case_forward(&together), together.err);
        if (memcmp(alone.out[0].data, together.out[0].data, lop_tensor_bytes(&alone.out[0])) != 0)
            fail_msg("%s [%s] (%s)", cases[k].op, cases[k].attr, cases[k].in);
        case_close(&alone);
        case_close(&together);
    }
    lop_team_free(team);
}

T_MAIN(T(table_is_sorted_and_complete), T(what_does_not_fit_is_refused), T(values_at_fault_are_refused),
       T(more_cases_by_hand), T(left_out_outputs_are_not_written), T(convolution_is_the_sum_it_should_be),
       T(transposed_convolution_is_the_sum_it_should_be),
       T(clip_bounds_are_read), T(batch_norm_is_rounded_once), T(pool_sizes_are_worked_out),
       T(nodes_that_mix_images_are_known), T(large_inputs_are_the_same_with_a_team))
