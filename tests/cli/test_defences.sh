# Defences in a study: a filter looks through the victim that was trained without it, which is kept until then and no
# longer, and a study that is killed on the way comes to the results of one that was left in peace.
. "$(dirname "$0")/studies.sh"

slow=${3:-1} # how many times slower this program is taken to be; it gets less to do
cat >study.yaml <<END
trials: 2
dataset: {source: glyphs, train_per_class: 12, test_per_class: 4}
threat: {ratio: 0.1, epsilon: 16}
surrogate: {model: lenet, train: &training {epochs: $((15 / slow)), batch: 8, rate: 0.02, crop: 0, flip: false, checkpoint_minutes: 0.0005}}
victim: {model: lenet, train: *training}
attacks:
  - {name: gradient-matching, steps: 4, restarts: 1}
defences:
  - {name: none}
  - {name: spectral-signatures, poisoned: 0.2}
  - {name: loss, share: 0.3}
  - {name: mixup}
END
weights() { find "$1" -name '*.safetensors' -o -name '*.checkpoint' -o -name '*.tmp*'; }

start=$(now)
holds 'a study with defences' "$tocsin" run study.yaml --out whole --jobs 2 --quiet
undisturbed=$(($(now) - start))
weights whole | grep . && fail 'weights are left of victims that were looked through'
cat >check.py <<'END'
import csv, json
r = json.load(open("whole/results.json"))
cells = r["cells"]
assert len(cells) == 8 and all(c["trials"] == 2 for c in cells), "two attacks, four defences"
for c in cells:
    filter = c["factors"]["defence"] in ("spectral-signatures", "loss")
    assert all((name in c["metrics"]) == filter for name in ("kept", "precision", "recall")), c["factors"]["defence"]
for t in r["trials"]:
    m, poisons, train = t["metrics"], t["poisons"], r["data"]["train"]
    assert ("filter" in t["seconds"]) == ("kept" in m) and t["seconds"].get("filter", 1) > 0, "whoever filters takes time"
    if "kept" not in m: continue
    dropped = round((1 - m["kept"]) * train)
    assert 0 < dropped < train and abs(m["precision"] * dropped - m["recall"] * poisons) < 1e-6, "the same poisons by both"
rows = list(csv.DictReader(open("whole/results.csv")))
assert len(rows) == 16 and all((x["recall"] != "") == (x["defence"] in ("spectral-signatures", "loss")) for x in rows)

def mean(c, metric): return cells[c]["metrics"][metric]["mean"]
number = {(c["factors"]["attack"], c["factors"]["defence"]): i for i, c in enumerate(cells)}
table = list(csv.DictReader(open("whole/tables/defences.csv")))
assert len(table) == 6, "one row for each defended cell"
for x in table:
    plain, own = number[x["method"], "none"], number[x["method"], x["defence"]]
    for metric in ("success", "accuracy"):
        assert float(x[metric + " without"]) == mean(plain, metric) and float(x[metric + " with"]) == mean(own, metric), x
        assert abs(float(x[metric + " difference"]) - mean(own, metric) + mean(plain, metric)) < 1e-9, x
    assert (x["recall"] != "") == ("recall" in cells[own]["metrics"])
clean = [x for x in csv.DictReader(open("whole/tables/accuracy.csv")) if x["method"] == "no poison"]
assert [x["defence"] for x in clean] == ["none"], "clean victims have no defence and stand once"
END
holds 'what is in its results' python3 check.py
[ -s err.txt ] && tail -n 3 err.txt
grep -q '<h2>What the defences change</h2>' whole/report.html || fail 'no word of defences in the report'
holds 'a study without' "$tocsin" run "$spec" --out plain --quiet --set trials=1 --set attacks.1.steps=1 --set attacks.2.steps=1
grep -q 'What the defences change' plain/report.html && fail 'defences in the report of a study that has none'
[ -e plain/tables/defences.csv ] && fail 'a table of no defences'

# killed again and again, also between a victim and the filters that look through it
held=0
attempt() { exec "$tocsin" run study.yaml --out killed --resume --quiet --jobs 2; }
look() { [ -z "$(find killed/work -name '*.safetensors' 2>/dev/null)" ] || held=$((held + 1)); }
forget() { rm -rf killed; }
battered 3 $undisturbed
echo "$held times with weights waiting for a filter"
same 'as if never killed' whole killed
weights killed | grep . && fail 'something is left of the killed runs'
finish
