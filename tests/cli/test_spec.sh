# Wrong specs: each is refused with status 2, one line that names file, line, key and a way out, and nothing is written.
. "$(dirname "$0")/harness.sh"

# wrong 'SPEC (\n for new lines)' 'MESSAGE after spec.yaml' [ARGUMENTS…]
wrong() {
    printf "$1" >spec.yaml
    message=$2
    shift 2
    refuse 2 "spec.yaml$message" run spec.yaml "$@"
}
# changed 'MESSAGE' --set…: a good spec, spoilt on the command line
changed() {
    printf "$good" >spec.yaml
    message=$1
    shift
    refuse 2 "$message" run spec.yaml "$@"
}
attacks='attacks:\n  - name: gradient-matching\n'
tiny='dataset: {source: glyphs, train_per_class: 4, test_per_class: 2}\nthreat: {ratio: 0.05}\n'
tiny="$tiny"'surrogate: {model: lenet, train: {crop: 0}}\nvictim: {model: lenet, train: {crop: 0}}\n'
good="$attacks$tiny"

# structure
wrong '' ": attacks: none is given; add a list of them, \`tocsin list attacks\` names them"
wrong 'hello\n' ':1: holds a single value; a spec is a section (key: value), see docs/spec.md'
wrong '[1, 2]\n' ':1: holds a list; a spec is a section (key: value), see docs/spec.md'
wrong "$attacks"'trails: 3\n' ":3: trails: unknown key; did you mean 'trials'?"
wrong "$attacks"'zebra: 3\n' ':3: zebra: unknown key; known here are name, seed, trials, device, gpu, precision, deterministic, threads, ensemble, keep_models, dataset, threat, landscape, surrogate, surrogates, victim, victims, attacks, defences, extends, sweep'
wrong "$attacks"'victim:\n  modle: lenet\n' ":4: victim.modle: unknown key; did you mean 'model'?"
wrong "$attacks"'victim:\n  train:\n    epochs: 3\n    ecophs: 3\n' ":6: victim.train.ecophs: unknown key; did you mean 'epochs'?"
wrong "$attacks"'    stepz: 3\n' ":3: attacks.1.stepz: unknown key; did you mean 'steps'?"
wrong "$attacks"'seed: 1\nseed: 2\n' ':4: seed: given twice, first on line 3; keep one of the two'
wrong "$attacks"'seed: [1]\n' ':3: seed: is a list; must be one value'
wrong "$attacks"'victim: lenet\n' ':3: victim: is a single value; must be a section (key: value)'
wrong 'attacks:\n  name: x\n' ':2: attacks: is a section; must be a list'
wrong 'attacks: [gradient-matching]\n' ':1: attacks.1: is a single value; must be a section (key: value)'
wrong 'attacks:\n  - {}\n' ':2: attacks.1: is empty; give it a name or remove it'
wrong "$attacks"'  rho: 1\n' ':3: not valid YAML: did not find expected '"'-'"' indicator; mend this line or the one before'
wrong 'seed: "1\n' ':2: not valid YAML: found unexpected end of stream; mend this line or the one before'
wrong "$attacks"'---\nseed: 1\n' ':3: a second document begins; put each study into a file of its own'
wrong "$attacks"'name: "a\\0b"\n' ':3: name: holds a zero byte; remove it'
wrong "$attacks"'victim: *nothing\n' ":3: victim: No anchor found for alias: 'nothing'; see docs/spec.md for what may stand there"
wrong '? [a]\n: 1\n' ':1: a key must be a plain word; use the names of docs/spec.md'
wrong "$(printf '%0100d' 0 | tr 0 '[')1$(printf '%0100d' 0 | tr 0 ']')"'\n' ':1: nested too deeply; at most 64 levels'

