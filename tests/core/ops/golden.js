#!/usr/bin/env node
'use strict';
// Makes golden.inc: runs each case below in ONNX Runtime (npm package onnxruntime-node) and writes it with the outputs
// it gave. Needed only when cases change:  node golden.js > golden.inc.  The notation: case.h. A case: operator, opset,
// attributes, inputs, number of outputs (1).
const ort = require('onnxruntime-node');

const unary = [];
for (const op of ['Abs', 'Atan', 'Asinh', 'Ceil', 'Cos', 'Elu', 'Erf', 'Exp', 'Floor', 'HardSigmoid', 'HardSwish',
  'LeakyRelu',
  'Neg', 'Reciprocal', 'Relu', 'Round', 'Selu', 'Sigmoid', 'Sign', 'Sin', 'Softplus', 'Softsign', 'Tan', 'Tanh',
  'ThresholdedRelu', 'Mish', 'Sinh', 'Cosh', 'Identity', 'Celu', 'Shrink'])
  unary.push([op, 18, '', 'f 2x4 -1.5 -0.5 0.25 0.5 1.5 2.5 -40 90']);
for (const op of ['Sqrt', 'Log', 'Acosh']) unary.push([op, 13, '', 'f 4 1 1.5 2 9']);
for (const op of ['Asin', 'Acos', 'Atanh']) unary.push([op, 13, '', 'f 4 -0.9 -0.25 0 0.75']);

