'use strict';
// More cases of golden.js: volumes, 16-bit numbers, sampling and detection, and what opsets 18 to 21 changed.
const cases = [
  ['Conv', 11, 'pads=I:1,0,1,0,2,1 strides=I:2,1,2', 'f 2x2x4x5x3 ~50|f 4x2x3x2x3 ~51|f 4 ~52'],
  ['Conv', 11, 'group=i:2 auto_pad=s:SAME_UPPER strides=I:1,1,2', 'f 1x4x3x5x4 ~50|f 4x2x2x2x2 ~51'],
  ['Conv', 11, 'group=i:3 auto_pad=s:SAME_LOWER', 'f 1x3x2x3x3 ~50|f 6x1x2x2x1 ~51|f 6 ~52'],
  ['Conv', 1, 'kernel_shape=I:2 pads=I:3,0', 'f 2x2x4 ~50|f 3x2x2 ~51'],
  ['ConvTranspose', 11, 'strides=I:2,1,3 pads=I:1,0,1,0,1,0 output_padding=I:1,0,2 group=i:2',
    'f 1x4x2x3x2 ~53|f 4x2x2x3x3 ~54|f 4 ~55'],
  ['ConvTranspose', 11, 'dilations=I:2,1,2 strides=I:1,2,1', 'f 2x1x2x2x3 ~53|f 1x3x2x2x2 ~54'],
  ['ConvTranspose', 11, 'strides=I:2 dilations=I:2 pads=I:2,3', 'f 1x2x5 ~53|f 2x1x3 ~54'],
  ['MaxPool', 12, 'kernel_shape=I:2,3,2 strides=I:1,2,2 pads=I:1,1,0,0,1,1', 'f 1x2x3x5x4 ~56', 2],
  ['MaxPool', 12, 'kernel_shape=I:2,2,2 storage_order=i:1 dilations=I:1,2,1', 'f 2x1x3x4x3 ~56', 2],
  ['MaxPool', 12, 'kernel_shape=I:2,2,2 strides=I:2,2,2 ceil_mode=i:1', 'f 1x1x3x5x4 ~56'],
  ['MaxPool', 12, 'kernel_shape=I:2,2 pads=I:1,0,0,1', 'c 1x1x3x3 -5 -9 -7 -1 -128 -3 -2 -4 -6'],
  ['MaxPool', 12, 'kernel_shape=I:2,2', 'B 1x1x2x3 5 200 7 1 255 3', 2],
  ['MaxPool', 12, 'kernel_shape=I:2', 'd 1x1x4 1 0.5 -2 3'],
  ['AveragePool', 11, 'kernel_shape=I:2,3,2 strides=I:2,2,1 pads=I:1,1,0,0,1,1 count_include_pad=i:1',
    'f 1x2x4x5x3 ~57'],
  ['AveragePool', 11, 'kernel_shape=I:2,2,2 auto_pad=s:SAME_UPPER strides=I:2,2,2', 'f 1x2x3x5x3 ~57'],
  ['AveragePool', 19, 'kernel_shape=I:2,2 dilations=I:2,3 pads=I:1,1,1,0 count_include_pad=i:1', 'f 1x1x5x5 ~57'],
  ['AveragePool', 19, 'kernel_shape=I:2,2,2 ceil_mode=i:1 strides=I:2,2,2', 'f 1x1x3x5x5 ~57'],
  ['LpPool', 18, 'kernel_shape=I:2,2,2 p=i:1 strides=I:1,2,1', 'f 1x2x3x4x3 ~58'],
  ['LpPool', 18, 'kernel_shape=I:2,2 p=i:2 dilations=I:2,1', 'f 1x2x4x3 ~58'],
  ['LpPool', 18, 'kernel_shape=I:3 ceil_mode=i:1 strides=I:2', 'f 1x2x6 ~58'],
  ['GlobalMaxPool', 11, '', 'f 1x2x2x2x3 ~59'],
  ['GlobalAveragePool', 11, '', 'f 1x2x2x2x3 ~59'],
  ['GlobalLpPool', 2, '', 'f 1x2x7 ~59'],
  ['BatchNormalization', 15, '', 'f 2x2x1x2x3 ~59|f 2 1 2|f 2 0.5 -0.5|f 2 0.25 0|f 2 1 0.5'],
  ['InstanceNormalization', 6, '', 'f 2x2x1x2x3 ~59|f 2 1 2|f 2 0.5 -0.5'],

  ['Add', 14, '', 'h 4 1 2.5 -3 60000|h 4 0.1 1 2 60000'],
  ['Sigmoid', 13, '', 'h 3 -2 0 3'],
  ['Conv', 11, 'pads=I:1,1,1,1', 'h 1x2x4x4 ~60|h 3x2x3x3 ~61|h 3 ~62'],
  ['MatMul', 13, '', 'h 2x3 ~60|h 3x4 ~61'],
  ['MaxPool', 12, 'kernel_shape=I:2,2', 'h 1x1x3x3 ~62'],
  ['Softmax', 13, '', 'h 2x3 ~60'],
  ['ReduceMean', 18, '', 'h 2x3x2 ~60|l 1 1'],
  ['Gemm', 13, 'alpha=f:0.5', 'd 2x3 ~60|d 3x2 ~61'],
  ['MatMul', 13, '', 'd 2x3 ~60|d 3x4 ~61'],
  ['MatMul', 13, '', 'i 2x3 1 2 3 4 5 6|i 3x2 1 -1 2 -2 3 -3'],
  ['ReduceMax', 13, 'axes=I:1', 'B 2x3 1 255 3 0 0 7'],
  ['ReduceMin', 13, 'axes=I:0', 'c 2x3 1 -128 3 0 0 7'],
  ['Gemm', 13, 'transA=i:1 transB=i:1 beta=f:2', 'd 3x2 ~60|d 4x3 ~61|d 4 ~62'],
  ['MatMul', 13, '', 'd 2x1x2x3 ~60|d 2x3x2 ~61'],
  ['MatMul', 13, '', 'l 3 1 2 3|l 3 4 5 6'],
  ['Clip', 13, '', 'B 4 0 9 100 255|B scalar 5|B scalar 200'],
  ['Clip', 13, '', 'c 4 -128 9 100 127|c scalar -5'],

  ['Einsum', 12, 'equation=s:ij,jk->ik', 'f 2x3 ~63|f 3x4 ~64'],
  ['Einsum', 12, 'equation=s:bij,bkj', 'f 2x2x3 ~63|f 2x4x3 ~64'],
  ['Einsum', 12, 'equation=s:...ij,...jk', 'f 2x1x2x3 ~63|f 1x4x3x2 ~64'],
  ['Einsum', 12, 'equation=s:ii->i', 'f 3x3 ~63'],
  ['Einsum', 12, 'equation=s:ii', 'f 3x3 ~63'],
  ['Einsum', 12, 'equation=s:i,j,k->kji', 'f 2 ~63|f 3 ~64|f 2 ~65'],
  ['Einsum', 12, 'equation=s:bhid,bhjd->bhij', 'f 1x2x3x4 ~63|f 1x2x5x4 ~64'],
  ['Einsum', 12, 'equation=s:abc->', 'd 2x3x2 ~63'],
  ['Einsum', 12, 'equation=s:ij->ji', 'l 2x3 1 2 3 4 5 6'],
  ['Einsum', 12, 'equation=s:a...->...a', 'f 2x3x2 ~66'],
  ['NonZero', 13, '', 'f 2x3 0 1 -2 3 0 4'],
  ['NonZero', 13, '', 'b 4 0 1 1 0'],
  ['NonMaxSuppression', 11, '',
    'f 1x4x4 0 0 1 1 0 0.1 1 1.1 0 -0.1 1 0.9 0 10 1 11|' +
    'f 1x2x4 0.9 0.75 0.6 0.95 0.1 0.2 0.9 0.3|l 1 3|f 1 0.5|f 1 0.15'],
  ['NonMaxSuppression', 11, 'center_point_box=i:1',
    'f 2x3x4 0.5 0.5 1 1 0.5 0.6 1 1 0.5 2.5 1 1 0 0 1 1 5 5 1 1 9 9 2 2|' +
    'f 2x1x3 0.9 0.75 0.6 0.5 0.5 0.7|l 1 2|f 1 0.5'],
  ['NonMaxSuppression', 10, '', 'f 1x2x4 0 0 1 1 1 1 0 0|f 1x1x2 0.5 0.5|l 1 9|f 1 0'],
  ['NonMaxSuppression', 11, '', 'f 1x2x4 0 0 1 1 1 1 0 0|f 1x1x2 0.5 0.5'],

  ['GroupNormalization', 18, 'num_groups=i:2', 'f 2x4x3x2 ~67|f 2 1 2|f 2 0.5 -1'],
  ['GroupNormalization', 21, 'num_groups=i:4 epsilon=f:0.1', 'f 1x4x3 ~67|f 4 1 2 3 4|f 4 0 1 -1 2'],
  ['Mish', 18, '', 'd 4 -3 -0.5 0 2'],
  ['Split', 18, 'axis=i:1 num_outputs=i:3', 'f 2x7 ~68', 3],
  ['Split', 18, 'axis=i:-1', 'f 2x5 ~68|l 3 1 0 4', 3],
  ['Pad', 18, 'mode=s:reflect', 'f 2x3x4 ~68|l 4 2 1 1 2|-|l 2 -1 1'],
  ['Pad', 19, 'mode=s:wrap', 'f 2x3 ~68|l 2 -1 3|-|l 1 1'],
  ['Pad', 18, 'mode=s:reflect', 'f 2x5 ~68|l 2 -1 2|-|l 1 1'],
  ['Pad', 18, 'mode=s:edge', 'f 2x5 ~68|l 2 3 -2|-|l 1 1'],
  ['Pad', 18, '', 'f 2x5 ~68|l 2 3 -2|-|l 1 1'],
  ['Pad', 18, 'mode=s:edge', 'f 2x3 ~68|l 2 2 1|-|i 1 0'],
  ['Pad', 18, '', 'l 2x2 1 2 3 4|l 4 0 1 1 0|l scalar -7'],
  ['Pad', 18, '', 'b 2 1 0|l 2 1 1'],
  ['ScatterND', 18, 'reduction=s:max', 'f 4 1 2 3 4|l 3x1 1 3 1|f 3 5 -6 7'],
  ['ScatterND', 18, 'reduction=s:min', 'f 4 1 2 3 4|l 3x1 1 3 1|f 3 5 -6 7'],
  ['ScatterND', 18, 'reduction=s:add', 'l 4 1 2 3 4|l 3x1 1 -1 1|l 3 5 -6 7'],
  ['ScatterElements', 18, 'axis=i:1 reduction=s:max', 'f 2x3 ~69|l 2x2 0 -1 1 0|f 2x2 9 -8 7 -6'],
  ['ScatterElements', 18, 'reduction=s:min', 'f 2x3 ~69|l 2x2 0 1 1 0|f 2x2 9 -8 7 -6'],
  ['ScatterElements', 18, 'reduction=s:mul', 'f 2x3 ~69|l 2x2 0 1 0 1|f 2x2 9 -8 7 -6'],
  ['Equal', 19, '', 'i 3 1 2 3|i scalar 2'],
  ['Equal', 19, '', 'b 2x1 0 1|b 2 1 1'],
  ['Reshape', 19, '', 'f 2x3 ~70|l 2 -1 0'],
  ['Reshape', 21, 'allowzero=i:1', 'f 2x3 ~70|l 2 3 -1'],
  ['Size', 21, '', 'f 2x3 ~70'],
  ['Shape', 21, 'start=i:1', 'f 2x3 ~70'],
  ['Cast', 19, 'to=i:6', 'f 4 1.9 -1.9 0.5 -0.5'],
  ['Cast', 21, 'to=i:10', 'f 4 1.9 -70000 65519 1e-8'],
  ['Cast', 19, 'to=i:1', 'h 3 1.5 -2 65504'],
  ['CastLike', 19, '', 'f 3 1.5 2.5 -1|l 1 0'],
  ['Identity', 21, '', 'i 2 1 2'],
  ['Transpose', 21, 'perm=I:1,0,2', 'l 2x2x1 1 2 3 4'],
  ['Squeeze', 21, '', 'f 1x2x1 1 2|l 1 0'],
  ['Unsqueeze', 21, '', 'f 2 1 2|l 2 0 -1'],
  ['Flatten', 21, 'axis=i:2', 'f 2x3x2 ~19'],
  ['ConstantOfShape', 21, 'value=t:f,1,7', 'l 2 2 3'],
  ['IsInf', 20, '', 'f 3 nan -inf inf'],
  ['IsNaN', 20, '', 'f 3 nan -inf 1'],
  ['QuantizeLinear', 19, '', 'f 4 -9 0.5 3 700|f scalar 0.5|c scalar 3'],
  ['QuantizeLinear', 21, 'axis=i:1 block_size=i:2', 'f 2x4 ~71|f 2x2 0.5 0.25 0.125 1|B 2x2 1 2 3 4'],
  ['QuantizeLinear', 21, 'axis=i:0 block_size=i:2', 'f 3x2 ~71|f 2x2 0.5 0.25 0.125 1|c 2x2 1 2 3 4'],
  ['QuantizeLinear', 21, 'output_dtype=i:3', 'f 4 -9 0.5 3 70|f scalar 0.5'],
  ['DequantizeLinear', 21, 'axis=i:1 block_size=i:2', 'B 2x4 0 9 200 255 1 2 3 4|f 2x2 0.5 0.25 0.125 1|B 2x2 1 2 3 4'],
  ['DequantizeLinear', 21, 'axis=i:-2 block_size=i:3', 'c 4x2 0 9 -100 127 1 2 3 4|f 2x2 0.5 0.25 0.125 1'],
  ['DequantizeLinear', 19, 'axis=i:1', 'i 1x2 70 -5|f 2 0.5 2'],
  ['TopK', 11, 'sorted=i:1', 'd 5 1 3 3 2 5|l 1 4', 2],
  ['DepthToSpace', 13, 'blocksize=i:2', 'd 1x4x1x2 1 2 3 4 5 6 7 8'],
  ['Hardmax', 11, 'axis=i:1', 'f 2x3 1 5 5 2 2 1'],
];
for (const op of ['ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMin', 'ReduceProd',
  'ReduceSumSquare', 'ReduceMean']) {
  cases.push([op, 18, '', 'f 2x3x2 1 2 3 4 5 6 7 8 9 1 2 3|l 2 0 -1']);
  cases.push([op, 18, 'keepdims=i:0 noop_with_empty_axes=i:1', 'f 2x3 1 2 3 4 5 6|l 0']);
  cases.push([op, 18, 'keepdims=i:0', 'i 2x3 1 2 3 4 5 6|l 1 1']);
}
cases.push(['ReduceMax', 20, '', 'b 2x3 0 1 0 0 0 0|l 1 1'], ['ReduceMin', 20, '', 'b 2x3 0 1 0 1 1 1|l 1 1']);
for (const mode of ['nearest', 'linear', 'cubic'])
  for (const padding of ['zeros', 'border', 'reflection'])
    for (const corners of [0, 1])
      cases.push(['GridSample', 20, `mode=s:${mode} padding_mode=s:${padding} align_corners=i:${corners}`,
                  'f 2x2x4x5 ~73|f 2x3x4x2 ~74']);
