#!/usr/bin/env python3
"""Writes tests/zoo/torch_tensors.h: names and shapes of every network's tensors, as PyTorch has them.

    python3 tests/oracle/tensors.py > tests/zoo/torch_tensors.h

Needs PyTorch (Debian: python3-torch, run with /usr/bin/python3). The header is committed; run this again when a
network is added to networks.py.
"""
import json
import textwrap
import networks

print("/* torch_tensors.h — what PyTorch calls the tensors of each network at its default width, and their shapes, in the")
print(" * order of its state_dict. Written by tests/oracle/tensors.py; not to be edited. */")
print("/* clang-format off */")
print("static const struct {\n    const char *model, *setting;\n    int side, channels;\n    size_t parameters;")
print('    const char *const *tensors; /* "NAME:SIZExSIZE…"; a single number has no sizes; NULL ends */\n} torch_networks[] = {')
for name, (task, _, _) in networks.NETWORKS.items():
    net = networks.build(name)
    words = " ".join(f"\"{key}:{'x'.join(map(str, value.shape))}\"," for key, value in net.state_dict().items())
    setting = json.dumps("layers=" + networks.LAYERS) if name == "sequential" else "NULL"
    print(f'    {{"{name}", {setting}, {task[1]}, {task[0]}, {sum(p.numel() for p in net.parameters())},')
    print("     (const char *const[]){")
    for line in textwrap.wrap(words + " NULL}},", 110, break_on_hyphens=False, break_long_words=False):
        print("     " + line)
print("};")