# values
wrong "$attacks"'seed: -1\n' ':3: seed is -1; must be 0 … 999999999999999'
wrong "$attacks"'trials: 0\n' ':3: trials is 0; must be 1 … 1000000 (trials)'
wrong "$attacks"'trials: some\n' ":3: trials is 'some'; must be a whole number, 1 … 1000000 (trials)"
wrong "$attacks"'device: gpu\n' ":3: device is 'gpu'; did you mean 'cpu'? It must be one of cpu, reference, cuda"
wrong "$attacks"'keep_models: maybe\n' ":3: keep_models is 'maybe'; must be true or false"
wrong "$attacks"'threat:\n  epsilon: 256\n' ':4: threat.epsilon is 256; must be 0 … 255 (1/255)'
wrong "$attacks"'threat:\n  epsilon: -1\n' ':4: threat.epsilon is -1; must be 0 … 255 (1/255)'
wrong "$attacks"'threat:\n  ratio: 1.01\n' ':4: threat.ratio is 1.01; must be above 0 … 1'
wrong "$attacks"'threat:\n  ratio: 0\n' ':4: threat.ratio is 0; must be above 0 … 1'
wrong "$attacks"'    rho: 0\n' ':3: attacks.1.rho is 0; must be above 0 … 1000000'
wrong "$attacks"'    rho: -0.05\n' ':3: attacks.1.rho is -0.05; must be above 0 … 1000000'
wrong "$attacks"'    sharpness: worst\n' ":3: attacks.1.sharpness is 'worst'; must be one of none, worst-case, gaussian"
wrong "$attacks"'    p: two\n' ":3: attacks.1.p: 'two' is no norm; give a number from 1 or inf"
wrong "$attacks"'    p: 0.5\n    rho: 1\n' ":3: attacks.1.p: '0.5' is no norm; give a number from 1 or inf"
wrong "$attacks"'name: a/b\n' ":3: name: 'a/b' cannot name a folder; leave out '/', a leading '.' and all beyond 200 bytes"
wrong 'attacks:\n  - name: gradient-maching\n' ":2: attacks.1.name: 'gradient-maching' is not known; did you mean 'gradient-matching'?"
wrong 'attacks:\n  - label: mine\n' ":2: attacks.1: has no name; give it one of \`tocsin list attacks\`"
wrong 'attacks:\n  - name: random-noise\n    steps: 5\n' ':3: attacks.1.steps: random-noise has no such option; it has name, label, distribution'
wrong "$attacks"'  - name: gradient-matching\n' ":3: attacks.2: is called 'gradient-matching' like another attack; give each a label of its own"
wrong "$attacks"'victim: {model: resnet81}\n' ":3: victim.model: 'resnet81' is not known; did you mean 'resnet18'?"
wrong "$attacks"'victim: {model: logreg, width: 3}\n' ':3: victim.width: logreg has no such option; it has model'
wrong "$attacks"'surrogate:\n  count: 0\n' ':4: surrogate.count is 0; must be 1 … 64 (networks)'
wrong "$attacks"'victim:\n  train: {epochs: 0}\n' ':4: victim.train.epochs is 0; must be 1 … 1000000 (epochs)'
wrong "$attacks"'victim:\n  train: {recipe: sappa}\n' ":4: victim.train.recipe is 'sappa'; did you mean 'sapa'? It must be one of custom, sapa, witches-brew, sapa-adam, sapa-500, sapa-cyclic"
wrong "$attacks"'threat:\n  target_class: 2\n  intended_class: 2\n' ":5: threat.intended_class: is 2, the targets' own class; choose another, or -1 to draw one"

# what does not go together in a training is found before anything runs
wrong "$attacks"'victim:\n  model: logreg\n  train: {dp_clip: 1, mixup: 1}\n' ":5: victim.train: dp_clip: with mixup or cutmix a gradient is of two examples; set those to 0, or dp_unit to batch"
wrong "$attacks"'victim:\n  model: resnet18\n  train: {dp_clip: 1}\n' ":5: victim.train: dp_clip: with batch normalisation resnet18 has no gradient of a single example; take a network without, or dp_unit=batch"
wrong "$attacks"'victim:\n  model: logreg\n  train: {schedule: cyclic, warmup: 1}\n' ":5: victim.train: warmup: the cyclic schedule rises by itself; set warmup to 0, or move peak"

