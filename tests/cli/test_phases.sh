# The phases one by one give what the whole study gives; files that are not what they should be are refused.
spec=$(cd "$(dirname "$0")" && pwd)/tiny.yaml
. "$(dirname "$0")/harness.sh"

holds 'the study' "$tocsin" run "$spec" --out whole --quiet --set trials=1 --set keep_models=true
holds 'train the surrogate' "$tocsin" train "$spec" --network surrogate --out surrogate.safetensors --quiet
holds 'the same surrogate' cmp surrogate.safetensors whole/models/surrogate-0-0.safetensors
holds 'craft' "$tocsin" craft "$spec" --attack gradient-matching --surrogate surrogate.safetensors --out poison
grep -q '^6 poisons, changed by at most 16/255' out.txt || fail 'craft tells what it made'
holds 'the same poison' cmp poison/poison.npz whole/poisons/1-0/poison.npz
holds 'train the victim' "$tocsin" train "$spec" --poison poison --out victim.safetensors --json
holds 'the same victim' cmp victim.safetensors whole/models/victim-1-0.safetensors
holds 'evaluate' "$tocsin" evaluate "$spec" --weights victim.safetensors --poison poison --json
cp out.txt evaluated.json
cat >check.py <<'END'
import json
got, row = json.load(open("evaluated.json")), json.load(open("whole/results.json"))["trials"][1]
assert got["accuracy"] == row["metrics"]["accuracy"] and got["success"] == row["metrics"]["success"]
assert got["predicted"] == row["predicted"]
END
holds 'the same numbers' python3 check.py
holds 'a control needs no surrogate' "$tocsin" craft --set attacks.1.name=random-noise --set dataset.source=glyphs \
    --set dataset.train_per_class=10 --set threat.ratio=0.02 --set surrogate.model=lenet --set victim.model=lenet --out noise

# one of several victims or surrogates: the very one of the study
cat >several.yaml <<'END'
trials: 2
keep_models: true
dataset: {source: glyphs, train_per_class: 6, test_per_class: 2}
threat: {ratio: 0.05, epsilon: 16}
surrogates:
  - {model: logreg, count: 2, train: &t {epochs: 1, batch: 16, rate: 0.02, crop: 0, flip: false}}
  - {model: lenet, train: *t}
victims:
  - {model: logreg, train: {epochs: 1, batch: 16, rate: 0.05, crop: 0, flip: false}}
  - {model: lenet, label: second, train: *t}
attacks: [{name: gradient-matching, steps: 1, restarts: 1}]
END
holds 'a study of several' "$tocsin" run several.yaml --out several --quiet
of_run() { # 'WHAT' PATTERN FLAGS…: some file of the run is the same
    what=$1 pattern=$2
    shift 2
    holds "$what" "$tocsin" train several.yaml --trial 1 --out one.safetensors --quiet "$@"
    for file in several/models/$pattern; do cmp -s one.safetensors "$file" && return; done
    fail "$what: not the run's"
}
of_run 'the second victim' 'clean-1-*' --index 1
holds 'evaluate the second victim' "$tocsin" evaluate several.yaml --weights one.safetensors --index 1
of_run 'the first victim' 'clean-1-*' --network victim
of_run 'the second start' 'surrogate-1-1-*' --network surrogate --index 1
of_run 'the second architecture' 'surrogate-2-1-*' --network surrogate --index 2
holds 'evaluate the second architecture' "$tocsin" evaluate several.yaml --weights one.safetensors --network surrogate --index 2
refuse_like 2 'one.safetensors: ' evaluate several.yaml --weights one.safetensors --network surrogate --index 0
refuse 2 'train: --index is 2; the spec has 2 victims, counted from 0' train several.yaml --out x.safetensors --index 2
refuse 2 'train: --index is 7; the spec has 3 surrogates, counted from 0' train several.yaml --out x.safetensors --index 7 --network surrogate
refuse 2 'evaluate: --index is 1; the spec has 1 victim, counted from 0' evaluate "$spec" --weights one.safetensors --index 1