const cases = unary.concat([
  ['Elu', 13, 'alpha=f:0.5', 'f 3 -2 -0.1 3'],
  ['Celu', 13, 'alpha=f:2', 'f 3 -2 -0.1 3'],
  ['Selu', 13, 'alpha=f:2 gamma=f:3', 'f 3 -2 -0.1 3'],
  ['HardSigmoid', 13, 'alpha=f:0.3 beta=f:0.4', 'f 5 -3 -1 0 1 3'],
  ['LeakyRelu', 13, 'alpha=f:0.3', 'f 3 -2 0 3'],
  ['Shrink', 13, 'lambd=f:1 bias=f:0.5', 'f 5 -2 -1 0 1 2'],
  ['Gelu', 20, '', 'f 6 -5 -1 -0.1 0 0.7 4'],
  ['Gelu', 20, 'approximate=s:tanh', 'f 6 -5 -1 -0.1 0 0.7 4'],
  ['Abs', 13, '', 'l 3 -9007199254740993 0 5'],
  ['Neg', 13, '', 'i 3 -7 0 5'],
  ['Sign', 13, '', 'l 3 -7 0 5'],
  ['Not', 13, '', 'b 2 0 1'],
  ['Clip', 13, '', 'f 5 -3 -1 0 1 3|f scalar -1.5|f scalar 2'],
  ['Clip', 13, '', 'f 5 -3 -1 0 1 3|-|f scalar 0.5'],
  ['Clip', 6, 'min=f:-0.5 max=f:0.5', 'f 5 -3 -1 0 1 3'],
  ['Clip', 13, '', 'l 3 -9 4 9|l scalar -2|l scalar 5'],
  ['PRelu', 13, '', 'f 1x2x2x1 -1 2 -3 -4|f 2x1x1 0.5 0.25'],

  ['Add', 14, '', 'f 2x1x3 1 2 3 4 5 6|f 2x1 10 20'],
  ['Add', 7, '', 'l 2 9007199254740993 -1|l 1 1'],
  ['Sub', 14, '', 'f 3 1 2 3|f scalar 5'],
  ['Sub', 14, '', 'f scalar 5|f 2x3 1 2 3 4 5 6'],
  ['Mul', 14, '', 'f 2x2 1 2 3 4|f 1x2 -1 0.5'],
  ['Mul', 14, '', 'i 2 65536 3|i 2 3 -4'],
  ['Div', 14, '', 'f 4 1 -1 0 5|f 4 0 0 0 2'],
  ['Div', 14, '', 'l 4 7 -7 7 -7|l 4 2 2 -2 -2'],
  ['Mod', 13, '', 'l 4 7 -7 7 -7|l 4 3 3 -3 -3'],
  ['Mod', 13, 'fmod=i:1', 'l 4 7 -7 7 -7|l 4 3 3 -3 -3'],
  ['Mod', 13, 'fmod=i:1', 'f 2 5.5 -5.5|f 1 2'],
  ['Pow', 13, '', 'f 3 2 3 4|f scalar 0.5'],
  ['Pow', 13, '', 'f 3 2 -3 4|l 3 2 3 -1'],
  ['Pow', 13, '', 'l 3 2 -3 9|l scalar 3'],
  ['Pow', 13, '', 'l 3 4 9 10|f scalar 0.5'],
  ['Min', 13, '', 'f 2x2 1 5 -3 4|f 2 2 2|f 1 3'],
  ['Max', 13, '', 'f 2 1 5|f 2x1 2 3|f 1x1 -1'],
  ['Max', 13, '', 'l 2 9007199254740993 5|l 2 9007199254740992 7'],
  ['Sum', 13, '', 'f 2 1 5|f 2x1 2 3|f scalar 1'],
  ['Mean', 13, '', 'f 2 1 5|f 2x1 2 3|f scalar 1'],
  ['Mean', 13, '', 'f 2 1 5'],
  ['Equal', 13, '', 'l 3 1 2 3|l 1 2'],
  ['Equal', 13, '', 'b 2 0 1|b 2 1 1'],
  ['Less', 13, '', 'f 2x1 1 2|f 2 1 3'],
  ['LessOrEqual', 16, '', 'f 2x1 1 2|f 2 1 3'],
  ['Greater', 13, '', 'l 2x1 1 2|l 2 1 3'],
  ['GreaterOrEqual', 16, '', 'i 2x1 1 2|i 2 1 3'],
  ['And', 7, '', 'b 2x1 0 1|b 2 0 1'],
  ['Or', 7, '', 'b 2x1 0 1|b 2 0 1'],
  ['Xor', 7, '', 'b 2x1 0 1|b 2 0 1'],
  ['Where', 16, '', 'b 2x1 0 1|f 2x2 1 2 3 4|f 2 -1 -2'],
  ['Where', 16, '', 'b 2 0 1|l 1 9007199254740993|l 2x1 5 6'],

  ['MatMul', 13, '', 'f 2x3 ~1|f 3x4 ~2'],
  ['MatMul', 13, '', 'f 2x1x2x3 ~3|f 2x3x2 ~4'],
  ['MatMul', 13, '', 'f 3 ~5|f 2x3x2 ~6'],
  ['MatMul', 13, '', 'f 2x2x3 ~7|f 3 ~8'],
  ['MatMul', 13, '', 'f 3 ~7|f 3 ~8'],
  ['Gemm', 13, '', 'f 2x3 ~9|f 3x4 ~10|f 4 ~11'],
  ['Gemm', 13, 'transA=i:1 transB=i:1 alpha=f:0.5 beta=f:2', 'f 3x2 ~12|f 4x3 ~13|f 2x1 ~14'],
  ['Gemm', 11, 'transB=i:1 beta=f:0.25', 'f 2x3 ~12|f 4x3 ~13|f scalar 3'],
  ['Gemm', 11, 'alpha=f:3', 'f 1x3 ~12|f 3x2 ~13'],

  ['Softmax', 13, '', 'f 2x3 ~15'],
  ['Softmax', 13, 'axis=i:1', 'f 2x3x2 ~16'],
  ['Softmax', 11, 'axis=i:1', 'f 2x3x2 ~16'],
  ['Softmax', 11, '', 'f 2x3 1000 1001 900 -1000 -1000 -1000'],
  ['LogSoftmax', 13, 'axis=i:0', 'f 2x3 ~17'],
  ['LogSoftmax', 11, '', 'f 2x3x2 ~17'],
  ['Hardmax', 13, 'axis=i:1', 'f 2x3x2 1 5 7 5 7 1 0 0 0 0 1 1'],

  ['Reshape', 13, '', 'f 2x3x2 ~18|l 3 0 -1 1'],
  ['Reshape', 14, 'allowzero=i:1', 'f 0x3|l 2 3 0'],
  ['Flatten', 13, '', 'f 2x3x2 ~19'],
  ['Flatten', 13, 'axis=i:0', 'f 2x3x2 ~19'],
  ['Flatten', 13, 'axis=i:-1', 'f 2x3x2 ~19'],
  ['Squeeze', 13, '', 'f 1x2x1 1 2|l 1 -1'],
  ['Squeeze', 11, 'axes=I:0', 'f 1x2x1 1 2'],
  ['Squeeze', 13, '', 'f 1x2x1 1 2'],
  ['Unsqueeze', 13, '', 'f 2 1 2|l 2 0 -1'],
  ['Unsqueeze', 11, 'axes=I:2,0', 'f 2 1 2'],
  ['Shape', 13, '', 'f 2x3x4 ~1'],
  ['Shape', 15, 'start=i:-2', 'f 2x3x4 ~1'],
  ['Shape', 15, 'start=i:1 end=i:-1', 'f 2x3x4 ~1'],
  ['Size', 13, '', 'f 2x3x4 ~1'],
  ['Dropout', 10, '', 'f 3 1 2 3'],
  ['Dropout', 13, '', 'f 3 1 2 3|f scalar 0.5', 2],
  ['Cast', 13, 'to=i:7', 'f 4 1.9 -1.9 0.5 -0.5'],
  ['Cast', 13, 'to=i:9', 'f 3 0 0.5 -2'],
  ['Cast', 13, 'to=i:1', 'l 3 1 -2 16777217'],
  ['CastLike', 15, '', 'f 2 1.5 2.5|i 1 0'],
  ['ConstantOfShape', 9, 'value=t:l,1,7', 'l 2 2 3'],
  ['ConstantOfShape', 9, '', 'l 1 2'],
  ['Range', 11, '', 'l scalar 10|l scalar 1|l scalar -3'],
  ['Range', 11, '', 'f scalar 1|f scalar 2|f scalar 0.3'],
  ['EyeLike', 9, 'k=i:1 dtype=i:7', 'f 2x4 ~1'],

  ['Transpose', 13, '', 'f 2x3x2 ~20'],
  ['Transpose', 13, 'perm=I:0,2,3,1', 'f 2x2x3x2 ~20'],
  ['Transpose', 13, 'perm=I:1,0', 'b 2x3 1 0 0 1 1 0'],
  ['Concat', 13, 'axis=i:1', 'f 2x1x2 1 2 3 4|f 2x2x2 5 6 7 8 9 10 11 12'],
  ['Concat', 13, 'axis=i:-1', 'l 1x2 1 2|l 1x1 3|l 1x0'],
  ['Split', 13, 'axis=i:1', 'f 2x4 1 2 3 4 5 6 7 8|l 2 1 3', 2],
  ['Split', 11, 'axis=i:-1', 'f 2x4 1 2 3 4 5 6 7 8', 2],
  ['Split', 18, 'axis=i:0 num_outputs=i:2', 'f 5 1 2 3 4 5', 2],
  ['Expand', 13, '', 'f 3x1 1 2 3|l 3 2 1 2'],
  ['Tile', 13, '', 'f 2x2 1 2 3 4|l 2 2 3'],
  ['DepthToSpace', 13, 'blocksize=i:2', 'f 1x8x1x2 ~21'],
  ['DepthToSpace', 13, 'blocksize=i:2 mode=s:CRD', 'f 2x8x1x2 ~21'],
  ['SpaceToDepth', 13, 'blocksize=i:2', 'f 2x2x2x4 ~21'],
  ['Trilu', 14, '', 'f 3x4 ~22|l scalar 1'],
  ['Trilu', 14, 'upper=i:0', 'f 2x3x3 ~22'],
  ['Slice', 13, '', 'f 3x4 ~23|l 2 0 -1|l 2 9223372036854775807 -9223372036854775807|l 2 0 1|l 2 2 -2'],
  ['Slice', 13, '', 'f 3x4 ~23|l 1 -2|l 1 9223372036854775807|l 1 1'],
  ['Slice', 13, '', 'f 3x4 ~23|l 2 1 5|l 2 3 9'],
  ['Slice', 9, 'starts=I:0,1 ends=I:-1,1000 axes=I:1,0', 'f 3x4 ~23'],
  ['Pad', 13, '', 'f 2x3 ~24|l 4 0 1 1 2|f scalar 9'],
  ['Pad', 13, '', 'f 2x3 ~24|l 4 0 -1 1 2'],
  ['Pad', 13, 'mode=s:reflect', 'f 1x4 1 2 3 4|l 4 0 3 0 2'],
  ['Pad', 13, 'mode=s:edge', 'f 2x2 1 2 3 4|l 4 1 3 0 2'],
  ['Pad', 19, 'mode=s:wrap', 'f 1x4 1 2 3 4|l 4 0 3 0 2'],
  ['Pad', 18, '', 'f 2x2 1 2 3 4|l 2 1 2|f scalar 7|l 1 -1'],
  ['Pad', 10, 'pads=I:0,1,1,0 value=f:5', 'f 2x2 1 2 3 4'],

  ['Gather', 13, 'axis=i:1', 'f 2x3 ~25|l 2x2 0 -1 1 1'],
  ['Gather', 13, '', 'l 4 1 3 32 32|l scalar 2'],
  ['GatherElements', 13, 'axis=i:1', 'f 2x3 ~25|l 2x2 0 -1 2 0'],
  ['GatherND', 13, '', 'f 2x2x2 ~25|l 2x2 0 1 1 -2'],
  ['GatherND', 13, 'batch_dims=i:1', 'f 2x2x2 ~25|l 2x1 1 0'],
  ['ScatterElements', 16, 'axis=i:1', 'f 2x3 ~26|l 2x2 0 -1 1 0|f 2x2 9 8 7 6'],
  ['ScatterElements', 16, 'axis=i:0 reduction=s:add', 'f 2x3 ~26|l 2x2 0 0 0 0|f 2x2 9 8 7 6'],
  ['ScatterND', 16, '', 'f 2x2x2 ~27|l 1x1 1|f 1x2x2 1 2 3 4'],
  ['ScatterND', 16, 'reduction=s:mul', 'f 4 1 2 3 4|l 3x1 1 3 1|f 3 5 6 7'],
  ['OneHot', 11, '', 'l 3 0 -1 5|l scalar 4|f 2 0.5 2'],
  ['OneHot', 11, 'axis=i:0', 'l 3 0 2 1|l scalar 3|f 2 0 1'],

  ['ReduceSum', 13, '', 'f 2x3x2 ~28|l 1 1'],
  ['ReduceSum', 13, 'noop_with_empty_axes=i:1', 'f 2x3 ~28'],
  ['ReduceSum', 13, 'keepdims=i:0', 'l 2x2 9007199254740992 1 1 1'],
  ['ReduceMean', 13, 'axes=I:2,3 keepdims=i:0', 'f 2x3x2x2 ~28'],
  ['ReduceMean', 18, '', 'f 2x3x2 ~28|l 2 0 -1'],
  ['ReduceMax', 13, 'axes=I:0', 'f 2x3 ~28'],
  ['ReduceMin', 13, 'axes=I:-1 keepdims=i:0', 'i 2x3 3 1 2 -1 5 0'],
  ['ReduceProd', 13, '', 'f 2x3 ~28'],
  ['ReduceL1', 13, 'axes=I:1', 'f 2x3 ~28'],
  ['ReduceL2', 13, 'axes=I:1', 'f 2x3 ~28'],
  ['ReduceSumSquare', 13, 'axes=I:1', 'f 2x3 ~28'],
  ['ReduceLogSum', 13, 'axes=I:1', 'f 2x3 1 2 3 4 5 6'],
  ['ReduceLogSumExp', 13, 'axes=I:1', 'f 2x3 100 101 90 -100 -100 -100'],
  ['ReduceLogSumExp', 13, 'axes=I:1', 'f 3x2 1000 1001 -1000 -1001 -inf -inf'],
  ['ArgMax', 13, 'axis=i:1', 'f 2x4 1 3 3 2 5 1 1 5'],
  ['ArgMax', 13, 'axis=i:1 select_last_index=i:1 keepdims=i:0', 'f 2x4 1 3 3 2 5 1 1 5'],
  ['ArgMin', 13, '', 'f 2x4 1 3 3 2 5 1 1 5'],
  ['TopK', 11, '', 'f 2x4 1 3 3 2 5 -1 1 5|l 1 3', 2],
  ['TopK', 11, 'largest=i:0 axis=i:0', 'l 3x2 5 1 4 2 4 3|l 1 2', 2],
  ['CumSum', 14, '', 'f 2x3 1 2 3 4 5 6|i scalar 1'],
  ['CumSum', 14, 'exclusive=i:1 reverse=i:1', 'f 2x3 1 2 3 4 5 6|l scalar 0'],

  ['BatchNormalization', 15, 'epsilon=f:0.01', 'f 2x3x2x1 ~29|f 3 1 2 3|f 3 0.5 -0.5 0|f 3 0.25 0 -1|f 3 1 0.5 2'],
  ['InstanceNormalization', 6, '', 'f 2x2x2x3 ~30|f 2 1 2|f 2 0.5 -0.5'],
  ['GroupNormalization', 21, 'num_groups=i:2', 'f 2x4x3 ~31|f 4 1 2 3 4|f 4 0 1 -1 2'],
  ['LayerNormalization', 17, '', 'f 2x3x4 ~32|f 4 1 2 3 4|f 4 0 1 -1 2'],
  ['LayerNormalization', 17, 'axis=i:1', 'f 2x3x2 ~32|f 3x2 1 2 3 4 5 6', 3],
  ['LpNormalization', 1, 'axis=i:1', 'f 2x3x2 ~33'],
  ['LpNormalization', 1, 'axis=i:-1 p=i:1', 'f 2x3 ~33'],
  ['MeanVarianceNormalization', 13, '', 'f 2x3x2x2 ~34'],
  ['MeanVarianceNormalization', 13, 'axes=I:2,3', 'f 2x3x2x2 ~34'],
  ['QuantizeLinear', 13, '', 'f 8 -9 -0.5 0.5 1.5 2.5 3 700 -700|f scalar 0.5|B scalar 3'],
  ['QuantizeLinear', 13, '', 'f 2x2 1 -1 3 4|f 2 0.5 0.01'],
  ['QuantizeLinear', 13, 'axis=i:0', 'f 2x2 1 -1 3 4|f 2 0.5 0.01|c 2 1 -2'],
  ['DequantizeLinear', 13, '', 'B 4 0 3 128 255|f scalar 0.5|B scalar 3'],
  ['DequantizeLinear', 13, 'axis=i:0', 'c 2x2 1 -1 -128 127|f 2 0.5 0.25|c 2 1 -2'],
  ['DequantizeLinear', 13, '', 'i 2 70000 -5|f scalar 0.5'],
  ['IsNaN', 13, '', 'f 3 nan 1 inf'],
  ['IsInf', 10, '', 'f 3 nan -inf inf'],
  ['IsInf', 10, 'detect_negative=i:0', 'f 3 nan -inf inf'],
  ['LRN', 13, 'size=i:3 alpha=f:0.5 beta=f:0.6 bias=f:2', 'f 2x5x1x2 ~34'],

  ['Conv', 11, 'pads=I:1,0,1,2 strides=I:2,1', 'f 2x2x5x4 ~35|f 3x2x3x2 ~36|f 3 ~37'],
  ['Conv', 11, 'group=i:2 auto_pad=s:SAME_UPPER strides=I:2,2', 'f 1x4x6x5 ~35|f 4x2x2x3 ~36'],
  ['Conv', 11, 'group=i:4 auto_pad=s:SAME_LOWER', 'f 2x4x4x3 ~35|f 4x1x2x2 ~36|f 4 ~37'],
  ['Conv', 11, 'auto_pad=s:VALID', 'f 1x1x4x3 ~35|f 2x1x2x2 ~36'],
  ['Conv', 11, 'pads=I:2,1 strides=I:2 dilations=I:2', 'f 2x2x7 ~35|f 3x2x3 ~36'],
  ['ConvTranspose', 11, '', 'f 1x2x2x3 ~38|f 2x3x2x2 ~39|f 3 ~40'],
  ['ConvTranspose', 11, 'strides=I:2,3 pads=I:1,0,0,1 output_padding=I:1,2 dilations=I:1,2 group=i:2',
    'f 2x4x3x2 ~38|f 4x2x3x2 ~39'],
  ['ConvTranspose', 11, 'strides=I:2,2 auto_pad=s:SAME_UPPER', 'f 1x1x3x3 ~38|f 1x2x3x3 ~39'],
  ['ConvTranspose', 11, 'strides=I:2,2 auto_pad=s:SAME_LOWER', 'f 1x1x3x3 ~38|f 1x2x3x3 ~39'],
  ['ConvTranspose', 11, 'strides=I:2,2 output_shape=I:6,6', 'f 1x1x3x3 ~38|f 1x1x3x3 ~39'],
  ['ConvTranspose', 11, 'strides=I:2,2 output_shape=I:8,7', 'f 1x1x3x3 ~38|f 1x1x3x3 ~39'],
  ['ConvTranspose', 11, 'strides=I:2', 'f 1x2x3 ~38|f 2x1x3 ~39'],

  ['MaxPool', 12, 'kernel_shape=I:2,2 strides=I:2,2', 'f 2x2x4x5 ~41', 2],
  ['MaxPool', 12, 'kernel_shape=I:3,3 strides=I:2,2 ceil_mode=i:1 pads=I:1,0,0,1', 'f 1x2x6x6 ~41'],
  ['MaxPool', 12, 'kernel_shape=I:2,2 dilations=I:2,1 storage_order=i:1', 'f 1x2x4x3 ~41', 2],
  ['MaxPool', 12, 'kernel_shape=I:3 auto_pad=s:SAME_UPPER strides=I:2', 'f 2x1x6 ~41'],
  ['AveragePool', 11, 'kernel_shape=I:3,3 pads=I:1,1,1,1 strides=I:2,2', 'f 1x2x5x5 ~42'],
  ['AveragePool', 11, 'kernel_shape=I:3,3 pads=I:1,1,1,1 strides=I:2,2 count_include_pad=i:1', 'f 2x1x5x6 ~42'],
  ['AveragePool', 11, 'kernel_shape=I:2,2 strides=I:2,2 ceil_mode=i:1', 'f 1x1x5x5 ~42'],
  ['AveragePool', 19, 'kernel_shape=I:3,2 strides=I:2,2 ceil_mode=i:1 count_include_pad=i:1 pads=I:1,0,1,1',
   'f 1x2x6x4 ~42'],
  ['AveragePool', 19, 'kernel_shape=I:2,2 dilations=I:2,2', 'f 1x1x4x4 ~42'],
  ['AveragePool', 11, 'kernel_shape=I:3,3 auto_pad=s:SAME_LOWER strides=I:2,2', 'f 1x1x4x4 ~42'],
  ['LpPool', 18, 'kernel_shape=I:2,3 strides=I:2,1 pads=I:1,1,0,0 p=i:3', 'f 2x2x4x5 ~42'],
  ['LpPool', 11, 'kernel_shape=I:2', 'f 1x2x4 ~42'],
  ['GlobalLpPool', 2, 'p=i:3', 'f 2x2x2x2 ~42'],
  ['GlobalAveragePool', 11, '', 'f 2x3x2x3 ~43'],
  ['GlobalMaxPool', 11, '', 'f 2x3x2x3 ~43'],

  ['Upsample', 7, 'scales=F:1,1,2,3', 'f 1x2x2x2 ~44'],
  ['Upsample', 9, 'mode=s:linear', 'f 1x1x2x2 ~44|f 4 1 1 2 2'],
  ['Resize', 10, '', 'f 1x1x2x3 ~44|f 4 1 1 2 1.5'],
  ['Resize', 10, '', 'f 1x1x5x5 ~44|f 4 1 1 0.6 0.5'],
  ['Resize', 13, 'mode=s:cubic exclude_outside=i:1', 'f 1x1x4x4 ~45|-|f 4 1 1 0.8 1.5'],
  ['Resize', 13, 'mode=s:cubic coordinate_transformation_mode=s:tf_crop_and_resize extrapolation_value=f:9',
    'f 1x1x4x4 ~45|f 8 0 0 -0.1 0.2 1 1 0.9 1.3|-|l 4 1 1 3 5'],
  ['Resize', 13, 'mode=s:linear coordinate_transformation_mode=s:tf_crop_and_resize extrapolation_value=f:9',
    'f 1x1x4x4 ~45|f 8 0 0 -0.1 0.2 1 1 0.9 1.3|-|l 4 1 1 3 5'],
  ['Resize', 13, 'mode=s:nearest coordinate_transformation_mode=s:tf_crop_and_resize extrapolation_value=f:9',
    'f 1x1x4x4 ~45|f 8 0 0 -0.1 0.2 1 1 0.9 1.3|-|l 4 1 1 3 5'],
  ['Resize', 18, 'axes=I:2,3 keep_aspect_ratio_policy=s:not_larger mode=s:linear', 'f 1x1x4x6 ~46|-|-|l 2 7 8'],
  ['Resize', 18, 'axes=I:3,2 keep_aspect_ratio_policy=s:not_smaller mode=s:nearest', 'f 1x1x4x6 ~46|-|-|l 2 7 8'],
  ['Resize', 19, 'mode=s:linear coordinate_transformation_mode=s:half_pixel_symmetric',
   'f 1x1x4x4 ~46|-|f 4 1 1 0.6 2.3'],
  ['Resize', 11, 'coordinate_transformation_mode=s:tf_half_pixel_for_nn', 'f 1x1x4x4 ~46|f 0|f 4 1 1 2 1.7'],
]);
for (const mode of ['nearest', 'linear', 'cubic'])
  for (const where of ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'])
    for (const sizes of ['1 1 7 6', '1 1 3 1'])
      cases.push(['Resize', 13, `mode=s:${mode} coordinate_transformation_mode=s:${where}`,
                  `f 1x1x4x5 ~47|-|-|l 4 ${sizes}`]);
for (const round of ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'])
  for (const scale of ['2 2', '0.5 0.6'])
    cases.push(['Resize', 13, `nearest_mode=s:${round}`, `f 1x2x4x5 ~48|-|f 4 1 1 ${scale}`]);

cases.push(...require('./golden_more.js'), ...require('./golden_types.js'));

// ---- text to tensors ----

const types = {f: ['float32', 1, Float32Array], d: ['float64', 11, Float64Array], l: ['int64', 7, BigInt64Array],
  i: ['int32', 6, Int32Array], b: ['bool', 9, Uint8Array], B: ['uint8', 2, Uint8Array], c: ['int8', 3, Int8Array],
  h: ['float16', 10, Uint16Array], s: ['int16', 5, Int16Array], S: ['uint16', 4, Uint16Array],
  I: ['uint32', 12, Uint32Array], L: ['uint64', 13, BigUint64Array]};

// float16 travels as its bits.
function toHalf(v) {
  const sign = v < 0 || Object.is(v, -0) ? 0x8000 : 0, a = Math.abs(v);
  if (Number.isNaN(v)) return 0x7e00;
  if (a >= 65520) return sign | 0x7c00;
  const e = Math.max(a > 0 ? Math.floor(Math.log2(a)) : -14, -14), unit = 2 ** (e - 10), steps = a / unit;
  let n = Math.floor(steps);
  if (steps - n > 0.5 || (steps - n === 0.5 && n % 2)) n++;
  return sign | (((e + 14) << 10) + n);
}
function fromHalf(h) {
  const e = h >> 10 & 31, m = h & 1023, sign = h & 0x8000 ? -1 : 1;
  if (e === 31) return m ? NaN : sign * Infinity;
  return sign * (e ? (1024 + m) * 2 ** (e - 25) : m * 2 ** -24);
}

function random(n, seed) {
  const list = [];
  for (let i = 0; i < n; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    list.push(((seed >>> 8) % 2049 - 1024) / 512);
  }
  return list;
}

function tensor(text) {
  const [letter, shape, ...values] = text.split(/ +/);
  const dims = shape === 'scalar' ? [] : shape.split('x').map(Number);
  const n = dims.reduce((a, b) => a * b, 1);
  const list = values[0] && values[0][0] === '~' ? random(n, Number(values[0].slice(1))) : values;
  if (list.length !== n) throw new Error('values: ' + text);
  const [name, number, array] = types[letter];
  const number_of = v => Number(String(v).replace('inf', 'Infinity'));
  const value = 'lL'.includes(letter) ? BigInt : letter === 'h' ? v => toHalf(number_of(v)) : number_of;
  return {name, number, dims, data: array.from(list, value)};
}

function text(t) {
  const letter = Object.keys(types).find(k => types[k][0] === t.type);
  let data = t.data;
  if (letter === 'h') data = Array.from(new Uint16Array(data.buffer, data.byteOffset, data.length), fromHalf);
  const values = Array.from(data, v => letter === 'f' ? String(Number(v.toPrecision(8))) : String(v)).map(v =>
    v.replace('Infinity', 'inf').replace('NaN', 'nan'));
  return [letter, t.dims.length ? t.dims.join('x') : 'scalar', ...values].join(' ');
}

// A C string, in pieces that fit the line.
const literal = s => s.match(/.{1,110}/g).map(part => '    "' + part + '"').join('\n');

// ---- a model of one node, in the protobuf wire format ----

function varint(v) {
  const out = [];
  v = BigInt.asUintN(64, BigInt(v));
  do { const b = Number(v & 127n); v >>= 7n; out.push(v ? b | 128 : b); } while (v);
  return Buffer.from(out);
}
const int = (field, v) => Buffer.concat([varint(field << 3), varint(v)]);
const bytes = (field, b) => {
  b = Buffer.from(b);
  return Buffer.concat([varint(field << 3 | 2), varint(b.length), b]);
};
const float = (field, v) => {
  const b = Buffer.alloc(4);
  b.writeFloatLE(v);
  return Buffer.concat([varint(field << 3 | 5), b]);
};
const join = (...parts) => Buffer.concat(parts);

function attribute(word) {
  const [, name, kind, value] = /^(\w+)=(\w):(.*)$/.exec(word);
  const list = value.split(',');
  const body = {
    i: () => join(int(3, value), int(20, 2)),
    f: () => join(float(2, Number(value)), int(20, 1)),
    s: () => join(bytes(4, value), int(20, 3)),
    I: () => join(...list.map(v => int(8, v)), int(20, 7)),
    F: () => join(...list.map(v => float(7, Number(v))), int(20, 6)),
    t: () => {
      const t = tensor(value.replace(/,/g, ' '));
      return join(bytes(5, join(...t.dims.map(d => int(1, d)), int(2, t.number),
                                bytes(9, Buffer.from(t.data.buffer)))), int(20, 4));
    }}[kind]();
  return bytes(5, join(bytes(1, name), body));
}

function model(op, opset, attrs, inputs, nout) {
  const outs = Array.from({length: nout}, (_, i) => 'y' + i);
  const node = join(...inputs.map((t, i) => bytes(1, t ? 'x' + i : '')), ...outs.map(o => bytes(2, o)), bytes(4, op),
    ...attrs.split(' ').filter(Boolean).map(attribute));
  const value = (name, t) => bytes(11, join(bytes(1, name), bytes(2, bytes(1, join(int(1, t.number),
    bytes(2, join(...t.dims.map(d => bytes(1, int(1, d))))))))));
  const graph = join(bytes(1, node), bytes(2, 'g'), ...inputs.map((t, i) => t ? value('x' + i, t) : Buffer.alloc(0)),
    ...outs.map(o => bytes(12, bytes(1, o))));
  return join(int(1, opset > 20 ? 10 : 8), bytes(7, graph), bytes(8, int(2, opset)));
}

async function main() {
  console.log('/* tests/core/ops/golden.inc - what ONNX Runtime %s gives. Made by golden.js. */',
              require('onnxruntime-node/package.json').version);
  for (const [op, opset, attrs, input, nout = 1] of cases) {
    const inputs = input.split('|').map(t => t === '-' ? null : tensor(t));
    try {
      const session = await ort.InferenceSession.create(model(op, opset, attrs, inputs, nout),
        {graphOptimizationLevel: 'disabled', logSeverityLevel: 4});
      const feeds = {};
      inputs.forEach((t, i) => { if (t) feeds['x' + i] = new ort.Tensor(t.name, t.data, t.dims); });
      const result = await session.run(feeds);
      const out = Array.from({length: nout}, (_, i) => text(result['y' + i])).join('|');
      console.log('{"%s", %d, "%s",\n%s,\n%s},', op, opset, attrs, literal(input), literal(out));
    } catch (e) {
      console.error('%s %d [%s] %s: %s', op, opset, attrs, input, e.message);
    }
  }
}
main();
