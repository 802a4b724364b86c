"""Makes folders of results as a study would leave them, for the tests of the report.

    studies.py KIND FOLDER [POISONS]

KIND is "swept" (three ε by two ratios, every extension of results.json), "plain" (nothing swept, no extension),
"defended" (two ε, each with no defence, a filter, another way to train and private training), "large" (10,000 trials in
500 cells) or "odd" (extensions that are damaged in every way). POISONS: a folder of one
poison, to be shown as everybody's.
"""
import itertools
import json
import math
import pathlib
import random
import shutil
import sys

CLASSES = ["disc", "ring", "crescent", "triangle", "square", "star", "cross", "stripes", "checkers", "dots"]
METHODS = [("random-noise", "random-noise", {}, 0.0),
           ("gradient-matching", "gradient-matching", {"sharpness": "none", "rho": 0.05}, 0.55),
           ("gradient-matching", "SAPA <worst>", {"sharpness": "worst-case", "rho": 0.05}, 0.7)]
# What is left of an attack's chance under each defence, and what only its cells tell.
UNDEFENDED = {"none": (1, {})}
DEFENCES = {**UNDEFENDED, "filter <spectral>": (0.25, {"kept": 0.9, "precision": 0.1, "recall": 0.8}), "mixup": (0.7, {}),
            "dp-sgd": (0.4, {"privacy_epsilon": 8.0})}
draw = random.Random(7)


def wilson(hits, n, z=1.959964):
    share, room = hits / n, 1 + z * z / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0, (middle - half) / room), min(1, (middle + half) / room)


def estimate(values, rate=False):
    n, mean = len(values), sum(values) / len(values)
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n) if n > 1 else None
    made = {"mean": mean, "stderr": spread}
    if rate:
        made["n"] = n
        made["low"], made["high"] = wilson(sum(values), n)
    return made


def trial(cell, number, chance, ratio, told):
    target, intended = draw.sample(range(10), 2)
    hit = draw.random() < chance
    return {"cell": cell, "trial": number, "seed": 1, "target_class": target, "intended_class": intended, "targets": [number],
            "poisons": round(2000 * ratio), "predicted": [intended if hit else target], "clean_predicted": [target],
            "poison": f"poisons/{cell}-{number}",
            "metrics": {"success": float(hit), "accuracy": draw.gauss(0.9 - 0.2 * ratio, 0.01), "clean_success": 0.0,
                        "clean_accuracy": draw.gauss(0.91, 0.008), "objective": draw.random(), "linf": 16.0,
                        **{name: value * draw.uniform(0.95, 1.05) for name, value in told.items()}},
            "seconds": {"pretrain": 20.0, "craft": draw.uniform(8, 12) * (2 if chance > 0.6 else 1), "victim": draw.uniform(28, 33), "clean_victim": 30.0,
                        **({"filter": draw.uniform(1, 2)} if "kept" in told else {})}}


def cell(rows, factors, extended):
    metrics = {name: estimate([r["metrics"][name] for r in rows], extended and name in ("success", "clean_success"))
               for name in rows[0]["metrics"]}
    seconds = {name: sum(r["seconds"][name] for r in rows) / len(rows) for name in rows[0]["seconds"]}
    return {"factors": factors, "trials": len(rows), "metrics": metrics, "seconds": seconds}


def study(name, variants, trials, extended, victims=("resnet18",), defences=UNDEFENDED):
    made = {"schema": 1, "version": "0.1.0", "time": "2026-01-02T03:04:05Z",
            "spec": {"name": name, "seed": 1, "trials": trials, "threat": {"epsilon": 16.0, "ratio": 0.01, "targets": 1},
                     "surrogate": {"model": "resnet18"}, "victim": {"model": victims[0]}},
            "machine": {"cpu": "A processor", "cores": 4, "memory_bytes": 2 ** 34, "system": "Linux", "compiler": "12.2.0", "onednn": "2.6.3"},
            "data": {"name": "shapes10", "height": 32, "width": 32, "channels": 3, "train": 2000, "test": 600, "classes": CLASSES},
            "cells": [], "trials": []}
    for variant in variants:
        for victim, (attack, label, options, best), (defence, (left, told)) in itertools.product(victims, METHODS, defences.items()):
            number = len(made["cells"])
            chance = best * min(1, variant["epsilon"] / 16) * (1 if variant["ratio"] > 0.005 else 0.7) * left
            rows = [trial(number, t, chance, variant["ratio"], told) for t in range(trials)]
            factors = {"attack": attack, "label": label, **options, **variant, "targets": 1, "dataset": "shapes10",
                       "surrogate": "resnet18", "victim": victim, "defence": defence}
            made["cells"].append(cell(rows, factors, extended))
            made["trials"] += rows
    return made


def curve(number, of, epochs, floor, noise):
    loss = [floor + 2.2 * math.exp(-e / (epochs / 5)) + draw.gauss(0, noise) for e in range(epochs)]
    return {"cell": number, "of": of, "epoch": list(range(1, epochs + 1)), "loss": loss, "loss_stderr": [noise * 2] * epochs,
            "accuracy": [1 - v / 2.6 for v in loss], "accuracy_stderr": [noise] * epochs}


