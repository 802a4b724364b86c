# `tocsin protect` on folders as people have them: odd names, odd files, odd places, and settings that mean nothing here.
pictures=$(cd "$(dirname "$0")" && pwd)/pictures.py
. "$(dirname "$0")/harness.sh"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
draw() { python3 "$pictures" "$@" || fail "no pictures: $*"; } # SIZE FILE…
quick='--threads 1 --method separable --no-measure'
lenet='--set surrogate.model=lenet --set victim.model=lenet --set surrogate.train.epochs=1 --set victim.train.epochs=1'

# ---- names that a table must quote, or a file system hardly takes ----
long=$(printf 'l%.0s' $(seq 1 250))
draw 16x16 odd/cat/1.png 'odd/cat/say "cheese", please.png' 'odd/cat/ blank .png' 'odd/cat/Äpfel 猫.png' "odd/cat/$long.png" odd/dog/1.png odd/dog/2.png \
    'odd/a "b", c/1.png' 'odd/a "b", c/2.png'
# shellcheck disable=SC2086
holds 'odd names' "$tocsin" protect odd --out odd-kept $quick
cat >index.py <<'END'
import csv, os, sys
given, kept = sys.argv[1:]
rows = list(csv.DictReader(open(kept + "/index.csv", newline="", errors="surrogateescape")))
files = [os.path.relpath(os.path.join(at, name), given) for at, _, names in os.walk(given) for name in names]
assert sorted(r["original"] for r in rows) == sorted(files), rows
for r in rows:
    assert os.path.exists(os.path.join(kept, r["file"])), r
    assert r["class"] == os.path.dirname(r["original"]) and None not in r and 0 < int(r["max_change"]) <= 8, r
assert len({r["file"] for r in rows}) == len(rows), "two pictures with one name"
END
holds 'a table that can be read' python3 index.py odd odd-kept
finish
