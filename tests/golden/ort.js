#!/usr/bin/env node
'use strict';
// tests/golden/ort.js - what ONNX Runtime (npm package onnxruntime-node) gives for models.
//   node ort.js FOLDER           for each NAME.in.npy, NAME.in2.npy ... beside NAME.onnx: NAME.out.npy, NAME.out2.npy ...
//   node ort.js same A B         do models A and B give the same outputs, names and bytes, for the same made-up inputs?
// Exit status 1: they differ, or a model does not run; 3: onnxruntime-node is not there; 4: ONNX Runtime has no kernels for
// either model.
const fs = require('fs');
const path = require('path');
let ort;
try { ort = require('onnxruntime-node'); } catch (e) {
  console.error('onnxruntime-node is not here: npm install --ignore-scripts onnxruntime-node, and set NODE_PATH');
  process.exit(3);
}

// ---- .npy ----

const KINDS = {
  '<f4': ['float32', Float32Array], '<f8': ['float64', Float64Array], '<f2': ['float16', Uint16Array],
  '|u1': ['uint8', Uint8Array], '|i1': ['int8', Int8Array], '<i4': ['int32', Int32Array], '<i8': ['int64', BigInt64Array],
  '|b1': ['bool', Uint8Array],
};

function read(file) {
  const b = fs.readFileSync(file);
  const start = b[6] === 1 ? 10 + b.readUInt16LE(8) : 12 + b.readUInt32LE(8);
  const head = b.toString('latin1', 0, start);
  const [type, List] = KINDS[/'descr': *'([^']+)'/.exec(head)[1]];
  const dims = /'shape': *\(([^)]*)\)/.exec(head)[1].split(',').map((s) => s.trim()).filter((s) => s).map(Number);
  const bytes = new Uint8Array(b.subarray(start));
  return new ort.Tensor(type, view(List, bytes), dims);
}

function view(List, bytes) {
  return new List(bytes.buffer, bytes.byteOffset, bytes.byteLength / List.BYTES_PER_ELEMENT);
}

function bytesOf(t) {
  return Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength);
}

function write(file, t) {
  const kind = Object.keys(KINDS).find((k) => KINDS[k][0] === t.type);
  const dims = t.dims.length === 1 ? t.dims[0] + ',' : t.dims.join(', ');
  let head = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${dims}), }`;
  head += ' '.repeat((64 - (11 + head.length) % 64) % 64) + '\n';
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00' + head, 'latin1');
  start.writeUInt16LE(head.length, 8);
  fs.writeFileSync(file, Buffer.concat([start, bytesOf(t)]));
}

// ---- sessions ----

// One thread, and no optimisation: it takes a Pad by zeros into a MaxPool (whose padding is below all numbers), and what
// is compared to the bit must not depend on what it makes of names.
const OPTIONS = { executionProviders: ['cpu'], graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, interOpNumThreads: 1,
  logSeverityLevel: 3 };

async function run(file, feeds) {
  const session = await ort.InferenceSession.create(file, OPTIONS);
  const given = feeds(session);
  const results = await session.run(given);
  return session.outputNames.map((name) => ({ name, tensor: results[name] }));
}

// Seeded numbers in [-1, 1), small whole numbers, alternating truths; free dimensions: 2 images, then 64 pixels.
function madeUp(session) {
  const feeds = {};
  let seed = 1;
  const next = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2147483648 - 1;
  };
  for (const m of session.inputMetadata) {
    const dims = m.shape.map((d, i) => (typeof d === 'number' && d > 0 ? d : i === 0 ? 2 : 64));
    const n = dims.reduce((a, d) => a * d, 1);
    const [, List] = Object.values(KINDS).find((k) => k[0] === m.type);
    const data = new List(n);
    const half = () => (next() < 0 ? 0x8000 : 0) | (0x3000 + Math.floor((next() + 1) * 0x400));
    for (let i = 0; i < n; i++) {
      const x = next();
      if (m.type === 'int64') data[i] = BigInt(Math.floor((x + 1) * 2));
      else if (m.type === 'float16') data[i] = half();
      else data[i] = m.type.startsWith('float') ? x : Math.floor((x + 1) * (m.type === 'bool' ? 1 : 2));
    }
    feeds[m.name] = new ort.Tensor(m.type, data, dims);
  }
  return feeds;
}

// The operator that ONNX Runtime has no kernel for, or null.
async function missing(file) {
  try { await ort.InferenceSession.create(file, OPTIONS); } catch (e) {
    const m = /Could not find an implementation for (\S+)|Type 'tensor\(bfloat16\)' of .* of operator \((\S+)\)/.exec(
      String(e.message || e));
    if (m) return m[1] || m[2];
    throw e;
  }
  return null;
}

async function same(a, b) {
  const absent = await missing(a);
  if (absent && absent === await missing(b)) {
    process.exitCode = 4;
    return `not run: ONNX Runtime has no ${absent} of this type`;
  }
  const x = await run(a, madeUp), y = await run(b, madeUp);
  const text = (list) => JSON.stringify(list.map((o) => [o.name, o.tensor.type, o.tensor.dims]));
  if (text(x) !== text(y)) throw new Error(`outputs are ${text(x)} and ${text(y)}`);
  let values = 0;
  x.forEach((o, i) => {
    if (!bytesOf(o.tensor).equals(bytesOf(y[i].tensor))) throw new Error(`output '${o.name}' differs`);
    values += o.tensor.data.length;
  });
  return `${x.length} output${x.length === 1 ? '' : 's'}, ${values} values, the same to the bit in ONNX Runtime`;
}

async function golden(folder) {
  for (const file of fs.readdirSync(folder).sort()) {
    const m = /^(.*)\.in(\d*)\.npy$/.exec(file);
    if (!m) continue;
    const x = read(path.join(folder, file));
    try {
      const out = await run(path.join(folder, m[1] + '.onnx'), (session) => ({ [session.inputNames[0]]: x }));
      write(path.join(folder, `${m[1]}.out${m[2]}.npy`), out[0].tensor);
    } catch (e) {
      console.error(`${m[1]}: ${String(e.message || e).split('\n')[0]}`);
      process.exitCode = 1;
    }
  }
}

const [first, ...rest] = process.argv.slice(2);
(first === 'same' ? same(...rest).then(console.log) : golden(first))
  .catch((e) => { console.error(String(e.message || e).split('\n')[0]); process.exit(1); });
