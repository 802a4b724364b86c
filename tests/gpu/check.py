#!/usr/bin/env python3
"""`./dev gpu-check`: everything that can only be said with a GPU at hand, in one go of ten minutes at most, from nothing
but programs that were built before (here, or elsewhere: pack.sh) and, where there is one, PyTorch.

    1  every kernel, and whole networks' grad and grad_jvp, against the reference backend
    2  a small study on cuda and on cpu: trained networks agree in accuracy, poisons in the objective
    3  the matching gradient in f32, tf32 and bf16 against the one in double precision
    4  times, beside PyTorch's for the same work in the same run, and the floors that Tocsin sets itself
    5  how many trainings of a small network are done at once in the time of one
    --long: the accuracy of victims in each precision over five seeds, and what one whole trial on 50,000 images takes

Prints what it finds as it goes, and at the end one table; OUT/gpu-check.json holds all that is known so far, whenever it is
broken off. What the time does not reach any more is left out. Ends with 1 where
something is wrong or did not run, with 2 where there is no GPU; times are reported, not judged. Python's own library is enough."""
import argparse
import json
import os
import subprocess
import sys
import time

# What a study is made of, for a GPU and (--tiny) for one that is emulated by a processor.
FULL = dict(source="shapes10", per_class=400, model="resnet18, width: 16", epochs=4, batch=128, steps=50, repeat=5,
            network="resnet18 16", bench=["b128", "b512"], near=0.08,
            small=dict(source="glyphs", per_class=1000, model="lenet", trials=16), epochs_together=100, jobs=[1, 2, 4, 8])
TINY = dict(source="glyphs", per_class=8, model="lenet", epochs=1, batch=24, steps=1, repeat=1,
            network="lenet 0", bench=["lenet-b16"], near=0.5,
            small=dict(per_class=6, trials=2), epochs_together=2, jobs=[2])

# Dense peaks in TFLOP/s by a word in the GPU's name, from NVIDIA's data sheets: f32, tf32, bf16.
PEAKS = {"H200": (67, 494, 989), "H100 PCIe": (51, 378, 756), "H100 NVL": (60, 417, 835), "H100": (67, 494, 989), "H800": (67, 494, 989), "B200": (75, 1125, 2250),
         "A100": (19.5, 156, 312), "A10": (31, 62, 125), "L40S": (91, 183, 362), "L40": (91, 91, 181), "L4": (30, 60, 121),
         "T4": (8, 8, 8)}
PRECISIONS = ("f32", "tf32", "bf16")


def floor_of(name, op):
    """How many times as fast as PyTorch (issue 5)."""
    if not name.startswith("resnet18"):
        return 5
    return 1.2 if op == "train" else 3


