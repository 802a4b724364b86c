# An un-targeted study and `tocsin protect`, as their users run them: there is no success, only accuracy that is lost.
spec=$(cd "$(dirname "$0")" && pwd)/tiny.yaml
. "$(dirname "$0")/harness.sh"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

cat >study.yaml <<'END'
trials: 2
dataset: {source: glyphs, train_per_class: 12, test_per_class: 4}
threat: {goal: untargeted, ratio: 0.8, epsilon: 8}
surrogate: {model: lenet, train: &training {epochs: 2, batch: 32, rate: 0.02, crop: 0, flip: false}}
victim: {model: lenet, train: *training}
attacks:
  - {name: error-min, epochs: 2, model_steps: 2, steps: 2}
  - {name: error-min, label: SAPA, sharpness: worst-case, epochs: 2, model_steps: 2, steps: 2}
  - {name: error-max, aim: next-class, steps: 3}
  - {name: separable}
  - {name: autoregressive}
END
holds 'an un-targeted study' "$tocsin" run study.yaml --out study --threads 1 --jobs 1
head -n 1 out.txt | grep -q success && fail 'the table has a column for a success that there is not'
head -n 1 out.txt | grep -q 'test accuracy' || fail 'the table lacks the accuracy'
grep -q 'error-max: test accuracy [0-9.]* % (clean' err.txt || fail 'a trial is told by its accuracy'
cat >check.py <<'END'
import csv, json
r = json.load(open("study/results.json"))
labels = ["random-noise", "error-min", "SAPA", "error-max", "separable", "autoregressive"]
assert [c["factors"]["label"] for c in r["cells"]] == labels, "cells"
for c in r["cells"]:
    assert c["metrics"]["success"]["mean"] is None and 0 <= c["metrics"]["accuracy"]["mean"] <= 1, "metrics"
for t in r["trials"]:
    assert t["metrics"]["success"] is None and t["metrics"]["linf"] <= 8 and t["poisons"] == 96, "limits"
    assert t["targets"] == [] and t["predicted"] == [], "nobody is aimed at"
assert r["pairs"] and all(p["metric"] == "accuracy" for p in r["pairs"]), "pairs"
rows = list(csv.DictReader(open("study/results.csv")))
assert len(rows) == 12 and all(x["success"] == "" and x["accuracy"] != "" for x in rows), "results.csv"
END
holds 'its results' python3 check.py
[ -s study/tables/accuracy.csv ] || fail 'no table of accuracies'
[ -e study/tables/success.csv ] && fail 'a table of successes'
for words in 'from learning anything that holds' 'leaves its victims a test accuracy of' 'guessing would get 10.0'; do
    grep -q "$words" study/report.html || fail "the report does not say '$words'"
done
grep -Eq 'class of their choice|succeeded with|Target is' study/report.html && fail 'the report tells of targets'
refuse 2 'study.yaml:7: attacks.1: error-min is no attack for threat.goal targeted; it is untargeted, `tocsin list attacks` shows which fit' \
    run study.yaml --out other --set threat.goal=targeted --set threat.ratio=0.05

# what trains a network of its own depends on how that is trained; what looks at none does not
cat >swept.yaml <<'END'
extends: study.yaml
trials: 1
attacks:
  - {name: error-min, epochs: 1, model_steps: 1, steps: 1}
  - {name: separable}
sweep:
  grid: {surrogate.train.rate: [0.01, 0.02]}
END
holds 'a sweep over how the surrogate is trained' "$tocsin" run swept.yaml --plan --json
cp out.txt plan.json
cat >shared.py <<'END'
import json
plan = json.load(open("plan.json"))
cells, craft = [c["factors"]["attack"] for c in plan["cells"]], plan["phases"]["craft"]
assert cells == ["random-noise", "error-min", "separable", "error-min"], cells # whoever trains no network is one cell
assert craft["to_be_done"] == 4 and craft["asked_for"] == 4, craft
END
holds 'crafts that are shared' python3 shared.py

# ---- protect ----

holds 'pictures' "$tocsin" data convert glyphs --set train_per_class=10 --out given --format images
quick='--threads 1 --set victim.model=lenet --set surrogate.model=lenet --set victim.train.epochs=2 --set surrogate.train.epochs=2'
# shellcheck disable=SC2086
holds 'protect' "$tocsin" protect given --out kept --epsilon 6 --method error-min $quick --set attacks.1.epochs=2
grep -q 'trained on the protected ones' out.txt || fail 'what was measured is not told'
cat >protected.py <<'END'
import csv, json, os
made = json.load(open("kept/protect.json"))
assert made["method"] == "error-min" and made["epsilon"] == 6 and 0 < made["largest_change"] <= 6, "protect.json"
assert 0 <= made["measured"]["accuracy_on_protected"] <= 1, "measured"
rows = list(csv.DictReader(open("kept/index.csv")))
assert len(rows) == made["images"] and all(0 <= int(r["max_change"]) <= 6 for r in rows), "index.csv"
for r in rows:
    assert r["file"] == r["original"] and os.path.exists("kept/" + r["file"]) and os.path.exists("given/" + r["original"]), r
