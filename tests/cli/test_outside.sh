# Poisoned data for somebody else's pipeline, and what its model says, judged: export and evaluate --predictions.
spec=$(cd "$(dirname "$0")" && pwd)/tiny.yaml
. "$(dirname "$0")/harness.sh"

tells() { # 'WHAT' PATTERN: the last command's standard output has such a line
    grep -q "$2" out.txt || { fail "$1"; head -n 20 out.txt; }
}

holds 'the study' "$tocsin" run "$spec" --out run --quiet --set threat.targets=2 --set trials=1 --set victim.train.epochs=1
for format in npz images; do
    holds "export $format" "$tocsin" data export run --attack gradient-matching --trial 0 --format $format --out $format
done
holds 'a poison folder by itself' "$tocsin" data export run/poisons/1-0 --format npz --out again
for file in data.npz judge.npz index.csv judge.csv; do holds "the same $file" cmp npz/$file again/$file; done
refuse 2 'again: holds an earlier result; choose another place, or --overwrite' data export run --attack 'SAPA <worst>' --format npz --out again
echo mine >again/answers.npz
refuse 2 'again: holds answers.npz, which is no part of an earlier result; take it out, or choose another place' \
    data export run --attack 'SAPA <worst>' --format npz --out again --overwrite
rm again/answers.npz
holds 'an earlier export is replaced' "$tocsin" data export run --attack 'SAPA <worst>' --format npz --out again --overwrite
holds 'in whatever format' "$tocsin" data export run --attack gradient-matching --format npz --out images --overwrite
holds 'and back' "$tocsin" data export run --attack gradient-matching --format images --out images --overwrite
cmp -s npz/data.npz again/data.npz && fail 'another attack gives the same data'
[ "$(wc -l <npz/index.csv)" = 7 ] || fail 'six changed samples'
[ "$(grep -c ',test,' npz/judge.csv)" = 40 ] && [ "$(grep -c ',target,' npz/judge.csv)" = 2 ] || fail 'questions'

# what was exported is a data set like any other
holds 'the export is a dataset' "$tocsin" data info npz:npz/data.npz
tells 'its size' 'training *120'

# judging
answers() { awk -F, -v OFS=, "NR == 1 { print \"id\", \"class\"; next } { $1 }" npz/judge.csv; }
answers 'print $1, ($5 == "" ? $4 : $5)' >fooled.csv
holds 'a fooled model' "$tocsin" evaluate --predictions fooled.csv --export npz
tells 'all right' '^clean accuracy  *40 of 40: 100.00 % (95 % interval 91.24 … 100.00)$'
tells 'all fooled' '^targets taken for the intended class  *2 of 2: 100.00 % (95 % interval 34.24 … 100.00)$'
answers 'print $1, $4' | sort -r >honest.csv
holds 'a model that is not fooled, in any order' "$tocsin" evaluate --predictions honest.csv --export images --json
tr -d ' \n' <out.txt >flat && mv flat out.txt
tells 'accuracy' '"accuracy":1.0,'
tells 'none fooled' '"success":0.0,"success_interval":\[0.0,0.657[0-9]*\],"targets":2'
answers 'if ($2 == "test" && $1 % 4 == 0) print $1, ($4 + 1) % 10; else print $1, $4' >wrong.csv
holds 'a model that errs' "$tocsin" evaluate --predictions wrong.csv --export npz
tells 'three of four' '^clean accuracy  *30 of 40: 75.00 %'
awk 'NR == 1 { print "id,a,b,c,d,e,f,g,h,i,j"; next } { split($0, c, ","); printf "%s", c[1]; for (k = 0; k < 10; k++) printf ",%g", (k == c[2]) * 3.5 - 1; print "" }' FS=';' fooled.csv >logits.csv
holds 'logits' "$tocsin" evaluate --predictions logits.csv --export npz
tells 'their largest' '2 of 2: 100.00 %'

# what is refused
sed '$d' fooled.csv >short.csv
refuse 2 'short.csv: 41 answers to 42 questions; id 41 is missing' evaluate --predictions short.csv --export npz
sed 's/^7,.*/99,1/' fooled.csv >unknown.csv
refuse 2 "unknown.csv:9: id is '99'; must be a whole number, 0 … 41" evaluate --predictions unknown.csv --export npz
sed '3s/2.5/nan/' logits.csv >nan.csv
refuse 2 "nan.csv:3: a logit is 'nan'; must be a finite number" evaluate --predictions nan.csv --export npz
refuse 2 'evaluate: --export is missing; write --predictions FILE --export DIR' evaluate --predictions fooled.csv
refuse 2 'evaluate: --predictions is missing; write --predictions FILE --export DIR' evaluate --export npz
refuse 2 'evaluate: --weights and --predictions exclude each other; give one of them' \
    evaluate --predictions fooled.csv --export npz --weights w.safetensors
refuse 2 'run/export.json: cannot be opened: No such file or directory; check the path' evaluate --predictions fooled.csv --export run
refuse 2 'run: more than one poison in trial 0; choose one of random-noise, gradient-matching, SAPA <worst> with --attack LABEL' \
    data export run --format npz --out new
refuse 2 'run: no such poison in trial 0; choose one of random-noise, gradient-matching, SAPA <worst> with --attack LABEL' \
    data export run --attack badnets --format npz --out new
