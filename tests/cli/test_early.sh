# What spec, data and networks together do not allow is said before anything is trained: by the plan and by the run alike,
# in every variant of a sweep, and before --overwrite removes what an earlier run left.
. "$(dirname "$0")/harness.sh"

begin='trials: 2
dataset: {source: shapes10, train_per_class: 20, test_per_class: 10}
threat: {epsilon: 16, ratio: 0.05}
surrogate: {model: logreg, train: &t {epochs: 2, batch: 20, rate: 0.05, crop: 0, flip: false}}
victim: {model: logreg, train: *t}
'
printf '%sattacks: [{name: random-noise}]\n' "$begin" >spec.yaml
holds 'an earlier study' "$tocsin" run spec.yaml --quiet --set surrogate.model=logreg --out kept
finished=$(cksum <kept/run.db)

# early 'MESSAGE' 'THE REST OF THE SPEC, from line 6': refused by the plan and by the run
early() {
    printf "%s$2" "$begin" >spec.yaml
    refuse 2 "spec.yaml:$1" run spec.yaml --plan --no-measure
    refuse 2 "spec.yaml:$1" run spec.yaml --overwrite --out kept
    checks=$((checks + 1))
    [ "$(cksum <kept/run.db)" = "$finished" ] || fail "$2: the earlier study is gone"
}
attack() { early "$1" "attacks: [{name: $2}]\n${3-}"; }
defence() { early "$1" "attacks: [{name: random-noise}]\ndefences: [{name: none}, {name: $2}]\n${3-}"; }

attack "6: attacks.1.layers: logreg has no value named 'nope'; name one of its 1, such as features" 'bullseye-polytope, layers: nope'
begin=$(printf '%s' "$begin" | sed 's/ratio: 0.05/ratio: 0.05, goal: backdoor/')'
'
attack "6: attacks.1.layer: logreg has no value named 'nope'; take 'features'" 'hidden-trigger, layer: nope'
begin=$(printf '%s' "$begin" | sed 's/backdoor/untargeted/')'
'
attack '6: attacks.1.patch: 3 patches cannot tell 10 classes apart; take smaller ones' 'separable, patch: 32'
attack '6: attacks.1.patch: 1 pixels make 3072 patches of an image; take larger ones, at most 2048 of them' 'separable, patch: 1'
begin=$(printf '%s' "$begin" | sed 's/untargeted/targeted/')'
'
attack '6: attacks.1.batch: a step on one image is not unrolled; take 2 or more' 'meta-poison, batch: 1'
defence '7: defences.2.k: 200 neighbours of 200 samples; ask for fewer' 'deep-knn, k: 200'
defence '7: defences.2.fraction: 1 leaves no cluster more than 1 sample, and isolated drops those of up to 1: nothing is kept; lower one of them' 'epic-after, fraction: 1'
defence '7: defences.2.warmup: of the 2 epochs that logreg is trained none is looked at (from 10, every 2, until 0.875 of them); lower it, or train for longer' epic
defence '7: defences.2: dp_clip: a filter that drops samples while training is not private; leave one out' 'epic, warmup: 0' 'sweep: {grid: {victim.train.dp_clip: [0, 1]}}\n'
early '5: victim.train: beta1: is 1, with which adam takes no step; take less' 'attacks: [{name: random-noise}]\nsweep: {cells: [{seed: 1}, {victim.train.optimiser: adam, victim.train.beta1: 1}]}\n'
# Only one variant of a sweep, only one victim of several.
early "7: attacks.1.layers: logreg has no value named 'fc'; name one of its 1, such as features" 'attacks: [{name: bullseye-polytope}]\nsweep: {grid: {attacks.1.layers: [features, fc]}}\n'
finish