text = open("kept/REPORT.md").read()
for word in ("Adversarial training", "JPEG", "80 %", "arXiv 2301.13838"): assert word in text, word
END
holds 'what it wrote' python3 protected.py
cp -r kept before
# shellcheck disable=SC2086
refuse 2 'kept: holds an earlier result; choose another place, or --overwrite' protect given --out kept --method separable --no-measure $quick
touch kept/train/photo.png # which index.csv does not name
# shellcheck disable=SC2086
refuse 2 'kept: holds train/photo.png, which is no part of an earlier result; take it out, or choose another place' \
    protect given --out kept --method separable --no-measure --overwrite $quick
rm kept/train/photo.png
# shellcheck disable=SC2086
refuse 2 '--out: kept is, holds or lies in kept, whose pictures are read; choose another place' protect kept --out kept --method separable --no-measure --overwrite $quick
# shellcheck disable=SC2086
holds 'protect again' "$tocsin" protect given --out kept --epsilon 6 --method error-min $quick --set attacks.1.epochs=2 --overwrite
first=$(cd kept && find . -name '*.png' | sort | head -n 1)
holds 'the same pictures' cmp "before/$first" "kept/$first"
# shellcheck disable=SC2086
holds 'half of a generated set' "$tocsin" protect glyphs --out half --ratio 0.5 --method separable --no-measure --quiet $quick --seed 3
cat >sizes.py <<'END'
import os, random, struct, zlib
random.seed(1)
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for name in ("cat", "dog"):
    os.makedirs("sizes/" + name)
    for i in range(6):
        w, h = 20 + 3 * i, 34 - 2 * i
        rows = b"".join(b"\0" + bytes(random.randrange(256) for _ in range(3 * w)) for _ in range(h))
        open(f"sizes/{name}/{i}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
                                                  + chunk(b"gAMA", struct.pack(">I", 100000)) # for viewers, who may change the values
                                                  + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
END
python3 sizes.py
# shellcheck disable=SC2086
holds 'pictures of different sizes' "$tocsin" protect sizes --out sized --size 24 --method separable --no-measure $quick
cat >compare.py <<'END'
import csv, glob, struct, zlib
def pixels(path):
    data, at, body = open(path, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR": w, h, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT": body += data[at + 8:at + 8 + size]
        at += size + 12
    assert depth == 8 and colour == 2, path
    rows, lines, before = zlib.decompress(body), [], bytes(3 * w)
    for y in range(h):
        filter, line = rows[y * (3 * w + 1)], bytearray(rows[y * (3 * w + 1) + 1:(y + 1) * (3 * w + 1)])
        for x in range(3 * w):
            a, b, c = (line[x - 3] if x > 2 else 0), before[x], (before[x - 3] if x > 2 else 0)
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[filter]) % 256
        lines.append(bytes(line))
        before = bytes(line)
    return w, h, b"".join(lines)
for row in csv.DictReader(open("sized/index.csv")):
    w, h, old = pixels("sizes/" + row["original"])
    v, g, new = pixels("sized/" + row["file"])
    moved = [abs(a - b) for a, b in zip(old, new)]
    assert (w, h) == (v, g) and 3 < max(moved) <= 8 and max(moved) == int(row["max_change"]), row
END
holds 'each within the budget at its own size' python3 compare.py
# shellcheck disable=SC2086
refuse 2 'sizes: pictures of different sizes, and this noise does not survive resizing; bring them to one size first, or choose another method' \
    protect sizes --out other --method autoregressive --no-measure $quick
cat >transparent.py <<'END'
import os, shutil, struct, zlib
shutil.copytree("sizes", "seen-through")
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for name, alpha in ("opaque", 255), ("through", 128):
    rows = b"".join(b"\0" + bytes((71, 81, 71, alpha)) * 9 for _ in range(9))
    open(f"seen-through/dog/{name}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 6, 0, 0, 0))
                                                   + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
END
python3 transparent.py
# shellcheck disable=SC2086
refuse 2 'seen-through/dog/through.png: is transparent in places; save the picture without transparency' \
    protect seen-through --out other --size 24 --method separable --no-measure $quick
rm seen-through/dog/through.png
# shellcheck disable=SC2086
holds 'alpha that hides nothing' "$tocsin" protect seen-through --out unseen --size 24 --method separable --no-measure --quiet $quick
mkdir precious && echo mine >precious/letter
refuse 2 'protect: --out is missing; write --out DIR' protect given
refuse 2 'protect: --epsilon is 0; must be 1 … 64, of 255' protect given --out other --epsilon 0
# shellcheck disable=SC2086
"$tocsin" protect given --out precious --method separable --no-measure $quick 2>err.txt && fail 'somebody else'"'"'s folder is replaced'
[ "$(cat precious/letter)" = mine ] || fail 'a letter is lost'
finish
