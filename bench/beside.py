#!/usr/bin/env python3
"""Tocsin's times beside PyTorch's on one processor, in one run: only so do ratios mean anything.

    beside.py --tocsin PROGRAM [--peer SCRIPT]… [--threads N] [--rounds N] [--repeat N] [--json FILE] [NAME]

Tocsin and PyTorch take turns, --rounds times. Each has its median over the rounds, PyTorch's being its fastest: of all
scripts, ways of running, and numbers of threads, which are halved for as long as that makes some case faster by more than
a twentieth. A peer prints {"name", "op", "ms"} a line and takes --threads, --repeat and --only (bench/peers/torch_peer.py)."""
import argparse
import json
import os
import subprocess
import sys
from statistics import median


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="./dev bench")
    ap.add_argument("name", nargs="?", default="", metavar="NAME", help="only the cases whose name contains it")
    ap.add_argument("--tocsin", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--peer", action="append", default=[], help=argparse.SUPPRESS)
    ap.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="at most [all cores]")
    ap.add_argument("--rounds", type=int, default=1, help="how often both take their turn [1]")
    ap.add_argument("--repeat", type=int, default=5, help="measurements a figure and round [5]")
    ap.add_argument("--json", metavar="FILE", help="every time that was measured")
    args = ap.parse_args()
    if min(args.threads, args.rounds, args.repeat) < 1:
        ap.error("--threads, --rounds and --repeat are at least 1")
    return args


def python_with_torch():
    """Debian's PyTorch belongs to the system's interpreter, whichever else comes first."""
    for python in "/usr/bin/python3", sys.executable:
        if subprocess.run([python, "-c", "import torch"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def rows_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"bench: {command[0]} {os.path.basename(command[1])}: status {done.returncode}")
    return done.stdout


def own_times(args):
    command = [args.tocsin, "bench", *filter(None, [args.name]), "--quiet", "--json", "-"]
    return json.loads(rows_of(command + ["--threads", str(args.threads), "--repeat", str(args.repeat)]))


def peer_times(args, python, threads, only):
    for peer in args.peer:
        text = rows_of([python, peer, "--threads", str(threads), "--repeat", str(args.repeat), "--only=" + only])
        for line in filter(str.strip, text.splitlines()):
            yield dict(json.loads(line), threads=threads)


def fastest(args, python):
    """PyTorch's best row for each (name, op), with as many threads as suit it."""
    best, threads, names = {}, args.threads, {args.name}
    while names and threads:
        faster = set()
        for only in sorted(names):
            for row in peer_times(args, python, threads, only):
                key = row["name"], row["op"]
                if key not in best or row["ms"] < 0.95 * best[key]["ms"]:
                    faster.add(row["name"])
                if key not in best or row["ms"] < best[key]["ms"]:
                    best[key] = row
        names, threads = ({args.name} if threads == args.threads else faster), threads // 2
    return best


def spread(values):
    return f"{median(values):.2f}" + (f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else "")


def table(rounds):
    print(f'{"name":<16}{"op":<11}{"batch":>6}{"Tocsin ms":>11}{"peak":>7}{"MiB":>7}{"PyTorch ms":>12}{"threads":>8}  ratio')
    for i, row in enumerate(rounds[0]["tocsin"]):
        key = row["name"], row["op"]
        mine = [r["tocsin"][i]["ms"] for r in rounds]
        peaks = [r["tocsin"][i]["peak_fraction"] for r in rounds]
        line = f'{row["name"]:<16}{row["op"]:<11}{row["batch"]:>6}{median(mine):>11.3f}'
        line += f'{100 * median(peaks):6.0f}%' if None not in peaks else f'{"-":>7}'
        line += f'{row["workspace_mib"]:>7.1f}'
        theirs = [r["pytorch"][key] for r in rounds if key in r["pytorch"]]
        if theirs:
            line += f'{median(t["ms"] for t in theirs):>12.3f}{theirs[0]["threads"]:>8}  '
            line += spread([t["ms"] / m for t, m in zip(theirs, mine)])
        print(line)


def main():
    args = options()
    python = python_with_torch() if args.peer else None
    if not python:
        print("bench: no PyTorch (Debian: python3-torch, libopenblas0); Tocsin's own times alone", file=sys.stderr)
    rounds = []
    for i in range(args.rounds):
        mine = own_times(args)
        rounds.append({"tocsin": mine, "pytorch": fastest(args, python) if python and mine else {}})
        print(f"bench: round {i + 1} of {args.rounds} done", file=sys.stderr)
    if args.json:
        with open(args.json, "w") as file:
            json.dump([dict(r, pytorch=list(r["pytorch"].values())) for r in rounds], file, indent=1)
    table(rounds)


main()