def landscape(number, sharpness, steep):
    n = 21
    at = [2 * i / (n - 1) - 1 for i in range(n)]
    value = [0.3 + steep * (x * x + 0.7 * y * y + 0.3 * x * y) + 0.25 * steep * math.sin(4 * x) * math.cos(3 * y) for y in at for x in at]
    return {"cell": number, "trial": 0, "sharpness": sharpness, "extent": 1.0, "n": n, "value": value}


def pairs(made, group):
    found = []
    for first in range(0, len(made["cells"]), group):
        for a, b in ((first + 2, first + 1), (first + 2, first), (first + 1, first)):
            rows = [[r["metrics"]["success"] for r in made["trials"] if r["cell"] == c] for c in (a, b)]
            difference = [x - y for x, y in zip(*rows)]
            wins, losses = difference.count(1.0), difference.count(-1.0)
            tail = sum(math.comb(wins + losses, k) for k in range(min(wins, losses) + 1)) / 2 ** (wins + losses)
            found.append({"a": a, "b": b, "metric": "success", "difference": estimate(difference), "n": len(difference), "p": min(1, 2 * tail)})
    return found


def swept():
    variants = [{"epsilon": float(e), "ratio": r} for e in (16, 8, 4) for r in (0.01, 0.002)]
    made = study("swept <study>", variants, 20, True)
    made["sweep"] = ["epsilon", "ratio"]
    made["pairs"] = pairs(made, 3)
    made["curves"] = [curve(0, "surrogate", 40, 0.1, 0.02), curve(0, "clean", 40, 0.12, 0.02)]
    made["curves"] += [curve(i, "victim", 40, 0.14 + 0.03 * (i % 3), 0.02) for i in range(len(made["cells"]))]
    made["landscapes"] = [landscape(1, "none", 2.5), landscape(2, "worst-case", 0.8)]
    made["durations"] = {"wall": 5025.0, "crafting": 812.0, "training": 4100.0}
    made["provenance"] = {"spec": "name: swept\ntrials: 20\n", "seeds": [1], "started": "2026-01-02T01:00:00Z", "finished": "2026-01-02T02:23:45Z"}
    return made


def defended():
    made = study("defended", [{"epsilon": float(e), "ratio": 0.01} for e in (16, 8)], 20, True, defences=DEFENCES)
    made["sweep"], made["pairs"] = ["epsilon"], []
    values = {c: {m: [r["metrics"][m] for r in made["trials"] if r["cell"] == c] for m in ("success", "accuracy")}
              for c in range(len(made["cells"]))}
    for plain in range(0, len(made["cells"]), len(DEFENCES)):
        for other in range(plain + 1, plain + len(DEFENCES)):
            a, b = (plain, other) if other % 2 else (other, plain) # either way round
            for metric in ("success", "accuracy"):
                difference = [x - y for x, y in zip(values[a][metric], values[b][metric])]
                made["pairs"].append({"a": a, "b": b, "metric": metric, "difference": estimate(difference), "n": 20, "p": 0.01})
    return made


def large():
    variants = [{"epsilon": float(e), "ratio": 0.001 * (1 + i)} for e in (2, 4, 8, 16, 32) for i in range(11)]
    variants += [{"epsilon": 64.0, "ratio": 0.001}]
    made = study("large", variants, 20, True, ("resnet18", "vgg11", "mobilenetv2"))
    made["cells"] = made["cells"][:500]
    made["trials"] = [r for r in made["trials"] if r["cell"] < 500]
    made["sweep"] = ["epsilon", "ratio"]
    made["curves"] = [curve(i, "victim", 160, 0.1, 0.02) for i in range(45)]
    made["pairs"] = pairs(made, 3)[:400] if len(made["cells"]) % 3 == 0 else []
    made["landscapes"] = [landscape(1, "none", 2.5), landscape(2, "worst-case", 0.8)]
    return made


def odd():
    made = study("odd", [{"epsilon": 16.0, "ratio": 0.01}], 3, False)
    made["sweep"] = ["nothing", 3, None, {"a": 1}]
    made["pairs"] = [{}, 4, {"a": -1, "b": 1}, {"a": 0, "b": 99, "difference": {"mean": 0.1}}, {"a": 0, "b": 1, "difference": "x"}]
    made["curves"] = [{}, 7, {"cell": 99, "loss": [1]}, {"cell": 0, "of": 5, "loss": "x"}, {"cell": 1, "of": "victim", "loss": [1, None, "x", 2], "epoch": [1, 2]}]
    square = landscape(1, "none", 1)
    made["landscapes"] = [{}, None, {**square, "n": 1e9}, {**square, "n": 20}, {**square, "value": square["value"][1:]}, {**square, "extent": "x"},
                          {**square, "value": [None] * 441}, {**square, "cell": 12345, "sharpness": "</script><b>"}]
    made["durations"], made["provenance"] = [1, 2], {"spec": 5, "seeds": {"a": "<"}, "machine": None}
    made["cells"][1]["metrics"]["success"] = {"mean": None, "stderr": "x", "low": [], "high": {}}
    made["cells"][2]["factors"] = {}
    return made


def main(kind, folder, poisons=None):
    makers = {"swept": swept, "defended": defended, "large": large, "odd": odd, "plain": lambda: study("plain", [{"epsilon": 16.0, "ratio": 0.01}], 4, False)}
    made, out = makers[kind](), pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(made))
    for i in range(min(12, len(made["cells"])) if poisons else 0):
        shutil.copytree(poisons, out / f"poisons/{i}-0", dirs_exist_ok=True)


main(*sys.argv[1:])
