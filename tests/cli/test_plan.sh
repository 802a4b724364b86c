# What a study comes to: `run --plan`, and the schema by which editors help to write one.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/harness.sh"

# value 'WHAT' EXPECTED PYTHON: an expression on `plan`, what --plan --json has said
value() {
    checks=$((checks + 1))
    got=$(python3 -c "import json, sys; plan = json.load(open('plan.json')); print($3)") || fail "$1: no such value"
    [ "$got" = "$2" ] || fail "$1: $got instead of $2"
}

cat >table.yaml <<'EOF'
extends: tiny.yaml
victims:
  - {model: lenet, train: &training {epochs: 2, batch: 32, rate: 0.02, crop: 0, flip: false}}
  - {model: logreg, train: *training}
attacks:
  - {name: gradient-matching, steps: 4, restarts: 1}
  - {name: gradient-matching, label: SAPA, sharpness: worst-case, steps: 4, restarts: 1}
sweep:
  grid: {threat.epsilon: [4, 8], attacks.SAPA.rho: [0.01, 0.05]}
EOF
cp "$here/tiny.yaml" .

holds 'a plan' "$tocsin" run table.yaml --plan --threads 1
cp out.txt plan.txt
said() { holds "the plan says '$1'" grep -q -- "$1" plan.txt; }
said '^table: 16 cells, 2 trials each$' # noise and matching at two ε, SAPA at two ε and two ρ, all judged by two victims
said '^   15  SAPA  *logreg  *8  *0.05 *$'
said '^surrogates trained  *24  *2 '
said '^clean victims trained  *32  *4 '
said '^poisons crafted  *32  *16 '
said '^poisoned victims trained  *32  *32 '
said '^About .* one after another.* MiB of memory a job.$'
holds 'nothing was written' [ ! -e out ]

holds 'a plan as JSON' "$tocsin" run table.yaml --plan --json --threads 1
cp out.txt plan.json
value 'cells' 16 'len(plan["cells"])'
value 'factors swept' "['epsilon', 'rho']" 'plan["sweep"]'
value 'surrogates' '24 2' '"%d %d" % (plan["phases"]["surrogate"]["asked_for"], plan["phases"]["surrogate"]["to_be_done"])'
value 'every kind takes time' True 'all(p["seconds"] > 0 for p in plan["phases"].values())'
value 'the sum' True 'abs(plan["seconds"] - sum(p["seconds"] for p in plan["phases"].values())) < 1e-9'
value 'memory' True '4e6 < plan["memory_bytes"] < 4e9'
value 'the swept key outlives the added control' "{'threat.epsilon': [4, 8], 'attacks.3.rho': [0.01, 0.05]}" 'plan["spec"]["sweep"]["grid"]'

cat >ensemble.yaml <<'EOF'
trials: 3
dataset: {source: glyphs, train_per_class: 12, test_per_class: 4}
threat: {ratio: 0.05}
surrogates:
  - {model: lenet, count: 2, train: &short {epochs: 2, batch: 32, crop: 0, flip: false}}
  - {model: logreg, train: *short}
victim: {model: lenet, train: *short}
attacks: [{name: gradient-matching, steps: 4, restarts: 1}]
sweep: {grid: {ensemble: [1, 2]}}
EOF
holds 'ensembles' "$tocsin" run ensemble.yaml --plan --no-measure --json --threads 1
cp out.txt plan.json
value 'nothing was measured' 'None' 'plan["seconds"]'
value 'three networks a trial, two of them shared' '15 9' '"%d %d" % (plan["phases"]["surrogate"]["asked_for"], plan["phases"]["surrogate"]["to_be_done"])'
value 'which networks' "['lenet', 'lenet + logreg']" 'sorted({c["factors"]["surrogate"] for c in plan["cells"] if "surrogate" in c["factors"]})'
value 'the control, which has no surrogate, is one cell' "['random-noise', 'gradient-matching', 'gradient-matching']" '[c["factors"]["attack"] for c in plan["cells"]]'
value 'and knows nothing of ensembles' False '"ensemble" in plan["cells"][0]["factors"]'
printf 'extends: tiny.yaml\nsweep: {grid: {surrogate.count: [1, 2]}}\n' >starts.yaml
holds 'several starts' "$tocsin" run starts.yaml --plan --no-measure --json --threads 1
cp out.txt plan.json
value 'a surrogate more is no other control' "[None, 1, 1, 2, 2]" '[c["factors"].get("surrogate.count") for c in plan["cells"]]'
printf 'extends: ensemble.yaml\nsweep: {grid: {threat.epsilon: [8, 16]}}\nsurrogate: {model: logreg}\n' >single.yaml
holds 'one surrogate in the place of a list' "$tocsin" run single.yaml --plan --no-measure --json
cp out.txt plan.json
value 'it alone' "['logreg']" 'sorted({c["factors"]["surrogate"] for c in plan["cells"]} - {None}) if all("surrogate" in c["factors"] for c in plan["cells"]) else "lost"'
refuse 2 '--set: ensemble: is swept (ensemble.yaml:9); leave one of the two out' run ensemble.yaml --plan --set ensemble=3

