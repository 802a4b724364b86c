# studies.sh — for tests that break a study off and go on: what makes two results the same.
#
#     same 'WHAT' A B       the results of both folders agree in everything but times
#     finished DIR          one line for each finished phase: key and when it was finished
spec=$(cd "$(dirname "$0")" && pwd)/tiny.yaml
. "$(dirname "$0")/kills.sh"
. "$(dirname "$0")/harness.sh"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

cat >same.py <<'END'
import glob, json, sys
def rest(folder):
    r = json.load(open(folder + "/results.json"))
    for row in r["cells"] + r["trials"]: del row["seconds"]
    for name in ("time", "durations", "provenance", "machine"): del r[name]
    files = {p[len(folder):]: open(p, "rb").read() for p in glob.glob(folder + "/poisons/*/*")}
    return r, files
(a, poisons_a), (b, poisons_b) = rest(sys.argv[1]), rest(sys.argv[2])
for name in a: assert a[name] == b[name], name
assert len(a["trials"]) == a["spec"]["trials"] * len(a["cells"]), "all trials are there"
assert poisons_a == poisons_b and len(poisons_a) > 10, "poisons"
END
same() { holds "$1" python3 same.py "$2" "$3"; [ ! -s err.txt ] || tail -n 1 err.txt; }

cat >finished.py <<'END'
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1] + "/run.db").execute(
    "SELECT key, payload, finished FROM phase WHERE state = 'finished' ORDER BY number")
for row in rows: print(*row)
END
finished() { python3 finished.py "$1" 2>/dev/null; }

# Long enough to be hit in the middle of everything, with checkpoints every few steps.
long='--set trials=2 --set surrogate.train.epochs=15 --set victim.train.epochs=25 --set attacks.1.steps=25 --set attacks.2.steps=10
      --set surrogate.train.checkpoint_minutes=0.0005 --set victim.train.checkpoint_minutes=0.0005'
# A sanitized program takes several times longer: it gets less to do.
[ "${3:-1}" = 1 ] || long="$long --set surrogate.train.epochs=3 --set victim.train.epochs=4 --set attacks.1.steps=4 --set attacks.2.steps=2"