for (const mode of ['nearest', 'linear'])
  for (const padding of ['zeros', 'border', 'reflection'])
    cases.push(['GridSample', 20, `mode=s:${mode} padding_mode=s:${padding}`, 'f 1x2x2x3x4 ~75|f 1x2x2x3x3 ~76']);
cases.push(['GridSample', 16, 'mode=s:bicubic', 'f 1x1x3x3 ~75|f 1x2x2x2 ~76'],
  ['GridSample', 16, '', 'f 1x1x3x3 ~75|f 1x2x2x2 ~76']);
for (const mode of ['avg', 'max'])
  for (const [opset, where] of [[10, ''], [16, ''], [16, ' coordinate_transformation_mode=s:output_half_pixel']])
    for (const ratio of [0, 2])
      cases.push(['RoiAlign', opset,
                  `mode=s:${mode} output_height=i:3 output_width=i:2 spatial_scale=f:0.5 ` +
                  `sampling_ratio=i:${ratio}${where}`, 'f 2x2x5x6 ~77|f 3x4 0 0 9 8 2 1 5 9.5 -3 4 20 4.5|l 3 0 1 1']);
for (const mode of ['linear', 'cubic'])
  for (const where of ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric', 'half_pixel_symmetric'])
    for (const scale of ['0.6 0.4', '1.5 0.25'])
      for (const outside of [0, 1])
        cases.push(['Resize', 19, `antialias=i:1 exclude_outside=i:${outside} mode=s:${mode} ` +
                    `coordinate_transformation_mode=s:${where}`, `f 1x2x8x9 ~78|-|f 4 1 1 ${scale}`]);
for (const policy of ['stretch', 'not_larger', 'not_smaller'])
  for (const mode of ['nearest', 'linear', 'cubic'])
    cases.push(['Resize', 18, `axes=I:2,3 keep_aspect_ratio_policy=s:${policy} mode=s:${mode} ` +
                `antialias=i:${mode === 'nearest' ? 0 : 1}`, 'f 1x1x7x9 ~79|-|-|l 2 4 3']);
module.exports = cases;
