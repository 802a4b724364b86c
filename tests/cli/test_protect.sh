# `tocsin protect` on folders as people have them: odd names, odd files, odd places, and settings that mean nothing here.
pictures=$(cd "$(dirname "$0")" && pwd)/pictures.py
. "$(dirname "$0")/kills.sh"
. "$(dirname "$0")/harness.sh"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
draw() { python3 "$pictures" "$@" || fail "no pictures: $*"; } # SIZE FILE…
quick='--threads 1 --method separable --no-measure'
lenet='--set surrogate.model=lenet --set victim.model=lenet --set surrogate.train.epochs=1 --set victim.train.epochs=1'

# ---- names that a table must quote, or a file system hardly takes ----
long=$(printf 'l%.0s' $(seq 1 250))
draw 16x16 odd/cat/1.png 'odd/cat/say "cheese", please.png' 'odd/cat/ blank .png' 'odd/cat/Äpfel 猫.png' "odd/cat/$long.png" odd/dog/1.png odd/dog/2.png \
    'odd/a "b", c/1.png' 'odd/a "b", c/2.png'
# shellcheck disable=SC2086
holds 'odd names' "$tocsin" protect odd --out odd-kept $quick
cat >index.py <<'END'
import csv, os, sys
given, kept = sys.argv[1:]
rows = list(csv.DictReader(open(kept + "/index.csv", newline="", errors="surrogateescape")))
files = [os.path.relpath(os.path.join(at, name), given) for at, _, names in os.walk(given) for name in names]
assert sorted(r["original"] for r in rows) == sorted(files), rows
for r in rows:
    assert os.path.exists(os.path.join(kept, r["file"])), r
    assert r["class"] == os.path.dirname(r["original"]) and None not in r and 0 < int(r["max_change"]) <= 8, r
assert len({r["file"] for r in rows}) == len(rows), "two pictures with one name"
END
holds 'a table that can be read' python3 index.py odd odd-kept
# ---- pictures that would have one name, and names that a class's name in the data would cut short ----
draw 16x16 "same/$long/1.png" same/dog/0.png same/dog/1.png same/dog/1.JPG same/dog/1.jpg.png
draw 9x12 same/dog/0.jpg # the reader looks at what is in a file
# shellcheck disable=SC2086
holds 'names that meet' "$tocsin" protect same --out same-kept $quick
holds 'a name for each' python3 index.py same same-kept
[ "$(grep -o 'dog/0.*.png,dog/0.*,dog' same-kept/index.csv | tr '\n' ' ')" = 'dog/0.jpg.png,dog/0.jpg,dog dog/0.png,dog/0.png,dog ' ] ||
    { fail 'a name that depends on the order'; cat same-kept/index.csv; }

# ---- what is not protected is said ----
draw 16x16 some/cat/1.png some/cat/2.png some/dog/1.png some/dog/2.png some/dog/deep/3.png
echo picture >some/cat/3.gif
# shellcheck disable=SC2086
holds 'a part of a folder' "$tocsin" protect some --out some-kept $quick
said='2 files are left as they are, unprotected: 1 .gif, 1 in folders within a class (cat/3.gif, dog/deep/3.png)'
[ "$(grep -c unprotected err.txt)" = 1 ] && grep -qxF "some: $said" err.txt || { fail 'what was left is not told'; cat err.txt; }
grep -qxF "$said." some-kept/REPORT.md || fail 'the report does not say what was left'
grep -q '"left": 2,' some-kept/protect.json || fail 'protect.json does not say what was left'
grep -q 'left as' odd-kept/REPORT.md && fail 'it says that something was left where nothing was'
# shellcheck disable=SC2086
holds 'quietly' "$tocsin" protect some --out some-quiet --quiet $quick
[ ! -s err.txt ] || fail 'said in spite of --quiet'
mkdir some/empty
# shellcheck disable=SC2086
refuse 2 'some/empty: no .png or .jpg in it; fill the class or remove the folder' protect some --out other $quick
# ---- settings: a flag wins over --set, and what would do nothing is refused ----
# shellcheck disable=SC2086
holds 'a flag and a setting' "$tocsin" protect odd --out strength --epsilon 4 --set threat.epsilon=16 --set attacks.separable.patch=4 $quick
grep -q '"epsilon": 4.0,' strength/protect.json || fail 'a setting wins over a flag'
# shellcheck disable=SC2086
holds 'a setting over what is usual' "$tocsin" protect odd --overwrite --out strength --set threat.epsilon=16 $quick
grep -q '"epsilon": 16.0,' strength/protect.json || fail 'what is usual wins over a setting'
for setting in dataset.source=shapes10 dataset.train_per_class=5 trials=3 defences.1.name=epic threat.targets=2 landscape.size=5 keep_models=true \
    name=x; do
    # shellcheck disable=SC2086
    refuse 2 "--set: ${setting%=*}: plays no part in protecting pictures; leave it away" protect odd --out other $quick --set $setting