# victims and defences
wrong "$attacks"'victims:\n  - model: resnet81\n' ":4: victims.1.model: 'resnet81' is not known; did you mean 'resnet18'?"
wrong "$attacks"'victims: {model: lenet}\n' ':3: victims: is a section; must be a list'
wrong "$attacks"'victims: []\n' ':3: victims: is empty; give it an entry or remove it'
wrong 'attacks: []\n' ':1: attacks: is empty; give it an entry or remove it'
wrong "$attacks"'victims:\n  - {model: lenet}\n  - {model: logreg, width: 3}\n' ':5: victims.2.width: logreg has no such option; it has model, label'
wrong "$attacks"'victims:\n  - {model: lenet}\n  - {model: lenet}\n' ":5: victims.2: is called 'lenet' like another victim; give each a label of its own"
wrong "$attacks"'victims:\n  - model: lenet\n    train: {epochs: many}\n' ":5: victims.1.train.epochs is 'many'; must be a whole number, 1 … 1000000 (epochs)"
wrong "$attacks"'victim: {model: lenet}\nvictims: [{model: lenet}]\n' ':3: victim: is given beside victims; put it into that list'
wrong "$attacks"'victim: {label: mine}\n' ':3: victim.label: unknown key; known here are model, width, dropout, depth, heads, patch, mlp_ratio, layers, train'
wrong "$attacks"'defences: [{name: nune}]\n' ":3: defences.1.name: 'nune' is not known; did you mean 'none'?"
wrong "$attacks"'defences: [{label: mine}]\n' ":3: defences.1: has no name; give it one of \`tocsin list defenses\`"
wrong "$attacks"'defences: [{name: none}, {name: none}]\n' ":3: defences.2: is called 'none' like another defence; give each a label of its own"
wrong "$attacks"'defences:\n  - name: spectral-signatures\n    poisoned: 0.4\n    factor: 3\n' ':6: defences.1.factor: 3 times 0.4 leaves next to nothing of a class; lower one of them'
wrong "$attacks"'defences: [{name: loss, k: 3}]\n' ':3: defences.1.k: loss has no such option; it has name, label, share, side, per_class'
wrong "$attacks"'defenses: [{name: none}]\n' ":3: defenses: unknown key; did you mean 'defences'?"

# sweeps
wrong "$attacks"'sweep: 3\n' ':3: sweep: must be a section of grid, cells or both'
wrong "$attacks"'sweep: {}\n' ':3: sweep: must be a section of grid, cells or both'
wrong "$attacks"'sweep:\n  gird: {seed: [1]}\n' ':4: sweep.gird: unknown key; known here are grid, cells'
wrong "$attacks"'sweep:\n  grid: [1]\n' ':4: sweep.grid: must be a section (key: value)'
wrong "$attacks"'sweep:\n  grid: {}\n' ':4: sweep.grid: must be a section of 1 … 64 keys'
wrong "$attacks"'sweep:\n  grid:\n    threat.epsilon: 4\n' ':5: sweep: threat.epsilon: must be a list of values'
wrong "$attacks"'sweep:\n  grid:\n    threat.epsilon: []\n' ':5: sweep: threat.epsilon: must be a list of 1 … 1000 values'
wrong "$attacks"'sweep:\n  grid:\n    threat.epsilon:\n      - 4\n      - [8]\n' ':7: sweep: threat.epsilon: must be made of single values'
wrong "$attacks"'sweep:\n  grid:\n    threat.epsilon: [4]\n    threat.epsilon: [8]\n' ':6: sweep.grid.threat.epsilon: given twice, first on line 5; keep one of the two'
wrong "$attacks"'sweep:\n  cells: {seed: 1}\n' ':4: sweep.cells: must be a list of sections'
wrong "$attacks"'sweep:\n  cells: []\n' ':4: sweep.cells: must be a list of 1 … 1000 sections'
wrong "$attacks"'sweep:\n  cells:\n    - {seed: 1}\n    - seed\n' ':6: sweep.cells.2: must be a section (key: value)'
wrong "$attacks"'sweep:\n  cells:\n    - {seed: [1, 2]}\n' ':5: sweep: seed: must be made of single values'
wrong "$attacks"'sweep:\n  grid: {threat.epsiln: [4]}\n' ":4: sweep: threat.epsiln: unknown key; did you mean 'epsilon'?"
wrong "$attacks"'sweep:\n  grid: {threat: [4]}\n' ':4: sweep: threat: is a section; add one of its keys: goal, epsilon, ratio, targets, target_class, intended_class, trigger, trigger_size, trigger_place, trigger_opacity, trigger_file'
wrong "$attacks"'sweep:\n  grid: {attacks.SAPA.rho: [4]}\n' ':4: sweep: attacks.SAPA: is none of the 1 there; give a number from 1 to 2 or a label'
wrong "$attacks"'sweep:\n  grid: {trials: [4, 8]}\n' ':4: sweep: trials: belongs to the study as a whole; set it once, outside the sweep'
wrong "$attacks"'sweep:\n  grid: {extends: [a, b]}\n' ':4: sweep: extends: stands in a file only; write it there'
wrong "$attacks"'sweep:\n  grid:\n    threat.epsilon:\n      - 4\n      - 256\n' ':7: threat.epsilon is 256; must be 0 … 255 (1/255)'
wrong "$attacks"'sweep:\n  grid: {victim.model: [lenet, lenett]}\n' ":4: victim.model: 'lenett' is not known; did you mean 'lenet'?"
wrong "$attacks"'sweep:\n  grid:\n    attacks.1.rho: [0.1]\n    attacks.gradient-matching.rho: [0.2]\n' ':6: sweep: attacks.1.rho: is swept twice, first at spec.yaml:5; keep one of the two'
wrong "$attacks"'sweep:\n  cells:\n    - {threat.target_class: 1}\n    - {threat.target_class: 2, threat.intended_class: 2}\n' ":6: threat.intended_class: is 2, the targets' own class; choose another, or -1 to draw one"
wrong "$attacks"'trials: 1000000\nsweep: {grid: {seed: [1, 2, 3]}}\n' ':3: trials: the study has more than 2000000 trials in all its cells; take fewer, or split it'
many=$(seq -s ', ' 101)
wrong "$attacks""sweep:\\n  grid:\\n    seed: [$many]\\n    threat.epsilon: [$many]\\n" ':6: sweep: threat.epsilon: makes more than 10000 combinations; take fewer values'

