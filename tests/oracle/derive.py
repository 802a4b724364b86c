#!/usr/bin/env python3
"""Holds `tocsin derive` against PyTorch: loss, gradient and directional derivative of the gradient of whole networks.

    /usr/bin/python3 tests/oracle/derive.py build/tocsin [--only NAME] [--backend NAME] [--batch N] [--threads N]

Needs PyTorch and NumPy (Debian: python3-torch); no part of the tests that CI runs. PyTorch works in double precision
and takes the derivative of the gradient by double backward, which is exact. One line for each network, mode, direction (in
the parameters, in the input, in both) and backend gives the relative errors ||a - b|| / ||b||; the exit status is 1 when one is above 1e-8 (reference) or, for
three draws, 1e-3 (cpu, single precision), 0 otherwise.

The weights are PyTorch's initial ones, with the norms' scales, shifts and running statistics drawn at random, so
that no term of their derivatives vanishes.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

import networks
import safetensors

CASES = [("logreg", None), ("mlp", 784), ("mlp", 50), ("lenet", None), ("cnn", 16), ("cnn-cifar", None), ("convnet", 8),
         ("vgg11", 16), ("vgg16", 8), ("resnet18", 16), ("resnet34", 8), ("resnet50", 16),
         ("mobilenetv2", 8), ("mobilenetv2", 16), ("vit", 64), ("sequential", None)]
LIMITS = {"reference": 1e-8, "cpu": 1e-3}
# Rounding may carry a ReLU input over its edge, where derivatives jump: in single precision a network that fails is
# drawn again. A wrong formula fails each time.
DRAWS = {"reference": 1, "cpu": 3}
# With some fifty layers in training mode and 10^6 ReLUs a few always are that near, for PyTorch's own single precision
# as well. There single precision is held on networks whose batch norms shift most inputs away from the edges.
DEEP, SHIFT = ("resnet50", "mobilenetv2"), 3
COLUMNS = ("loss", "grad", "grad worst", "grad.x", "jvp", "jvp worst", "jvp.x")
DIRECTIONS = {"theta": (True, False), "x": (False, True), "both": (True, True)}


def draw_network(name, width, shift=0):
    net = networks.build(name, width).double()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(shift, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, torch.nn.LayerNorm):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return net


def gradient(net, x, y):
    loss = F.cross_entropy(net(x), y)
    wanted = list(net.parameters()) + [x]
    return loss, torch.autograd.grad(loss, wanted, create_graph=True)


def expected(net, x, y, directions):
    """Loss, gradient and its derivative along each direction (v, r). By symmetry of second derivatives, d/deps grad is the gradient
    of <grad, (v, r)>: one more backward pass, exact."""
    x = x.clone().requires_grad_(True)
    loss, grads = gradient(net, x, y)
    wanted = list(net.parameters()) + [x]
    jvps = []
    for v, r in directions:
        inner = sum((g * d).sum() for g, d in zip(grads, v + [r]))
        jvp = torch.autograd.grad(inner, wanted, allow_unused=True, retain_graph=True)
        jvps.append([torch.zeros_like(w) if j is None else j for j, w in zip(jvp, wanted)])
    return loss, grads, jvps


def nhwc(x):
    return np.ascontiguousarray(x.detach().permute(0, 2, 3, 1).numpy())


def relative(mine, names, theirs):
    """Over all tensors at once, and the worst single tensor that is not negligible beside the whole."""
    difference = [np.linalg.norm(mine[n].astype(np.float64) - t) for n, t in zip(names, theirs)]
    size = [np.linalg.norm(t) for t in theirs]
    whole = np.linalg.norm(size)
    worst = max((d / s for d, s in zip(difference, size) if s > 1e-6 * whole), default=0.0)
    return np.linalg.norm(difference) / whole if whole else np.linalg.norm(difference), worst


class Case:
    """One network with weights, batch and direction, as files in `folder`."""

    def __init__(self, folder, name, width, batch, shift):
        self.folder, self.name, self.width = folder, name, width
        self.net = draw_network(name, width, shift)
        self.x = torch.randn(batch, *networks.TASKS[name]).float().double()
        self.y = torch.randint(0, 10, (batch,))
        self.v = [torch.randn_like(p) * p.detach().abs().mean() for p in self.net.parameters()]
        self.r = torch.randn_like(self.x)
        self.names = [n for n, _ in self.net.named_parameters()]
        safetensors.write(self.path("W"), {n: t.detach().numpy() for n, t in self.net.state_dict().items()})
        safetensors.write(self.path("V"), {n: t.numpy() for n, t in zip(self.names, self.v)})
        np.savez(self.path("B.npz"), x=nhwc(self.x).astype(np.float32), y=self.y.numpy())
        np.save(self.path("R.npy"), nhwc(self.r))

    def path(self, name):
        return os.path.join(self.folder, name if "." in name else name + ".safetensors")

    def directions(self):
        zero = [torch.zeros_like(v) for v in self.v]
        return [(self.v if theta else zero, self.r if x else torch.zeros_like(self.r))
                for theta, x in DIRECTIONS.values()]

    def run(self, program, mode, direction, backend, threads):
        command = [program, "derive", "--model", self.name, "--weights", self.path("W"), "--batch", self.path("B.npz"),
                   "--mode", mode, "--backend", backend, "--threads", str(threads), "--out", self.path("O")]
        theta, x = DIRECTIONS[direction]
        command += ["--theta-dot", self.path("V")] if theta else []
        command += ["--x-dot", self.path("R.npy")] if x else []
        if self.width:
            command += ["--set", f"width={self.width}"]
        if self.name == "sequential":
            command += ["--set", f"layers={networks.LAYERS}"]
        subprocess.run(command, check=True)
        return safetensors.read(self.path("O"))

    def errors(self, mine, loss, grads, jvps):
        result = {"loss": abs(float(mine["loss"]) - loss.item()) / abs(loss.item())}
        for kind, values in (("grad", grads), ("jvp", jvps)):
            theirs = [t.detach().numpy() for t in values[:-1]]
            names = [f"{kind}.{n}" for n in self.names]
            result[kind], result[kind + " worst"] = relative(mine, names, theirs)
            result[kind + ".x"], _ = relative(mine, [f"{kind}.x"], [nhwc(values[-1])])
        expected_names = {"loss", "grad.x", "jvp.x"} | {f"{k}.{n}" for k in ("grad", "jvp") for n in self.names}
        assert set(mine) == expected_names, set(mine) ^ expected_names
        return result


def hold(args, name, width, mode, backend):
    """Draws a network and holds one mode and backend against PyTorch; prints the errors, says whether all are small."""
    with tempfile.TemporaryDirectory() as folder:
        shift = SHIFT if name in DEEP and backend == "cpu" else 0
        case = Case(folder, name, width, args.batch, shift)
        case.net.train(mode == "train")
        good = True
        loss, grads, jvps = expected(case.net, case.x, case.y, case.directions())
        for direction, jvp in zip(DIRECTIONS, jvps):
            errors = case.errors(case.run(args.program, mode, direction, backend, args.threads), loss, grads, jvp)
            small = all(errors[c] <= LIMITS[backend] for c in COLUMNS if "worst" not in c)
            good = good and small
            label = f"{name}-w{width}" if width else name
            row = " ".join(f"{errors[c]:10.1e}" for c in COLUMNS)
            mark = "" if small else f"  ABOVE {LIMITS[backend]}"
            print(f"{label:16} {mode:5} {direction:9} {backend:9} {row}{mark}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", default="", help="part of a network's name")
    parser.add_argument("--backend", choices=LIMITS, help="one of the two; both otherwise")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    failed = 0
    print(f"{'network':16} {'mode':5} {'direction':9} {'backend':9} " + " ".join(f"{c:>10}" for c in COLUMNS))
    for name, width in CASES:
        if args.only not in name:
            continue
        for backend in [args.backend] if args.backend else LIMITS:
            for mode in ("train", "eval"):
                failed += not any(hold(args, name, width, mode, backend) for _ in range(DRAWS[backend]))
    print(f"{failed} above the limit")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