done
# shellcheck disable=SC2086
refuse 2 '--set: attacks.2: plays no part, one method protects; leave it away' protect odd --out other $quick --set attacks.2.name=error-max
refuse 2 "protect: --size: plays no part, autoregressive is made at the pictures' own size; leave it away" \
    protect odd --out other --method autoregressive --size 24
# ---- IMAGES and DIR ----
refuse 2 '/no/such/folder: no such folder; name a folder of pictures, or a data set as `tocsin list datasets` does' protect /no/such/folder --out other
draw 16x16 two/cat/1.png two/dog/1.png
# shellcheck disable=SC2086
refuse 2 'two: one picture a class, too few to hold any out to test on; give at least one class two' protect two --out other $quick
ln -s odd link
for out in odd odd/kept odd/cat/kept link/kept; do
    # shellcheck disable=SC2086
    refuse 2 "--out: $out is, holds or lies in odd, whose pictures are read; choose another place" protect odd --out $out $quick
done
mkdir parent && cp -r odd-kept parent/inner && cp odd-kept/protect.json parent # looks like an earlier one
# shellcheck disable=SC2086
refuse 2 '--out: parent is, holds or lies in parent/inner, whose pictures are read; choose another place' protect parent/inner --out parent $quick
# shellcheck disable=SC2086
refuse 2 '--out: odd-kept is, holds or lies in odd-kept, whose pictures are read; choose another place' protect images:odd-kept --out odd-kept $quick
# shellcheck disable=SC2086
holds 'by a link' "$tocsin" protect link --out odd-linked $quick
cmp -s odd-kept/index.csv odd-linked/index.csv || fail 'a link to a folder is not the folder'
# ---- a picture that changes while its noise is made ----
draw 16x16 moving/cat/1.png moving/cat/2.png moving/dog/1.png
cp moving/cat/2.png as-it-was.png
make="protect moving --out moved --threads 1 --method error-min --no-measure $lenet --set attacks.1.epochs=150 --set attacks.1.stop=0 --set surrogate.train.checkpoint_minutes=0.0005"
# shellcheck disable=SC2086
"$tocsin" $make --quiet >out.txt 2>err.txt &
pid=$!
came moved.checkpoint craft.checkpoint $pid
kill -STOP $pid
draw 16x16 moving/dog/3.png
mv moving/dog/3.png moving/cat/2.png
kill -CONT $pid
wait $pid
status=$?
checks=$((checks + 1))
said='moving/cat/2.png: has changed since its noise was begun; put it back and go on with --resume, or --overwrite'
[ $status = 1 ] && [ "$(cat err.txt)" = "tocsin: $said" ] && [ ! -e moved ] || { fail "a picture that changes: status $status"; cat err.txt; }
# shellcheck disable=SC2086
refuse_like 2 '--resume: moved was begun with other data: what IMAGES holds has changed since' $make --resume
cp as-it-was.png moving/cat/2.png
# shellcheck disable=SC2086
holds 'the picture as it was' "$tocsin" $make --resume
[ -e moved/REPORT.md ] && [ ! -e moved.checkpoint ] || fail 'it did not come to its end'
finish