# The estimate against the truth, as coarsely as a busy machine allows: within ten times either way.
cat >longer.yaml <<'EOF'
extends: tiny.yaml
trials: 1
dataset: {train_per_class: 60}
victim: {train: {epochs: 20}}
attacks: [{name: random-noise}]
EOF
holds 'a plan of one training' "$tocsin" run longer.yaml --plan --json --threads 1
cp out.txt plan.json
holds 'that training' "$tocsin" run longer.yaml --json --quiet --threads 1 --out longer
value 'the estimate' True 'abs(__import__("math").log10(plan["phases"]["victim"]["seconds"] / json.load(open("longer/results.json"))["trials"][0]["seconds"]["victim"])) < 1'

# ---- the schema ----
holds 'the schema' "$tocsin" list schema
cp out.txt schema.json
cat >check.py <<'EOF'
import json, sys, yaml, jsonschema
schema = json.load(open("schema.json"))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
wrong = [] # takes FILE… or refuses FILE…: one start of Python for all of them, which takes longer than what it does
for path in sys.argv[2:]:
    errors = [e.message[:200] for e in validator.iter_errors(yaml.safe_load(open(path)))]
    if (sys.argv[1] == "takes") == bool(errors): wrong += [f"{path}: {e}" for e in errors] or ["taken: " + open(path).read()]
sys.exit("\n".join(wrong) if wrong else 0)
EOF
if python3 -c 'import yaml, jsonschema' 2>/dev/null; then
    holds 'the schema takes what the program takes' \
        python3 check.py takes tiny.yaml table.yaml longer.yaml longer/spec.resolved.yaml "$here"/../../examples/*.yaml
    # What the program refuses for its words and numbers, the schema refuses too.
    unfit=0
    unfit() {
        unfit=$((unfit + 1))
        printf "$1" >unfit$unfit.yaml
        refuse 2 "$(cd "$folder" && "$tocsin" run unfit$unfit.yaml 2>&1 | sed 's/^tocsin: //')" run unfit$unfit.yaml
    }
    unfit 'attacks: [{name: random-noise, steps: 5}]\n'
    unfit 'attacks: [{label: mine}]\n'
    unfit 'attacks: []\n'
    unfit 'attacks: [{name: random-noise}]\ntrails: 3\n'
    unfit 'attacks: [{name: random-noise}]\ntrials: 0\n'
    unfit 'attacks: [{name: random-noise}]\nthreat: {epsilon: 256}\n'
    unfit 'attacks: [{name: random-noise}]\nthreat: {ratio: 0}\n'
    unfit 'attacks: [{name: random-noise}]\nvictim: {model: logreg, width: 3}\n'
    unfit 'attacks: [{name: random-noise}]\nvictims: [{model: lenet, train: {recipe: sappa}}]\n'
    unfit 'attacks: [{name: random-noise}]\ndefences: [{name: prayer}]\n'
    unfit 'attacks: [{name: random-noise}]\nsweep: {grid: {threat.epsilon: 4}}\n'
    unfit 'attacks: [{name: random-noise}]\nsweep: {grid: {threat.epsilon: [256]}}\n'
    unfit 'attacks: [{name: random-noise}]\nsweep: {grid: {trials: [1, 2]}}\n'
    unfit 'attacks: [{name: random-noise}]\nsweep: {cells: [{threat.epsilon: [4]}]}\n'
    holds 'the schema refuses what the program refuses' python3 check.py refuses unfit*.yaml
else
    skip 'no jsonschema or yaml for Python: the schema is not tried on specs'
fi
# whoever reads has gone
checks=$((checks + 1))
{
    until [ -e gone ]; do sleep 0.01; done
    "$tocsin" list attacks --json 2>err.txt
    echo $? >status.txt
} | { exec <&-; : >gone; }
case $(cat status.txt) in
1) grep -q '^tocsin: standard output: nobody reads on; ' err.txt || { fail 'a closed pipe'; cat err.txt; } ;;
*) fail "a closed pipe: status $(cat status.txt)" ;;
esac
finish
