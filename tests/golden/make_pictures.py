#!/usr/bin/env python3
"""Writes small pictures of every kind into pictures/, and into pictures/expected.npz what Pillow reads in them: (H, W, 3),
uint8, after ImageOps.exif_transpose and convert('RGB'); and what Image.resize makes of resize.png.

The one exception: 16-bit grey is its upper byte, where Pillow's convert saturates at 255.
Usage: make_pictures.py    (needs numpy and Pillow; the checked-in files are those of Pillow 9.4)
"""
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures")
HIGH, WIDE = 11, 19
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
SIZES = [(23, 31), (10, 14), (4, 31), (23, 5), (40, 50), (1, 1), (22, 30), (60, 7)]


def scene(high, wide, channels, seed=1):
    """Waves and some noise, 0 to 255, as float."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:high, 0:wide]
    planes = [127 + 90 * np.sin(x * (0.3 + 0.2 * k) + 1.3 * k) * np.cos(y * (0.5 - 0.1 * k)) + rng.uniform(-37, 37, (high, wide))
              for k in range(channels)]
    return np.clip(np.stack(planes, 2), 0, 255)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def scan_lines(values, depth):
    """Rows (high, wide, channels) of `depth` bits, unfiltered: a zero byte before each."""
    out = b""
    for row in values:
        flat = row.ravel().astype(int)
        if depth == 16:
            packed = flat.astype(">u2").tobytes()
        else:
            bits = "".join(format(v, "0%db" % depth) for v in flat)
            bits += "0" * (-len(bits) % 8)
            packed = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
        out += b"\0" + packed
    return out


def png(values, colour, depth, extra=b"", interlaced=False, size=None):
    high, wide = size or values.shape[:2]
    body = scan_lines(values, depth)
    if interlaced:
        steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        parts = [values[y::dy, x::dx] for y, x, dy, dx in steps]
        body = b"".join(scan_lines(p, depth) for p in parts if p.size)
    head = struct.pack(">IIBBBBB", wide, high, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(body, 9))
            + chunk(b"IEND", b""))


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def exif(orientation, order):
    mark, e = (b"II", "<") if order == "II" else (b"MM", ">")
    other = struct.pack(e + "HHIHH", 0x0128, 3, 1, 2, 0)                # ResolutionUnit, so that it is not the first
    entry = struct.pack(e + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(e + "HIH", 42, 8, 2) + other + entry + struct.pack(e + "I", 0)


def segment_at(data, marker):
    """(first, end) of a JPEG's segment."""
    at = 2
    while data[at + 1] != marker:
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    return at, at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]


def png_files():
    files = {}
    for depth in (1, 2, 4, 8, 16):
        grey = np.floor(scene(HIGH, WIDE, 1) / 256 * 2 ** depth)
        files["grey%d.png" % depth] = png(grey, GREY, depth)
    rng = np.random.RandomState(5)
    for depth in (1, 2, 4, 8):
        count = min(2 ** depth, 40)
        index = rng.randint(0, count, (HIGH, WIDE, 1))
        colours = chunk(b"PLTE", rng.randint(0, 256, 3 * count).astype(np.uint8).tobytes())
        files["palette%d.png" % depth] = png(index, PALETTE, depth, colours)
        clear = chunk(b"tRNS", bytes(range(0, 2 * count, 2)))
        if depth in (1, 8):
            files["palette%d_clear.png" % depth] = png(index, PALETTE, depth, colours + clear)
    for depth in (8, 16):
        scale = 2.0 ** (depth - 8)
        files["rgb%d.png" % depth] = png(np.floor(scene(HIGH, WIDE, 3) * scale), RGB, depth)
        files["grey_alpha%d.png" % depth] = png(np.floor(scene(HIGH, WIDE, 2) * scale), GREY_ALPHA, depth)
        files["rgb_alpha%d.png" % depth] = png(np.floor(scene(HIGH, WIDE, 4) * scale), RGB_ALPHA, depth)
    rgb, grey = np.floor(scene(HIGH, WIDE, 3)), np.floor(scene(HIGH, WIDE, 1))
    files["rgb8_clear.png"] = png(rgb, RGB, 8, chunk(b"tRNS", struct.pack(">HHH", *rgb[2, 3].astype(int))))
    files["grey8_clear.png"] = png(grey, GREY, 8, chunk(b"tRNS", struct.pack(">H", int(grey[0, 0, 0]))))
    files["rgb8_interlaced.png"] = png(rgb, RGB, 8, interlaced=True)
    files["grey4_interlaced.png"] = png(np.floor(grey / 16), GREY, 4, interlaced=True)
    files["rgb8_gamma.png"] = png(rgb, RGB, 8, chunk(b"gAMA", struct.pack(">I", 100000)))
    files["rgb8_turned.png"] = png(rgb, RGB, 8, chunk(b"eXIf", exif(6, "MM")))
    files["resize.png"] = png(np.floor(scene(23, 31, 3, seed=2)), RGB, 8)
    return files