# extends
wrong "extends: nofile.yaml\n$attacks" ':1: extends: nofile.yaml is no file; give its path as seen from this file'"'"'s folder'
wrong "extends: [a]\n$attacks" ':1: extends: is a list; must be one value'
wrong "extends: spec.yaml\n$attacks" ':1: extends: spec.yaml extends this file in turn; break the circle'
mkdir below && printf 'extends: ../spec.yaml\n' >below/other.yaml
printf 'extends: below/other.yaml\n' >spec.yaml
refuse 2 'below/other.yaml:1: extends: below/../spec.yaml extends this file in turn; break the circle' run spec.yaml
printf "$good"'sed: 1\n' >below/other.yaml
refuse 2 "below/other.yaml:$(($(printf "$good" | wc -l) + 1)): sed: unknown key; did you mean 'seed'?" run spec.yaml
printf "$good"'threat.epsilon: 1\n' >below/other.yaml
refuse 2 "below/other.yaml:$(($(printf "$good" | wc -l) + 1)): 'threat.epsilon' is no key; use the names of docs/spec.md" run spec.yaml
printf "$good" >below/other.yaml
printf 'extends: below/other.yaml\nthreat: {epsilon: 300}\n' >spec.yaml
refuse 2 'spec.yaml:2: threat.epsilon is 300; must be 0 … 255 (1/255)' run spec.yaml
for i in $(seq 1 17); do echo "extends: chain$((i + 1)).yaml" >chain$i.yaml; done
refuse 2 'chain16.yaml:1: extends: more than 16 files in a row; put some together' run chain1.yaml

# what only the data can tell
changed '--set: dataset.source: /nowhere: no such folder; name the one that holds train-images-idx3-ubyte' --set dataset.source=idx:/nowhere
changed "--set: dataset.source: dataset 'shape10': 'shape10' is not known; did you mean shapes10?" --set dataset.source=shape10
changed '--set: threat.target_class: is 10; glyphs has the classes 0 … 9, or -1 to draw one' --set threat.target_class=10
changed '--set: threat.intended_class: is 99; glyphs has the classes 0 … 9, or -1 to draw one' --set threat.intended_class=99
changed '--set: victim.train.crop: is 28 pixels, the images are 28 wide; take fewer' --set victim.train.crop=28

# labels that a key could not tell from a place, and the control, which has no place unless it is listed
wrong "$attacks"'    label: 2\n' ":2: attacks.1: is called '2', which in keys is a place in the list; give it a label with a letter"
wrong "$attacks"'victims: [{model: lenet, label: "1"}]\n' ":3: victims.1: is called '1', which in keys is a place in the list; give it a label with a letter"
wrong "$attacks"'defences: [{name: none, label: "07"}]\n' ":3: defences.1: is called '07', which in keys is a place in the list; give it a label with a letter"
changed '--set: attacks.random-noise: the control is added by itself; list it to change it' --set attacks.random-noise.distribution=uniform

# flags that are short for --set are called by their names
changed '--threads is -1; must be 0 … 4096 (threads)' --threads -1
changed "--device is 'gpu'; did you mean 'cpu'? It must be one of cpu, reference, cuda" --device gpu
changed 'run: --no-measure is about --plan; give both, or leave it away' --no-measure