class Check:
    def __init__(self, args):
        self.args, self.size = args, TINY if args.tiny else FULL
        self.began = time.time()
        self.found = {"wrong": [], "left_out": [], "remarks": [], "tests": []}
        self.env = dict(os.environ, TOCSIN_CUDA_PLUGIN=args.plugin, TOCSIN_TEST_DEVICE="cuda")
        if args.libraries:
            old = os.environ.get("LD_LIBRARY_PATH")
            self.env["LD_LIBRARY_PATH"] = args.libraries + (":" + old if old else "")

    def say(self, text):
        print(f"[{time.time() - self.began:5.0f} s] {text}", flush=True)

    def wrong(self, text):
        self.found["wrong"].append(text)
        self.say("WRONG: " + text)

    def left_out(self, text):
        self.found["left_out"].append(text)
        self.say("left out: " + text)

    def left(self):
        return self.args.budget - (time.time() - self.began)

    def run(self, command, seconds, env=None):
        """(status, standard output, what it complained of); status 124: it took too long."""
        seconds = min(seconds, max(10, self.left())) if not self.args.long else seconds
        try:
            done = subprocess.run(command, env=env or self.env, capture_output=True, text=True, timeout=seconds)
            return done.returncode, done.stdout, done.stderr.strip()
        except subprocess.TimeoutExpired as late:
            out = late.stdout or b""
            return 124, out if isinstance(out, str) else out.decode(errors="replace"), f"not done after {seconds:.0f} s"

    def save(self):
        """Whole or not at all: it may be broken off at any time."""
        path = os.path.join(self.args.out, "gpu-check.json")
        self.found["seconds"] = round(time.time() - self.began, 1)
        with open(path + ".part", "w") as file:
            json.dump(self.found, file, indent=1)
        os.replace(path + ".part", path)

    def part(self, name, work):
        """One of the parts, if there is time; a mistake in it does not take the others along."""
        if self.left() < 10 and not self.args.long:
            return self.left_out(f"{name}: no time was left")
        try:
            work()
        except Exception as why:
            self.wrong(f"{name}: {type(why).__name__}: {why}")
        self.save()

    # ---- 1 ----
    def kernels(self):
        rows = self.found["tests"] = []
        for program in self.args.test:
            start = time.time()
            status, out, errors = self.run([program], self.args.patience)
            name = os.path.basename(program)
            rows.append({"test": name, "status": status, "seconds": round(time.time() - start, 1)})
            self.say(f"{name}: {'passed' if status == 0 else 'FAILED'} in {rows[-1]['seconds']} s")
            if status:
                lines = (out + "\n" + errors).splitlines()
                told = [line for line in lines if "ERROR" in line or "FAILED" in line or "device cuda" in line]
                self.wrong(f"{name} against the reference: status {status}\n    " + "\n    ".join((told or lines[-20:])[:20]))
            self.save()

    # ---- 2 ----
    def spec(self, device, **changes):
        s = dict(self.size, device=device, precision="f32", seed=3, trials=1, ratio=0.05, sweep="", attacks="", more="")
        s.update(changes)
        train = f"{{epochs: {s['epochs']}, batch: {s['batch']}, rate: 0.05}}"
        text = f"""name: gpu-check
seed: {s['seed']}
trials: {s['trials']}
device: {s['device']}
precision: {s['precision']}
dataset: {{source: {s['source']}, train_per_class: {s['per_class']}, test_per_class: {max(10, min(1000, s['per_class'] // 4))}}}
threat: {{epsilon: 16, ratio: {s['ratio']}}}
surrogate: {{model: {s['model']}, train: {train}}}
victim: {{model: {s['model']}, train: {train}}}
attacks:
{s['attacks'] or f"  - {{name: gradient-matching, steps: {s['steps']}, restarts: 1}}"}
{s['more']}
{s['sweep']}"""
        path = os.path.join(self.args.out, f"{device}.yaml")
        with open(path, "w") as file:
            file.write(text)
        return path

    def study(self, device, seconds, jobs=1, **changes):
        """results.json of a study, or None."""
        folder = os.path.join(self.args.out, "study-" + device + ("-other" if changes else ""))
        command = [self.args.tocsin, "run", self.spec(device, **changes), "--out", folder, "--overwrite", "--quiet"]
        threads = "1" if changes else "0"
        status, _, errors = self.run(command + ["--threads", threads, "--jobs", str(jobs)], seconds)
        if status == 124:
            return self.left_out(f"a study on {device}: {errors}")
        if status:
            self.wrong(f"a study on {device}: status {status}: {errors[-500:]}")
            return None
        with open(os.path.join(folder, "results.json")) as file:
            return json.load(file)

    def studies(self):
        both = {device: self.study(device, self.args.patience) for device in ("cuda", "cpu")}
        if not all(both.values()):
            return
        self.found["gpu"] = both["cuda"]["machine"].get("gpu", "?")
        rows = {}
        for device, results in both.items():
            cell = next(c for c in results["cells"] if c["factors"]["attack"] == "gradient-matching")
            trial = next(t for t in results["trials"] if t["cell"] == results["cells"].index(cell))
            rows[device] = {"clean_accuracy": cell["metrics"]["clean_accuracy"]["mean"],
                            "accuracy": cell["metrics"]["accuracy"]["mean"],
                            "objective": trial.get("objective", trial["metrics"].get("objective")),
                            "seconds": cell["seconds"]}
            self.say(f"a study on {device}: {rows[device]}")
        self.found["study"] = rows
        for what in ("clean_accuracy", "accuracy", "objective"):
            a, b = rows["cuda"][what], rows["cpu"][what]
            if a is None and b is None:
                continue
            if a is None or b is None or not abs(a - b) <= self.size["near"]:
                self.wrong(f"{what} of a study: {a} on cuda, {b} on cpu")

    # ---- 3 ----
    def matching(self):
        status, out, errors = self.run([self.args.evidence] + self.size["network"].split(), self.args.patience)
        if status:
            return self.wrong(f"the matching gradient: status {status}: {errors[-500:]}")
        rows = self.found["matching_gradient"] = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        for row in rows:
            self.say(f"matching gradient in {row['precision']}: cosine to double precision {row['cosine']:.9f}, "
                     f"length {row['length']:.6f} of it")
            if row["precision"] == "f32" and not row["cosine"] > 0.9999:
                self.wrong(f"the matching gradient in f32 has a cosine of {row['cosine']} to the one in double precision")

    # ---- 4 ----
    def bench(self, name, precision, *flags):
        """The rows of `tocsin bench NAME`; what it remarks (no algorithm, nothing recorded) is said."""
        path = os.path.join(self.args.out, f"bench-{precision}-{name}{''.join(flags)}.json")
        status, _, errors = self.run([self.args.tocsin, "bench", name, "--device", "cuda", "--precision", precision,
                                      "--repeat", str(self.size["repeat"]), "--json", path, *flags], self.args.patience)
        if status:
            self.wrong(f"bench {name} in {precision}: status {status}: {errors[-300:]}")
            return []
        for line in errors.splitlines():
            self.found["remarks"].append(line)
            self.say("remark: " + line)
        with open(path) as file:
            rows = [dict(row, precision=precision) for row in json.load(file)]
        for row in rows:
            self.say(f"{row['name']} {row['op']} in {' '.join((precision,) + flags)}: {row['ms']:.3f} ms")
        return rows

    def own_times(self):
        rows = self.found["bench"] = []
        for precision in PRECISIONS if not self.args.tiny else PRECISIONS[:1]:
            for name in self.size["bench"]:
                rows += self.bench(name, precision)
                self.save()
        precision, name = ("tf32", "lenet-b128") if not self.args.tiny else ("f32", "lenet-b16")
        self.found["unrecorded"] = self.bench(name, precision, "--unrecorded")

    def peer_times(self):
        left = max(30, self.left() - 20)
        command = [self.args.python, self.args.peer, "--device", "cuda", "--seconds", str(int(0.7 * left))]
        if self.args.tiny:
            command += ["--device", "cpu", "--only", "lenet", "--repeat", "1", "--seconds", "0"]
        if not self.args.peer or self.run([self.args.python, "-c", "import torch"], 120, os.environ)[0]:
            return self.left_out(f"PyTorch beside: {self.args.python or 'python3'} has no torch")
        status, out, errors = self.run(command, left, os.environ)
        for line in errors.splitlines()[:40]:
            self.say("PyTorch: " + line[:200])
        if status:
            self.left_out(f"some of PyTorch's times: status {status}")
        self.found["peer"] = [json.loads(line) for line in out.splitlines() if line.startswith("{") and line.endswith("}")]
        self.found["ratios"] = compare(self.found["bench"], self.found["peer"])

    # ---- 5 ----
    def wall(self, jobs, epochs):
        """Seconds of a study that does nothing but train LeNets, clean and on noise; None: it failed."""
        start = time.time()
        done = self.study("cuda", self.args.patience, jobs, epochs=epochs, attacks="  - {name: random-noise}", **self.size["small"])
        return time.time() - start if done else None

    def together(self):
        """Trainings of a LeNet side by side on one GPU, by the clock on the wall: what is not training (starting, opening the
        data, judging) is in a study of one epoch, too, and is subtracted."""
        rows = self.found["together"] = []
        for jobs in self.size["jobs"]:
            few, many = self.wall(jobs, 1), self.wall(jobs, self.size["epochs_together"])
            if few is None or many is None:
                return
            rows.append({"jobs": jobs, "seconds": round(max(many - few, 1e-3), 3)})
            rows[-1]["times"] = rows[0]["seconds"] / rows[-1]["seconds"]
            self.say(f"LeNets trained in {jobs} jobs: {rows[-1]['seconds']:.3f} s for all, "
                     f"{rows[-1]['times']:.2f} times as many in a second as with {rows[0]['jobs']}")
            self.save()

    # ---- --long ----
    def long(self):
        precisions = ", ".join(PRECISIONS)
        sweep = f"sweep:\n  grid:\n    precision: [{precisions}]\n"
        results = self.study("cuda", 3000, trials=5, seed=11, per_class=1000, epochs=10, steps=100, sweep=sweep)
        if results:
            self.found["victims"] = [
                {"precision": c["factors"].get("precision"), "attack": c["factors"]["attack"],
                 "accuracy": c["metrics"]["accuracy"], "clean_accuracy": c["metrics"]["clean_accuracy"]}
                for c in results["cells"]]
            for row in self.found["victims"]:
                self.say(f"victims over five seeds: {row}")
        sapa = "  - {name: gradient-matching, label: SAPA, steps: 250, restarts: 1, sharpness: worst-case, rho: 0.05}"
        results = self.study("cuda", 3000, source=self.args.data, model="resnet18, width: 64", per_class=5000, epochs=40,
                             steps=250, precision=self.args.precision, ratio=0.01, more=sapa)
        if results:
            self.found["trial"] = {c["factors"]["attack"]: c["seconds"] for c in results["cells"]}
            self.say(f"a trial on 50,000 images, {self.args.precision}: {self.found['trial']} "
                     "(the paper: 157 s for crafting alone)")

    # ---- all of it ----
    def table(self):
        peaks = next((p for word, p in PEAKS.items() if word in self.found.get("gpu", "")), None)
        theirs = {}
        for r in self.found.get("peer", []):
            key = r["name"], r["op"], r["precision"]
            theirs[key] = min(theirs.get(key, r), r, key=lambda way: way["ms"])
        lines = [f"{'name':<20}{'op':<11}{'batch':>6}{'maths':>7}{'ms':>10}{'images/s':>11}{'TFLOP/s':>9}{'MFU':>7}"
                 f"{'PyTorch ms':>12}{'ratio':>7}  PyTorch's way"]
        for r in self.found.get("bench", []):
            peer = theirs.get((r["name"], r["op"], r["precision"]))
            mfu = f"{100 * r['gflops'] / 1e3 / peaks[PRECISIONS.index(r['precision'])]:.1f}%" if peaks else "?"
            tail = f"{peer['ms']:12.3f}{peer['ms'] / r['ms']:7.2f}  {peer['way']}" if peer else f"{'-':>12}{'-':>7}"
            lines.append(f"{r['name']:<20}{r['op']:<11}{r['batch']:>6}{r['precision']:>7}{r['ms']:10.3f}"
                         f"{1e3 * r['batch'] / r['ms']:11.0f}{r['gflops'] / 1e3:9.2f}{mfu:>7}{tail}")
        lines += ["", f"{'fastest against fastest':<31}{'ratio':>7}{'wanted':>8}{'against plain PyTorch':>32}"]
        for r in self.found.get("ratios", []):
            plain = f"{r['plain']:23.2f}" if r["plain"] else f"{'-':>23}"
            lines.append(f"{r['name']:<20}{r['op']:<11}{r['ratio']:7.2f}{r['floor']:8.1f}  "
                         f"{'reached' if r['ratio'] >= r['floor'] else 'MISSED':<7}{plain}")
        unrecorded = self.found.get("unrecorded", [])
        if unrecorded:
            lines += ["", f"{'called kernel by kernel':<38}{'ms':>10}{'recorded, so many times as fast':>34}"]
        for r in unrecorded:
            recorded = [o["ms"] for o in self.found["bench"] if all(o[k] == r[k] for k in ("name", "op", "precision"))]
            lines.append(f"{r['name']:<20}{r['op']:<11}{r['precision']:>7}{r['ms']:10.3f}" +
                         (f"{r['ms'] / recorded[0]:34.2f}" if recorded else ""))
        if self.found.get("together"):
            lines += ["", f"{'jobs':<6}{'LeNets trained, s':>26}{'so many times as many in a second':>36}"]
        lines += [f"{r['jobs']:<6}{r['seconds']:26.3f}{r['times']:36.2f}" for r in self.found.get("together", [])]
        return lines

    def driver_s_word(self):
        """What nvidia-smi calls the GPU, until a study says it better."""
        try:
            self.found["gpu"] = self.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
                                         30, os.environ)[1].strip().splitlines()[0]
        except (OSError, IndexError):
            pass

    def everything(self):
        os.makedirs(self.args.out, exist_ok=True)
        self.driver_s_word()
        status, _, errors = self.run([self.args.tocsin, "run", self.spec("cuda"), "--plan", "--no-measure", "--quiet"],
                                     self.args.patience)  # a cold disk reads CUDA's libraries slowly
        if status:
            print(f"gpu-check: {errors or status}", file=sys.stderr)
            return 2
        self.part("kernels", self.kernels)
        self.part("the matching gradient", self.matching)
        self.part("times", self.own_times)
        self.part("studies", self.studies)
        self.part("jobs side by side", self.together)
        self.part("PyTorch's times", self.peer_times)
        if self.args.long:
            self.part("the long part", self.long)
        print("\n" + self.found.get("gpu", "no GPU was used") + "\n" + "\n".join(self.table()), flush=True)
        self.save()
        passed = sum(r["status"] == 0 for r in self.found["tests"])
        print(f"\n{passed} of {len(self.found['tests'])} test programs passed, {len(self.found['wrong'])} things are wrong, "
              f"{len(self.found['left_out'])} left out, {self.found['seconds']:.0f} s; all of it: {self.args.out}/gpu-check.json")
        return 1 if self.found["wrong"] or not self.found["tests"] else 0


