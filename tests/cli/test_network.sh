# A network of one's own: its layers in the spec, as a list or as text, mean the same; its weights go out under their names
# and come back; what is wrong is said with the line, before anything is trained.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/harness.sh"

cat >own.yaml <<'END'
trials: 1
dataset: {source: glyphs, train_per_class: 6, test_per_class: 3}
threat: {ratio: 0.1}
surrogate: &own
  model: sequential
  layers:
    - conv 4 name=stem       # a comment
    - batch-norm
    - relu
    - &step
      residual: [conv 6 stride=2, relu]
      shortcut: [max-pool, conv 6 kernel=1]
    - global-pool
    - linear
  train: {epochs: 2, batch: 16, rate: 0.05}
victims:
  - *own
  - {<<: x, model: logreg}
attacks: [{name: gradient-matching, steps: 2, restarts: 1}]
END
sed -i '/<<: x/s/<<: x, //' own.yaml

same() { # A B: the same spec and the same results
    python3 -c 'import json, sys
a, b = (json.load(open(f"{d}/results.json")) for d in sys.argv[1:])
for r in a, b: r["spec"].pop("name")
strip = lambda r: [(t["cell"], t["metrics"]) for t in r["trials"]]
assert a["spec"] == b["spec"] and strip(a) == strip(b)' "$1" "$2" || fail "$1 and $2 are not the same"
}

holds 'a study' "$tocsin" run own.yaml --out list --quiet --set keep_models=true
holds 'what it resolves to' "$tocsin" run list/spec.resolved.yaml --out again --quiet
same list again
text='[conv 4 name=stem, batch-norm, relu, {residual: [conv 6 stride=2, relu], shortcut: [max-pool, "conv 6 kernel=1"]}, global-pool, linear]'
grep -v '^ *\(layers:\|- conv\|- batch\|- relu\|- &step\|residual\|shortcut\|- global\|- linear\)' own.yaml >bare.yaml
holds 'layers as text' "$tocsin" run bare.yaml --out text --quiet --set keep_models=true --set "surrogate.layers=$text" --set "victims.1.layers=$text"
python3 -c 'import json
a, b = (json.load(open(f"{d}/results.json"))["trials"] for d in ("list", "text"))
assert [t["metrics"] for t in a] == [t["metrics"] for t in b]' || fail 'a list and its text'

# names
python3 - <<'END' || fail 'names of the tensors'
import glob, json, struct
def header(path):
    with open(path, "rb") as file:
        return {k: v["shape"] for k, v in json.loads(file.read(struct.unpack("<Q", file.read(8))[0])).items() if k != "__metadata__"}
got = header(glob.glob("list/models/surrogate-0-0-*.safetensors")[0])
assert got["stem.weight"] == [4, 1, 3, 3] and got["3.body.0.weight"] == [6, 4, 3, 3] and got["3.shortcut.1.weight"] == [6, 4, 1, 1], got
assert got["1.running_mean"] == [4] and got["5.weight"] == [10, 6], got
END
holds 'phase by phase' "$tocsin" craft own.yaml --attack gradient-matching --surrogate list/models/surrogate-0-0-*.safetensors --out poison
holds 'the same poison' cmp poison/poison.npz list/poisons/2-0/poison.npz

# what is wrong
sed 's/conv 6 stride=2/conv 6 strid=2/' own.yaml >wrong.yaml
refuse 2 "wrong.yaml:7: surrogate.layers: layers: 3.body.0 'conv 6 strid=2': model sequential: unknown option 'strid'; did you mean 'stride'?" \
    run wrong.yaml --plan
sed 's/    - global-pool/    - globalpool/' own.yaml >wrong.yaml
refuse 2 "wrong.yaml:7: surrogate.layers: layers: 4 'globalpool': model sequential: 'globalpool' is no layer; did you mean 'global-pool'?" \
    run wrong.yaml
sed 's/    - global-pool//' own.yaml >wrong.yaml
refuse 2 "wrong.yaml:7: surrogate.layers: layers: 4 'linear': model sequential: 4: a linear layer needs flattened features" run wrong.yaml
sed 's/    - &step/    - \&step [*step]\n    -/' own.yaml >wrong.yaml
turned_down 2 run wrong.yaml
printf 'victim: {model: sequential, layers: {relu: 3}}\nattacks: [{name: random-noise}]\n' >wrong.yaml
refuse 2 'wrong.yaml:1: victim.layers: model sequential: layers: is no list; write [conv 32, relu, …, linear]' run wrong.yaml
printf 'victim: {model: sequential}\nattacks: [{name: random-noise}]\n' >wrong.yaml
refuse 2 'wrong.yaml:1: victim.model: model sequential: layers: is empty; write [conv 32, relu, …, linear]' run wrong.yaml
printf 'victim: {model: lenet, layers: [relu]}\nattacks: [{name: random-noise}]\n' >wrong.yaml
refuse 2 'wrong.yaml:1: victim.layers: lenet has no such option; it has model, width, dropout' run wrong.yaml
python3 -c "print('victim: {model: sequential, layers: [' + 'relu, ' * 20000 + 'linear]}')" >wrong.yaml
printf 'attacks: [{name: random-noise}]\n' >>wrong.yaml
turned_down 2 run wrong.yaml
python3 -c "
print('victim:\n  model: sequential\n  layers:\n    - &a0 [relu]')
for i in range(30): print(f'    - &a{i + 1} [' + ', '.join([f'*a{i}'] * 9) + ']')
print('attacks: [{name: random-noise}]')" >wrong.yaml
turned_down 2 run wrong.yaml
grep -q 'comes to more than 100000 values' err.txt || fail 'aliases of aliases'

holds 'the layers that there are' "$tocsin" list layers conv
grep -q '^conv CHANNELS' out.txt || fail 'list layers'
refuse 2 "list: nothing named 'cnv' is here; \`tocsin list layers\` names what is" list layers cnv
finish
