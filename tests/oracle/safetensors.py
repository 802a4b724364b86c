"""A reader and a writer of safetensors files in a page, for the scripts of this folder.

A file is the header's length (8 bytes, little endian), a JSON header and the tensors' bytes, back to back.
"""
import json
import struct

import numpy as np

TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64}
NAMES = {np.dtype(numpy_type): name for name, numpy_type in TYPES.items()}


def write(path, tensors):
    """tensors: {name: numpy array}"""
    header, chunks, at = {}, [], 0
    for name, array in tensors.items():
        chunk = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + len(chunk)]}
        at += len(chunk)
        chunks.append(chunk)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def read(path):
    with open(path, "rb") as file:
        text = file.read(struct.unpack("<Q", file.read(8))[0])
        data = file.read()
    tensors = {}
    for name, entry in json.loads(text).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors
