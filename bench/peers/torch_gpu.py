#!/usr/bin/env python3
"""What PyTorch takes on this GPU for the work that `tocsin bench --device cuda` measures, in the same cases and under the
same names.

    torch_gpu.py [--device cuda] [--only NAME] [--repeat N] [--seconds S]

PyTorch is shown at its best: every likely way of running a case is tried (memory layouts; f32 with TF32, bf16
autocast; eager, torch.compile, a captured CUDA graph), a way that fails is left out with a word on standard error, and
the fastest that computes in a given precision counts. One JSON object a line on standard output for each way:

    {"name", "op", "batch", "precision", "ms", "way"}

All cases are run in one way before the next is begun, those that take long to prepare last, so that all have a time
wherever it is broken off.

ms is the median over --repeat measurements of the mean of as many calls as fill a moment, with the GPU waited for at the
end of each measurement and not in between. Ops:
    train      loss, gradient, SGD with momentum and weight decay (training mode)
    gradmatch  one gradient-matching step: the gradient by all parameters, its cosine to a fixed one, and the gradient of
               that by the images (evaluation mode; double backward)
    hvp        Hessian-vector product by double backward (training mode)
bf16 autocast is tried for `train` only: autograd's double backward is compared in f32 and TF32."""
import argparse
import contextlib
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

with contextlib.suppress(ImportError):  # not every PyTorch has it, or has it there unasked
    import torch._dynamo

ap = argparse.ArgumentParser()
ap.add_argument("--device", default="cuda")
ap.add_argument("--only", default="")
ap.add_argument("--repeat", type=int, default=5)
ap.add_argument("--seconds", type=float, default=150,
                help="after so many no way is begun of running a case that has a time already")
args = ap.parse_args()
device = torch.device(args.device)
on_gpu = device.type == "cuda"
began = time.perf_counter()
torch.manual_seed(0)
torch.backends.cudnn.benchmark = True


# ---- the networks, as in the zoo ----

class Block(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        same = stride == 1 and inside == outside
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """For 32x32 images: a 3x3 stem, no max pooling."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        blocks, inside = [], width
        for stage in range(4):
            outside = width << stage
            for i in range(2):
                blocks.append(Block(inside, outside, 2 if stage and not i else 1))
                inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(inside, 10)

    def forward(self, x):
        y = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.linear(y.mean((2, 3)))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 784), nn.LeakyReLU(0.2), nn.Linear(784, 784),
                         nn.LeakyReLU(0.2), nn.Linear(784, 10))


CASES = [  # name, network, image, batch, ops; as bench.c has them
    ("resnet18-w64-b128", lambda: ResNet18(64), (3, 32, 32), 128, ("train", "gradmatch", "hvp")),
    ("resnet18-w64-b512", lambda: ResNet18(64), (3, 32, 32), 512, ("train", "gradmatch")),
    ("lenet-b128", lenet, (1, 28, 28), 128, ("train", "hvp")),
    ("mlp-b128", mlp, (1, 28, 28), 128, ("train", "hvp")),
]


# ---- the work ----

def wait():
    if on_gpu:
        torch.cuda.synchronize()


def train_step(net, x, y, precision):
    net.train()
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, foreach=True)
    cast = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()

    def step():
        optimiser.zero_grad(set_to_none=True)
        with cast:
            loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimiser.step()

    return step


def dot(a, b):
    return sum((p * q).sum() for p, q in zip(a, b))


def hvp_step(net, x, y, precision):
    net.train()
    params = list(net.parameters())
    v = [torch.randn_like(p) for p in params]

    def step():
        g = torch.autograd.grad(F.cross_entropy(net(x), y), params, create_graph=True)
        return torch.autograd.grad(dot(g, v), params)

    return step


def gradmatch_step(net, x, y, precision):
    net.eval()
    params = list(net.parameters())
    v = [torch.randn_like(p) for p in params]
    size = dot(v, v).sqrt()
    delta = torch.zeros_like(x, requires_grad=True)

    def step():
        g = torch.autograd.grad(F.cross_entropy(net(x + delta), y), params, create_graph=True)
        return torch.autograd.grad(1 - dot(g, v) / (dot(g, g).sqrt() * size), [delta])

    return step


STEPS = {"train": train_step, "hvp": hvp_step, "gradmatch": gradmatch_step}


def captured(step):
    """The step as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


# ---- measuring ----

def median_ms(step):
    for _ in range(3):
        step()
    wait()
    start = time.perf_counter()
    step()
    wait()
    once = time.perf_counter() - start
    calls = max(1, min(200, int(0.1 / max(once, 1e-6)))) if on_gpu else 1
    times = []
    for _ in range(args.repeat):
        start = time.perf_counter()
        for _ in range(calls):
            step()
        wait()
        times.append((time.perf_counter() - start) / calls)
    return 1e3 * sorted(times)[len(times) // 2]


PASSES = 4  # over all cases


def ways(op, name, turn):
    """(precision, channels last, compiled, captured) of one pass over the cases."""
    resnet = name.startswith("resnet")
    for precision in ("tf32", "f32", "bf16") if op == "train" else ("tf32", "f32"):
        best = resnet and precision != "f32"  # what is likely: tensor cores want channels last, plain floats planes
        if turn == 0:
            yield precision, best, False, on_gpu
        elif turn == 1 and on_gpu:
            yield precision, best, False, False
        elif turn == 2 and on_gpu and op == "train":
            yield precision, best, True, True
        elif turn == 3 and resnet:
            yield precision, not best, False, on_gpu
            if on_gpu and op == "train":
                yield precision, not best, True, True


def run(make, image, batch, op, way):
    precision, last, compiled, graph = way
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "f32"
    net, x = make().to(device), torch.randn(batch, *image, device=device)
    y = torch.randint(0, 10, (batch,), device=device)
    if last:
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if compiled:  # for these sizes alone, and as if it were the first: after a few others Dynamo would give up
        torch._dynamo.reset()
        net = torch.compile(net, dynamic=False)
    step = STEPS[op](net, x, y, precision)
    return median_ms(captured(step) if graph else step)


def describe(way):
    precision, last, compiled, graph = way
    return " ".join(["channels-last" if last else "channels-first", "torch.compile" if compiled else "eager"] +
                    ["graph"] * graph)


def cases():
    """Every way of running every case, in the order in which they are tried."""
    for turn in range(PASSES):
        for name, make, image, batch, ops in CASES:
            for op in ops if args.only in name else ():
                for way in ways(op, name, turn):
                    yield name, make, image, batch, op, way


def main():
    known, uncompiled = set(), 0
    for name, make, image, batch, op, way in cases():
        key = name, op, way[0]
        if (time.perf_counter() - began > args.seconds and key in known) or (way[2] and uncompiled > 2):
            continue
        try:
            ms = run(make, image, batch, op, way)
        except Exception as why:  # a way that this PyTorch, or this machine, has not
            print(f"{name} {op} {way[0]} {describe(way)}: {type(why).__name__}: {str(why).splitlines()[:1]}", file=sys.stderr,
                  flush=True)
            uncompiled += way[2]  # for want of a compiler, or of Triton: the next would fail as well
            with contextlib.suppress(Exception):
                wait()
            continue
        known.add(key)
        print(json.dumps({"name": name, "op": op, "batch": batch, "precision": way[0], "ms": round(ms, 4),
                          "way": describe(way)}), flush=True)


main()