# where a network goes is looked at before it is trained
mkdir there
refuse 2 '--out: nowhere/below/w.safetensors: there is no folder nowhere/below; make it first' train "$spec" --out nowhere/below/w.safetensors
refuse 2 "--out: 'there' is a folder; name a file in it" train "$spec" --out there
refuse 2 '--json: nowhere/b.json: there is no folder nowhere; make it first' bench --json nowhere/b.json
refuse 2 '--out: nowhere/d.safetensors: there is no folder nowhere; make it first' derive --model lenet --weights victim.safetensors --batch no --out nowhere/d.safetensors

# data
holds 'data info' "$tocsin" data info glyphs --set train_per_class=5 --json
python3 -c 'import json; d = json.load(open("out.txt")); assert d["train"] == 50 and d["height"] == 28 and len(d["classes"]) == 10' || fail 'data info'
holds 'convert' "$tocsin" data convert glyphs --set train_per_class=5 --set test_per_class=2 --format idx --out converted
holds 'read what was converted' "$tocsin" data info idx:converted --json
python3 -c 'import json; d = json.load(open("out.txt")); assert d["train"] == 50 and d["test"] == 20' || fail 'converted data'
refuse 2 'data: convert takes no --json; leave it away' data convert glyphs --format idx --out c --json
refuse 2 'data: info takes no --format; leave it away' data info glyphs --format idx
refuse 2 "--set: dataset.sise: unknown key; did you mean 'size'?" data info glyphs --set sise=3

# what is refused
refuse 2 'craft: the spec has 2 attacks; choose one with --attack LABEL' craft "$spec" --out p
refuse 2 "craft: --attack 'gradient-matchin' is not in the spec; did you mean 'gradient-matching'?" craft "$spec" --out p --attack gradient-matchin
refuse 2 'craft: gradient-matching needs a surrogate; train one with `tocsin train --network surrogate` and give it with --surrogate' \
    craft "$spec" --out p --attack gradient-matching
# before data are opened or a surrogate is read
refuse 2 "--set: attacks.1.p: 'x' is no norm; give a number from 1 or inf" craft "$spec" --out p --attack gradient-matching \
    --surrogate nothing.safetensors --set dataset.source=idx:nowhere --set attacks.1.p=x
head -c 1000 victim.safetensors >cut.safetensors
for file in cut.safetensors nothing.safetensors "$spec"; do
    "$tocsin" evaluate "$spec" --weights "$file" 2>err.txt
    [ $? = 2 ] && [ "$(wc -l <err.txt)" = 1 ] && grep -q "^tocsin: $file: " err.txt || { fail "weights $file"; cat err.txt; }
done
refuse_poison() { # the poison folder as it now is
    "$tocsin" evaluate "$spec" --weights victim.safetensors --poison bad >out.txt 2>err.txt
    [ $? = 2 ] && [ "$(wc -l <err.txt)" = 1 ] && grep -q "^tocsin: bad/" err.txt || { fail "$1"; cat err.txt; }
}
cp -r poison bad
head -c 40 poison/threat.json >bad/threat.json
refuse_poison 'a truncated threat.json'
sed 's/"targets": *\[/&99999, /' poison/threat.json >bad/threat.json
refuse_poison 'a target that is not there'
sed 's/"intended_class": *[0-9]*/"intended_class": 77/' poison/threat.json >bad/threat.json
refuse_poison 'a class that is not there'
head -c 300 poison/poison.npz >bad/poison.npz
"$tocsin" train "$spec" --poison bad --out w.safetensors 2>err.txt
[ $? = 2 ] && grep -q '^tocsin: bad/poison.npz' err.txt || { fail 'a truncated poison'; cat err.txt; }
[ -e w.safetensors ] && fail 'weights are written after a refusal'
echo >file
refuse 2 '--out: file: file is a file, not a folder; choose another place' train "$spec" --out file/w.safetensors
finish
