#!/usr/bin/env python3
"""What PyTorch takes on this machine for the work that `tocsin bench` measures, in the same cases and under the same names.

    torch_peer.py [--device cpu|cuda] [--threads N] [--only NAME] [--repeat N] [--seconds S]

PyTorch is shown at its best: every likely way of running a case is tried (memory layouts; on a GPU also f32 with TF32,
bf16 autocast; eager, torch.compile, a captured CUDA graph), a way that fails is left out with a word on standard error,
and the fastest that computes in a given precision counts. One JSON object a line on standard output for each way:

    {"name", "op", "batch", "precision", "ms", "way"}

All cases are run in one way before the next is begun, those that take long to prepare last, so that all have a time
wherever it is broken off.

ms is the median over --repeat measurements; on a GPU of the mean of as many calls as fill a moment, the GPU waited for at
the end of each measurement and not in between. Ops:
    grad       loss and gradient (training mode)
    train      the same, and SGD with momentum and weight decay
    gradmatch  one gradient-matching step: the gradient by all parameters, its cosine to a fixed one, and the gradient of
               that by the images (evaluation mode; double backward)
    hvp        Hessian-vector product by double backward (training mode)
bf16 autocast is tried for `train` only: autograd's double backward is compared in f32 and TF32."""
import argparse
import contextlib
import json
import os
import sys
import time

ap = argparse.ArgumentParser()
ap.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
ap.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
ap.add_argument("--only", default="")
ap.add_argument("--repeat", type=int, default=5)
ap.add_argument("--seconds", type=float, default=150,
                help="after so many no way is begun of running a case that has a time already")
args = ap.parse_args()


def contents(file):
    with contextlib.suppress(OSError), open(file) as opened:
        return opened.read()
    return ""


# OpenBLAS takes a processor that is newer than itself for an old one. Both are read when PyTorch is loaded.
if all(f" {flag} " in contents("/proc/cpuinfo") for flag in ("avx512f", "avx512dq", "avx512bw", "avx512vl")):
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(args.threads)

import torch
import torch.nn.functional as F

with contextlib.suppress(ImportError):  # not every PyTorch has it, or has it there unasked
    import torch._dynamo

here = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(here, "..", "..", "tests", "oracle")]  # or beside this file
import networks

device = torch.device(args.device)
on_gpu = device.type == "cuda"
began = time.perf_counter()
torch.set_num_threads(args.threads)
torch.manual_seed(0)
torch.backends.cudnn.benchmark = True

CASES = [  # name, (network, width), batch, ops; as bench.c has them, a processor's and a GPU's
    ("resnet18-w64", ("resnet18", 64), 64, ("grad", "gradmatch")),
    ("resnet18-w16", ("resnet18", 16), 128, ("grad", "gradmatch")),
    ("lenet-b16", ("lenet", None), 16, ("grad", "hvp")),
    ("lenet-b1000", ("lenet", None), 1000, ("grad", "hvp")),
    ("logreg-b1000", ("logreg", None), 1000, ("grad", "hvp")),
    ("mlp-b1000", ("mlp", None), 1000, ("grad", "hvp")),
    ("cnn-b1000", ("cnn", None), 1000, ("grad", "hvp")),
    ("resnet50-w16", ("resnet50", 16), 64, ("grad", "gradmatch")),
    ("mobilenetv2-w16", ("mobilenetv2", 16), 64, ("grad", "gradmatch")),
    ("vit-b64", ("vit", None), 64, ("grad", "gradmatch")),
] if not on_gpu else [
    ("resnet18-w64-b128", ("resnet18", 64), 128, ("train", "gradmatch", "hvp")),
    ("resnet18-w64-b512", ("resnet18", 64), 512, ("train", "gradmatch")),
    ("lenet-b128", ("lenet", None), 128, ("train", "hvp")),
    ("mlp-b128", ("mlp", None), 128, ("train", "hvp")),
]


# ---- the work ----

def wait():
    if on_gpu:
        torch.cuda.synchronize()


def grad_step(net, x, y, precision):
    net.train()
    params = list(net.parameters())
    return lambda: torch.autograd.grad(F.cross_entropy(net(x), y), params)


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


STEPS = {"grad": grad_step, "train": train_step, "hvp": hvp_step, "gradmatch": gradmatch_step}


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
    for _ in range(3 if on_gpu else 1):
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


def ways(op, network, turn):
    """(precision, channels last, compiled, captured) of one pass over the cases."""
    once = op in ("train", "grad")  # differentiated once: what torch.compile can do
    compiles = once and hasattr(torch, "compile")
    colour = networks.TASKS[network][0] == 3  # the deep ones
    precisions = ("f32",) if not on_gpu else ("tf32", "f32", "bf16") if once else ("tf32", "f32")
    for precision in precisions:
        best = colour and precision != "f32"  # what is likely: tensor cores want channels last, plain floats planes
        if turn == 0:
            yield precision, best, False, on_gpu
        elif turn == 1 and on_gpu:
            yield precision, best, False, False
        elif turn == 2 and compiles:
            yield precision, best, True, on_gpu
        elif turn == 3 and colour:
            yield precision, not best, False, on_gpu
            if compiles:
                yield precision, not best, True, on_gpu


def run(network, width, batch, op, way):
    precision, last, compiled, graph = way
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "f32"
    net = networks.build(network, width).to(device)
    x = torch.randn(batch, *networks.TASKS[network], device=device)
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
        for name, (network, width), batch, ops in CASES:
            for op in ops if args.only in name else ():
                for way in ways(op, network, turn):
                    yield name, network, width, batch, op, way


def multiplies_slowly():
    """Whether matrices are multiplied by the reference BLAS, which Debian's PyTorch has unless another is installed."""
    known = ("mkl", "openblas", "blis", "atlas", "armpl", "nvpl")
    return on_gpu is False and not torch.backends.mkl.is_available() and not any(name in contents("/proc/self/maps") for name in known)


def main():
    if multiplies_slowly():
        print("this PyTorch multiplies matrices by the reference BLAS, many times slower than it need be: install OpenBLAS (Debian: "
              "libopenblas0)", file=sys.stderr, flush=True)
    known, uncompiled = set(), 0
    for name, network, width, batch, op, way in cases():
        key = name, op, way[0]
        if (time.perf_counter() - began > args.seconds and key in known) or (way[2] and uncompiled > 2):
            continue
        try:
            ms = run(network, width, batch, op, way)
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
