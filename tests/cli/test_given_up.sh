# A cell that diverges is given up alone: the others are run, and told; --resume tries it again.
. "$(dirname "$0")/harness.sh"

cat >spec.yaml <<'END'
trials: 2
dataset: {source: shapes10, train_per_class: 20, test_per_class: 10}
threat: {epsilon: 16, ratio: 0.05}
surrogate: {model: logreg, train: {epochs: 2, batch: 20, rate: 0.05, crop: 0, flip: false}}
victim: {model: lenet, train: {epochs: 2, batch: 20, crop: 0, flip: false}}
attacks: [{name: gradient-matching, steps: 3}]
sweep: {grid: {victim.train.rate: [0.01, 900, 0.02]}}
END
cat >check.py <<'END'
import json, sys
r = json.load(open(sys.argv[1] + "/results.json"))
rates = sorted(t["cell"] for t in r["trials"])
fine = [i for i, c in enumerate(r["cells"]) if c["factors"]["victim.train.rate"] != 900]
assert len(fine) == 4 and rates == sorted(2 * fine), rates
END
gives_up() { # 'WHAT' ARGUMENTS…: the run ends with status 1, having named the cells
    what=$1
    shift
    checks=$((checks + 1))
    "$tocsin" run spec.yaml "$@" >out.txt 2>err.txt
    [ $? = 1 ] || fail "$what: status"
    tail -n 1 err.txt | grep -q '^tocsin: jobs: 6 of [0-9]* phases were given up, .*; the first was trial [12], .* of cell [0-9] (victim.train.rate 900)' || { fail "$what: the last word"; tail -n 3 err.txt; }
    # one by one, or with the clean victim, without which they have no row
    [ "$(grep -c '^tocsin: given up: trial [12], .* of cell [0-9] (victim.train.rate 900.*).*: train: the loss is no longer a number' err.txt)" -ge 2 ] ||
        { fail "$what: the cells"; cat err.txt; }
}
gives_up 'as jobs' --out jobs --jobs 2
holds 'what there is' python3 check.py jobs
[ -s jobs/report.html ] || fail 'no report'
gives_up 'again' --out jobs --resume
sed -i 's/900, //' spec.yaml
holds 'the rest, taken over' "$tocsin" run spec.yaml --from jobs --out rest --quiet
holds 'which is all of it' python3 -c 'import json; assert len(json.load(open("rest/results.json"))["trials"]) == 8'
# A surrogate that diverges takes its poisons and victims along; the control needs none.
sed -i 's/^sweep.*//; s/rate: 0.05/rate: 0.05, warmup: 0/' spec.yaml
"$tocsin" run spec.yaml --out surrogate --set surrogate.model=lenet --set surrogate.train.rate=900 >out.txt 2>err.txt
[ $? = 1 ] || fail 'a surrogate: status'
grep -q '^tocsin: given up: trial 1, surrogate (phase [0-9a-f]*) of cell 1, and 2 that need it: train: ' err.txt || { fail 'a surrogate'; cat err.txt; }
holds 'the control is there' python3 -c 'import json; assert [t["cell"] for t in json.load(open("surrogate/results.json"))["trials"]] == [0, 0]'
finish
