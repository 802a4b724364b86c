# `tocsin run --from`: what an earlier study has finished of the same work is taken from there, and the results are those of a study that
# took nothing. What is not there any more, or is not as it was, is done again.
. "$(dirname "$0")/studies.sh"

sed -n '1,/^victim/p' "$spec" >small.yaml # one attack, …
cat >>small.yaml <<'END'
attacks:
  - {name: gradient-matching, steps: 3, restarts: 1}
END
{ cat small.yaml; cat <<'END'; } >large.yaml # … and another one more, each judged by two victims, with a filter and without
  - {name: gradient-matching, label: SAPA, sharpness: worst-case, steps: 3, restarts: 1}
defences:
  - {name: spectral-signatures}
END
sed -i 's/^victim: .*/victims:\n  - {model: lenet, train: *training}\n  - {model: lenet, label: longer, train: {epochs: 3, batch: 32, rate: 0.02, crop: 0, flip: false}}/' large.yaml

holds 'the small one' "$tocsin" run small.yaml --out small --quiet --jobs 2
holds 'the large one alone' "$tocsin" run large.yaml --out alone --quiet --jobs 2
taken() { # WHERE WHAT: how many phases the last run has taken
    grep -q "^tocsin: --from $1: $2 of " err.txt || { fail "not $2 phases from $1"; grep -- --from err.txt; }
}

# of the small one: per trial the clean victim, two poisons (control and matching) and their victims, which the filter needs the weights of,
# and which are therefore trained again; the surrogate as well, for SAPA
holds 'the large one with the small one' "$tocsin" run large.yaml --out with --from small --jobs 2
taken small 6
same 'as if nothing had been taken' alone with

# all of it, and nothing
holds 'the same again' "$tocsin" run small.yaml --out again --from alone --from small --jobs 1
taken alone 12
taken small 0
same 'as the first' small again
holds 'of another seed' "$tocsin" run small.yaml --seed 5 --out seed5 --from small
taken small 0

# Minutes under sanitizers, for code that runs above as well.
unhurried() {
    lasting='--set surrogate.train.epochs=15 --set attacks.1.steps=25 --set surrogate.train.checkpoint_minutes=0.0005'

    # half of it is there; the rest comes later, in one that goes on
    "$tocsin" run large.yaml $lasting --out whole --quiet --jobs 1 || fail 'a long one'
    "$tocsin" run small.yaml $lasting --out broken --jobs 1 --quiet >out.txt 2>err.txt &
    pid=$!
    begun broken $pid
    kill -INT $pid
    wait $pid
    holds 'from one that was broken off' "$tocsin" run large.yaml $lasting --out long --from broken --jobs 2
    same 'as if undisturbed' whole long
    "$tocsin" run large.yaml $lasting --out later --jobs 2 --quiet >out.txt 2>err.txt &
    pid=$!
    begun later $pid
    kill -9 $pid
    wait $pid 2>/dev/null
    holds 'going on with what is there by now' "$tocsin" run large.yaml $lasting --out later --from long --resume --jobs 1
    grep -q -- '--from long: 0 of' err.txt && fail 'a study that goes on took nothing'
    same 'as if never killed' whole later
    find later long with again -name '*.tmp*' -o -name '*.checkpoint' -o -name work | grep . && fail 'something is left'
}
[ "${3:-1}" != 1 ] || unhurried

# what the plan says is what the run does
holds 'plan' "$tocsin" run large.yaml --out planned --from small --plan --no-measure --json
python3 - <<'END' || fail 'the plan'
import json
phases = json.load(open("out.txt"))["phases"]
assert [phases[k]["to_be_done"] for k in ("surrogate", "clean", "craft", "victim")] == [2, 2, 2, 24], phases
END

# a poison that was changed, one that is gone: crafted again
cp -r small changed
python3 - <<'END'
import os
os.truncate("changed/poisons/0-0/poison.npz", 100)
os.remove("changed/poisons/1-1/threat.json")
END
holds 'from damaged poisons' "$tocsin" run small.yaml --out mended --from changed
same 'as before' small mended

# refused, and nothing is written
refuse 2 '--from: nowhere holds no run.db; name the folder of a `tocsin run`' run small.yaml --out not --from nowhere
refuse 2 '--from: ./small is where the study itself goes; name the folder of another' run small.yaml --out small --from ./small --overwrite
mkdir -p torn
head -c 5000 small/run.db >torn/run.db
refuse_like 2 '--from: torn/run.db: is damaged or no store' run small.yaml --out not --from torn
holds 'images' "$tocsin" data convert glyphs --set train_per_class=24 --set test_per_class=4 --format npz --out many.npz
some() { "$tocsin" data convert npz:many.npz --set train_per_class=12 --set test_per_class=4 --set seed=$1 --format npz --out data.npz; }
holds 'some of them' some 1
own='--set dataset.source=npz:data.npz --set dataset.train_per_class=0 --set dataset.test_per_class=0'
holds 'on a file' "$tocsin" run small.yaml $own --out file --quiet
rm data.npz
holds 'others of them' some 2
refuse_like 2 '--from: file was run on other data: what npz:data.npz holds has changed since' run small.yaml $own --out not --from file
[ -e small/run.db ] || fail 'the small one is gone'

finish