# --set
changed "--set: threat.epsiln: unknown key; did you mean 'epsilon'?" --set threat.epsiln=3
changed "--set: 'threat' is no assignment; write KEY=VALUE" --set threat
changed '--set: threat: is a section; add one of its keys: goal, epsilon, ratio, targets, target_class, intended_class, trigger, trigger_size, trigger_place, trigger_opacity, trigger_file' --set threat=3
changed "--set: seed: is one value; leave '.x' away" --set seed.x=3
changed '--set: attacks.7: is none of the 1 there; give a number from 1 to 2 or a label' --set attacks.7.steps=3
changed '--set: attacks.SAPA: is none of the 1 there; give a number from 1 to 2 or a label' --set attacks.SAPA.steps=3
changed '--set: extends: stands in a file only; write it there' --set extends=other.yaml
changed '--set: sweep: stands in a file only; write it there' --set sweep.grid.seed=3
printf "$attacks" >spec.yaml
refuse 2 '--set: victims.2.width: logreg has no such option; it has model, label' run spec.yaml --set victims.1.model=lenet --set victims.2.width=3 --set victims.2.model=logreg
changed "--set: attacks.1.p: 'euclid' is no norm; give a number from 1 or inf" --set attacks.gradient-matching.p=euclid
changed "--seed is 'x'; must be a whole number, 0 … 999999999999999" --seed x

changed '--set: dataset.source: holds bytes that are no UTF-8; write it in UTF-8' --set "dataset.source=idx:$(printf 'caf\351')"
odd=$(printf 'caf\351.yaml') && printf "$good" >"$odd"
refuse 2 '--set: ensemble: is 2, but 1 is given; list more surrogates or use fewer' run spec.yaml --set ensemble=2
refuse 2 '--set: landscape.size: is 4; take an odd number from 3, so that the trained weights are in the middle' run spec.yaml --set landscape.size=4
refuse 2 "spec.yaml:$(grep -n gradient-matching spec.yaml | head -1 | cut -d: -f1): attacks.1: gradient-matching is no attack for threat.goal untargeted; it is targeted, \`tocsin list attacks\` shows which fit" run spec.yaml --set threat.goal=untargeted
refuse 2 "$odd: name: is no UTF-8; give the study a name of its own" run "$odd"
rm "$odd"

printf "$good"'sweep: {grid: {threat.epsilon: [4, 8]}}\n' >spec.yaml
refuse 2 "--set: threat.epsilon: is swept (spec.yaml:$(wc -l <spec.yaml)); leave one of the two out" run spec.yaml --set threat.epsilon=16
printf "$good"'sweep: {grid: {dataset.source: [glyphs, "idx:/nowhere"]}}\n' >spec.yaml
refuse 2 "spec.yaml:$(wc -l <spec.yaml): dataset.source: /nowhere: no such folder; name the one that holds train-images-idx3-ubyte" run spec.yaml --plan
printf "$good"'sweep: {grid: {threat.ratio: [0.05, 0.9]}}\n' >spec.yaml
refuse 2 "spec.yaml:$(wc -l <spec.yaml): threat: ratio: 0.9 of 40 training images is 36, but class 2 (wedge) of glyphs has 4; take at most 0.1" run spec.yaml --plan

# a recipe's values, over which single ones win wherever they stand; a phase takes the same way in
printf "$tiny"'  # no attack\n' | sed 's/victim: .*/victim: {model: logreg, train: {crop: 0, epochs: 1, recipe: witches-brew}}/' >recipe.yaml
resolved() { # 'WHAT' VALUE KEY: of the victim's training, as it was run
    python3 -c 'import json, sys; t = json.load(open("recipe/results.json"))["spec"]["victim"]["train"]; sys.exit(str(t[sys.argv[2]]) != sys.argv[1])' "$2" "$3" || fail "recipe: $1"
}
for over in '' recipe=sapa; do
    holds "a recipe $over" "$tocsin" run recipe.yaml --quiet --overwrite --out recipe --set trials=1 --set attacks.1.name=random-noise \
        --set surrogate.model=logreg ${over:+--set victim.train.$over}
    resolved "the recipe's milestones" "$([ "$over" ] && echo '0.5, 0.75' || echo '0.375, 0.625, 0.875')" milestones
    resolved "the file's epochs" 1 epochs
    resolved "the file's crop" 0 crop
done

# files and folders
refuse 2 'nofile.yaml: cannot be opened: No such file or directory; check the path' run nofile.yaml
refuse 2 '.: is a folder; name a file' run .
refuse 2 '/dev/zero: holds more than the 1048576 bytes expected; check the file' run /dev/zero
printf "$good" >spec.yaml
refuse 2 '--out: is empty; name a folder' run spec.yaml --out ''
echo >file
refuse 2 '--out: file/below: file is a file, not a folder; choose another place' run spec.yaml --out file/below
mkdir earlier && echo '{}' >earlier/results.json
refuse 2 '--out: earlier holds the results of an earlier run; go on with --resume, choose another folder or --overwrite' run spec.yaml --out earlier
finish