refuse 2 'run: holds no poison of trial 7; choose another with --trial' data export run --trial 7 --format npz --out new
refuse 2 "npz: holds neither poisons/ nor threat.json; name a run's or a poison's folder" data export npz --format npz --out new
refuse 2 "format 'idx': not known; use npz, images or cifar10" data export run/poisons/1-0 --format idx --out new
refuse 2 'glyphs: 28×28×1, 10 classes; cifar10 holds 32×32×3 and 10: write npz or images' \
    data export run/poisons/1-0 --format cifar10 --out new
refuse 2 '--out: again is where npz:again/data.npz is read from; name another place' \
    data export run/poisons/1-0 --set source=npz:again/data.npz --format npz --out again --overwrite
refuse 2 'run: holds other files already; remove it or choose another place' data export run/poisons/1-0 --format npz --out run
"$tocsin" data export run/poisons/2-0 --set source=npz:again/data.npz --set train_per_class=0 --set test_per_class=0 \
    --format npz --out new 2>err.txt
[ $? = 2 ] && grep -q '^tocsin: run/poisons/2-0/poison.npz: training image .* is not the one that was poisoned' err.txt ||
    { fail 'other data than the poison was made for'; cat err.txt; }
[ -e new ] && fail 'something is left of a refused export'

# the same place in another test set is another image: neither exported nor judged
holds 'more test images than are used' "$tocsin" data convert glyphs --set train_per_class=12 --set test_per_class=8 --format npz --out more.npz
holds 'others altogether' "$tocsin" data convert npz:more.npz --set test_per_class=7 --set seed=5 --format npz --out others.npz
networks='--set surrogate.model=logreg --set victim.model=logreg'
few="$networks --set dataset.source=npz:more.npz --set dataset.test_per_class=4"
for set in train test; do # the same training images, whatever is said of the others
    holds "craft for $set" "$tocsin" craft $few --set attacks.1.name=random-noise --set threat.ratio=0.02 --out for-$set --quiet
done
holds 'a network' "$tocsin" train $few --set victim.train.epochs=1 --out w.safetensors --quiet
holds 'judged by what it was made for' "$tocsin" evaluate $few --weights w.safetensors --poison for-test --quiet
made_for='set the dataset to what it was then: source=npz:more.npz, size=0, train_per_class=0, test_per_class=4, seed=0'
refuse 2 "for-test/threat.json: the test images of npz:more.npz are not those that the poison was made for; $made_for" \
    evaluate $few --set dataset.test_per_class=0 --weights w.safetensors --poison for-test
refuse 2 "for-test/threat.json: the test images of npz:more.npz are not those that the poison was made for; $made_for" \
    data export for-test --set test_per_class=0 --format npz --out new
refuse 2 "for-test/threat.json: the test images of npz:others.npz are not those that the poison was made for; $made_for" \
    evaluate $few --set dataset.source=npz:others.npz --weights w.safetensors --poison for-test
# from before the images' digest was kept: their class is
cat >older.py <<'END'
import json, sys
threat = json.load(open("for-test/threat.json"))
assert len(threat.pop("targets_sha256")) == 64
threat["target_class"] = (threat["target_class"] + int(sys.argv[1])) % 10
json.dump(threat, open("for-train/threat.json", "w"))
END
python3 older.py 0
holds 'an older one' "$tocsin" evaluate $few --weights w.safetensors --poison for-train --quiet
python3 older.py 1
refuse 2 "for-train/threat.json: the test images of npz:more.npz are not those that the poison was made for; $made_for" \
    evaluate $few --weights w.safetensors --poison for-train
# nor with other training images than it was made of
cp for-test/threat.json for-train/threat.json
refuse_like 2 'for-train/poison.npz: training image ' evaluate $few --set dataset.train_per_class=11 --weights w.safetensors --poison for-train

# a sweep has several of one label: they are told apart by their folders
cat >swept.yaml <<END
extends: $spec
trials: 1
attacks:
  - {name: random-noise, label: noise}
sweep:
  grid: {threat.ratio: [0.02, 0.05]}
END
holds 'a sweep' "$tocsin" run swept.yaml --out swept --quiet --set surrogate.train.epochs=1 --set victim.train.epochs=1
refuse 2 "swept: 2 poisons in trial 0 are 'noise'; name one's folder in its place: swept/poisons/0-0, swept/poisons/1-0" \
    data export swept --attack noise --format npz --out new
refuse 2 "swept: no such poison in trial 0; choose one of noise with --attack LABEL" data export swept --attack quiet --format npz --out new
holds 'one of them' "$tocsin" data export swept/poisons/1-0 --format npz --out one --quiet

# fetching: what goes wrong before anybody is asked
refuse 2 "data fetch: 'cifar-10' is not known; did you mean cifar10?" data fetch cifar-10
refuse 2 'data: export needs --format and --out; see `tocsin data --help`' data export run
if "$tocsin" data fetch mnist --from ftp://x --out new 2>&1 | grep -q 'built without'; then
    skip 'built without libcurl'
else
    refuse 2 "--from: 'ftp://x' is no address; it begins with http:// or https://" data fetch mnist --from ftp://x --out new
fi
echo >file
refuse 2 '--out: file/x: file is a file, not a folder; choose another place' data fetch mnist --out file/x
finish