def compare(ours, theirs):
    """Each at its fastest, and `plain`: against PyTorch eager, without a graph. Second derivatives: in f32 and TF32, where
    both can."""
    def best(rows):
        found = {}
        for r in rows:
            if r["op"] != "train" and r["precision"] == "bf16":
                continue
            key = (r["name"], r["op"])
            found[key] = min(found.get(key, r["ms"]), r["ms"])
        return found
    mine, peers, plain = best(ours), best(theirs), best(r for r in theirs if r["way"].endswith("eager"))
    return [{"name": name, "op": op, "ratio": peers[name, op] / ms, "floor": floor_of(name, op),
             "plain": plain[name, op] / ms if (name, op) in plain else None}
            for (name, op), ms in mine.items() if (name, op) in peers]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--tocsin", required=True, help="the program")
    ap.add_argument("--plugin", required=True, help="libtocsin-cuda.so")
    ap.add_argument("--evidence", required=True, help="the program matching-gradient")
    ap.add_argument("--test", action="append", default=[], help="a test program; may be repeated")
    ap.add_argument("--libraries", default="", help="folders of shared libraries, for these programs only")
    ap.add_argument("--peer", default="", help="torch_peer.py")
    ap.add_argument("--python", default=sys.executable, help="the Python that has PyTorch")
    ap.add_argument("--out", default="out/gpu-check")
    ap.add_argument("--precision", default="tf32", help="of --long's whole trial")
    ap.add_argument("--data", default="shapes10", help="of that trial: a dataset's source of ten classes, e.g. images:FOLDER")
    ap.add_argument("--tiny", action="store_true", help="sizes for a GPU that a processor emulates")
    ap.add_argument("--long", action="store_true")
    ap.add_argument("--budget", type=float, default=580, help="seconds for all but --long")
    ap.add_argument("--patience", type=float, default=150, help="seconds for one program")
    args = ap.parse_args()
    sys.exit(Check(args).everything())


if __name__ == "__main__":
    main()
