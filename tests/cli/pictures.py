# pictures.py — PNG files of noise for the tests that need folders of pictures.
#     pictures.py WIDTHxHEIGHT[g] FILE…     g: grey; folders are made, the noise depends on the file's name alone
import os, random, struct, sys, zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


size, files = sys.argv[1], sys.argv[2:]
w, h = (int(side) for side in size.rstrip("g").split("x"))
channels = 1 if size.endswith("g") else 3
for name in files:
    draw = random.Random(os.fsencode(name))
    rows = b"".join(b"\0" + draw.getrandbits(8 * channels * w).to_bytes(channels * w, "big") for _ in range(h))
    head = struct.pack(">IIBBBBB", w, h, 8, 0 if channels == 1 else 2, 0, 0, 0)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
