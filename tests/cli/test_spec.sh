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
wrong "$attacks"'zebra: 3\n' ':3: zebra: unknown key; known here are name, seed, trials, device, threads, keep_models, dataset, threat, surrogate, victim, victims, attacks, defences'
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
wrong '[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n' ':1: nested too deeply; a spec has four levels at most'

# values
wrong "$attacks"'seed: -1\n' ':3: seed is -1; must be 0 … 999999999999999'
wrong "$attacks"'trials: 0\n' ':3: trials is 0; must be 1 … 1000000 (trials)'
wrong "$attacks"'trials: some\n' ":3: trials is 'some'; must be a whole number, 1 … 1000000 (trials)"
wrong "$attacks"'device: gpu\n' ":3: device is 'gpu'; did you mean 'cpu'? It must be one of cpu, reference"
wrong "$attacks"'keep_models: maybe\n' ":3: keep_models is 'maybe'; must be true or false"
wrong "$attacks"'threat:\n  epsilon: 256\n' ':4: threat.epsilon is 256; must be 0 … 255 (1/255)'
wrong "$attacks"'threat:\n  epsilon: -1\n' ':4: threat.epsilon is -1; must be 0 … 255 (1/255)'
wrong "$attacks"'threat:\n  ratio: 1.01\n' ':4: threat.ratio is 1.01; must be above 0 … 1'
wrong "$attacks"'threat:\n  ratio: 0\n' ':4: threat.ratio is 0; must be above 0 … 1'
wrong "$attacks"'    rho: 0\n' ':3: attacks.1.rho is 0; must be above 0 … 1000000'
wrong "$attacks"'    rho: -0.05\n' ':3: attacks.1.rho is -0.05; must be above 0 … 1000000'
wrong "$attacks"'    sharpness: worst\n' ":3: attacks.1.sharpness is 'worst'; must be one of none, worst-case, gaussian"
wrong "$attacks"'name: a/b\n' ":3: name: 'a/b' cannot name a folder; leave out '/', a leading '.' and all beyond 200 bytes"
wrong 'attacks:\n  - name: gradient-maching\n' ":2: attacks.1.name: 'gradient-maching' is not known; did you mean 'gradient-matching'?"
wrong 'attacks:\n  - label: mine\n' ":2: attacks.1: has no name; give it one of \`tocsin list attacks\`"
wrong 'attacks:\n  - name: random-noise\n    steps: 5\n' ':3: attacks.1.steps: random-noise has no such option; it has name, label, distribution'
wrong "$attacks"'  - name: gradient-matching\n' ":3: attacks.2: is called 'gradient-matching' like another attack; give each a label of its own"
wrong "$attacks"'victim: {model: resnet81}\n' ":3: victim.model: 'resnet81' is not known; did you mean 'resnet18'?"
wrong "$attacks"'victim: {model: logreg, width: 3}\n' ':3: victim.width: logreg has no such option; it has model'
wrong "$attacks"'surrogate:\n  count: 0\n' ':4: surrogate.count is 0; must be 1 … 64 (networks)'
wrong "$attacks"'victim:\n  train: {epochs: 0}\n' ':4: victim.train.epochs is 0; must be 1 … 1000000 (epochs)'
wrong "$attacks"'victim:\n  train: {recipe: sappa}\n' ":4: victim.train.recipe is 'sappa'; did you mean 'sapa'? It must be one of custom, sapa, witches-brew"
wrong "$attacks"'threat:\n  target_class: 2\n  intended_class: 2\n' ":5: threat.intended_class: is 2, the targets' own class; choose another, or -1 to draw one"

# what only the data can tell
changed '--set: dataset.source: /nowhere: no such folder; name the one that holds train-images-idx3-ubyte' --set dataset.source=idx:/nowhere
changed "--set: dataset.source: dataset 'shape10': 'shape10' is not known; did you mean shapes10?" --set dataset.source=shape10
changed '--set: threat.target_class: is 10; glyphs has the classes 0 … 9, or -1 to draw one' --set threat.target_class=10
changed '--set: threat.intended_class: is 99; glyphs has the classes 0 … 9, or -1 to draw one' --set threat.intended_class=99
changed '--set: victim.train.crop: is 28 pixels, the images are 28 wide; take fewer' --set victim.train.crop=28

# --set
changed "--set: threat.epsiln: unknown key; did you mean 'epsilon'?" --set threat.epsiln=3
changed "--set: 'threat' is no assignment; write KEY=VALUE" --set threat
changed '--set: threat: is a section; add one of its keys: epsilon, ratio, targets, target_class, intended_class' --set threat=3
changed "--set: seed: is one value; leave '.x' away" --set seed.x=3
changed '--set: attacks.7: is none of the 1 there; give a number from 1 to 2 or a label' --set attacks.7.steps=3
changed '--set: attacks.SAPA: is none of the 1 there; give a number from 1 to 2 or a label' --set attacks.SAPA.steps=3
changed "--set: seed is 'x'; must be a whole number, 0 … 999999999999999" --seed x

# files and folders
refuse 2 'nofile.yaml: cannot be opened: No such file or directory; check the path' run nofile.yaml
refuse 2 '.: is a folder; name a file' run .
refuse 2 '/dev/zero: holds more than the 1048576 bytes expected; check the file' run /dev/zero
printf "$good" >spec.yaml
refuse 2 '--out: is empty; name a folder' run spec.yaml --out ''
echo >file
refuse 2 '--out: file/below: file is a file, not a folder; choose another place' run spec.yaml --out file/below
mkdir earlier && echo '{}' >earlier/results.json
refuse 2 '--out: earlier holds the results of an earlier run; choose another folder or --overwrite' run spec.yaml --out earlier
finish