def jpeg_files():
    files = {}
    rgb = Image.fromarray(scene(HIGH, WIDE, 3).astype(np.uint8))
    cmyk = Image.fromarray(scene(HIGH, WIDE, 4).astype(np.uint8), "CMYK")
    files["rgb444.jpg"] = jpeg(rgb, quality=90, subsampling=0)
    files["rgb422.jpg"] = jpeg(rgb, quality=75, subsampling=1)
    files["rgb420.jpg"] = jpeg(rgb, quality=75, subsampling=2)
    files["progressive.jpg"] = jpeg(rgb, quality=75, progressive=True)
    files["grey.jpg"] = jpeg(rgb.convert("L"), quality=75)
    files["cmyk_adobe.jpg"] = data = jpeg(cmyk, quality=90)
    first, end = segment_at(data, 0xEE)
    files["cmyk_bare.jpg"] = data[:first] + data[end:]
    files["ycck.jpg"] = data[:end - 1] + b"\2" + data[end:]             # Adobe's transform: 2 is YCCK
    data = bytearray(files["rgb444.jpg"])
    first, end = segment_at(data, 0xC0)
    for k, name in enumerate(b"RGB"):                                   # components of these names are not YCbCr
        data[first + 10 + 3 * k] = name
    scan, _ = segment_at(data, 0xDA)
    for k, name in enumerate(b"RGB"):
        data[scan + 5 + 2 * k] = name
    first, end = segment_at(data, 0xE0)
    files["rgb_plain.jpg"] = bytes(data[:first] + data[end:])
    small = Image.fromarray(scene(5, 9, 3, seed=3).astype(np.uint8))
    for o in range(1, 9):
        block = b"Exif\0\0" + exif(o, "II" if o % 2 else "MM")
        files["turned%d.jpg" % o] = jpeg(small, quality=75, exif=block)
    return files


def huge_files(files):
    """Small files that claim many pixels: not to be read."""
    grey = np.zeros((2, 2, 1))
    data = bytearray(files["rgb420.jpg"])
    first, _ = segment_at(data, 0xC0)
    data[first + 5:first + 9] = struct.pack(">HH", 65500, 65500)
    return {"huge.png": png(grey, GREY, 8, size=(40000, 40000)), "wide.png": png(grey, GREY, 1, size=(1, 70000)),
            "short.png": png(grey, GREY, 8, size=(10000, 10000)), "huge.jpg": bytes(data)}


def expected(name, data):
    image = Image.open(io.BytesIO(data))
    if name == "grey16.png":
        high = (np.asarray(image).astype(int) >> 8).astype(np.uint8)
        return np.stack([high] * 3, 2)
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def main():
    files = dict(png_files(), **jpeg_files())
    arrays = {name: expected(name, data) for name, data in files.items()}
    source = Image.open(io.BytesIO(files["resize.png"]))
    for kind, method in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        for high, wide in SIZES:
            arrays["%s_%dx%d" % (kind, high, wide)] = np.asarray(source.resize((wide, high), method))
    files.update(huge_files(files))
    os.makedirs(HERE, exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(data)
    np.savez_compressed(os.path.join(HERE, "expected.npz"), **arrays)


if __name__ == "__main__":
    main()
