"""Pictures drawn by the tests themselves: hills, by day or by night."""

import struct
import zlib

import numpy as np


def png(pixels):
    """Return uint8 pixels (height, width, 3) as the bytes of a PNG file."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def hills(seed, night=False, size=(420, 280)):
    """Return the bytes of a PNG file."""
    rng = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[:height, :width]
    pixels = np.empty((height, width, 3))
    pixels[:] = (24, 32, 66) if night else (150, 205, 232)
    centre_x, centre_y = rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.35) * height
    pixels[(x - centre_x) ** 2 + (y - centre_y) ** 2 < (height / 12) ** 2] = (
        (235, 235, 220) if night else (250, 215, 120)
    )
    for ridge in range(3):
        top = height * (0.5 + 0.15 * ridge) + height / 12 * np.sin(x / (45 + 25 * ridge) + rng.uniform(0, 6))
        pixels[y > top] = np.array([62 + 22 * ridge, 110 + 18 * ridge, 80]) * (0.35 if night else 1)
    return png(pixels.astype(np.uint8))
