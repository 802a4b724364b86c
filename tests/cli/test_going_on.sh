# `tocsin craft` and `tocsin protect`, killed or interrupted in the midst of anything, go on to the very same bytes; a
# checkpoint that is damaged, of other settings or of other data is refused, and left as it is.
backdoor=$(cd "$(dirname "$0")" && pwd)/backdoor.yaml
. "$(dirname "$0")/kills.sh"
. "$(dirname "$0")/harness.sh"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
slow=${3:-1} # how many times slower a sanitized program is taken to be: it gets less to do
often='--threads 1 --set surrogate.train.checkpoint_minutes=0.0005 --set victim.train.checkpoint_minutes=0.0005'

cat >same.py <<'END'
import json, os, sys
def rest(folder):
    files = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            content = open(path, "rb").read()
            if name == "protect.json":
                content = json.loads(content)
                del content["craft_seconds"]
            files[os.path.relpath(path, folder)] = content
    return files
a, b = rest(sys.argv[1]), rest(sys.argv[2])
assert sorted(a) == sorted(b) and len(a) > 10, "files"
for name in a: assert a[name] == b[name], name
END
same() { # 'WHAT' A B: the same bytes, and nothing is left beside B
    holds "$1" python3 same.py "$2" "$3"
    [ ! -s err.txt ] || tail -n 1 err.txt
    for left in "$3".*; do [ ! -e "$left" ] || fail "$1: $left is left"; done
}

# Starts the program, and kills it with SIGNAL once it has written FILE; what it left is for the caller to look at.
break_off() { # SIGNAL FILE ARGUMENTS…
    signal=$1 file=$2
    shift 2
    touch before # it may have been there
    "$tocsin" "$@" --quiet >out.txt 2>err.txt &
    pid=$!
    while [ ! "$file" -nt before ] && kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill "-$signal" $pid 2>/dev/null
    wait $pid 2>/dev/null
    status=$?
    checks=$((checks + 1))
    [ -e "$file" ] || { fail "it came to its end before $file was there: status $status"; cat err.txt; }
}

# ---- craft: a poison is under way, and, of Sleeper Agent, a network within it ----
glyphs='--threads 1 --set dataset.source=glyphs --set dataset.train_per_class=12 --set dataset.test_per_class=4 --set surrogate.model=lenet
        --set victim.model=lenet --set threat.ratio=0.05'
matching="$glyphs $often --set attacks.1.name=gradient-matching --set attacks.1.steps=$((45 / slow)) --set attacks.1.restarts=3"
holds 'a surrogate' "$tocsin" train $glyphs --network surrogate --set surrogate.train.epochs=2 --out w.safetensors --quiet
start=$(now)
holds 'craft undisturbed' "$tocsin" craft $matching --surrogate w.safetensors --out whole --quiet
undisturbed=$(($(now) - start))
for how in '' --resume; do # what is finished is not gone on with
    refuse 2 'whole: holds an earlier result; choose another place, or --overwrite' craft $matching --surrogate w.safetensors --out whole $how
done
echo mine >whole/notes.txt
refuse 2 'whole: holds notes.txt, which is no part of an earlier result; take it out, or choose another place' \
    craft $matching --surrogate w.safetensors --out whole --overwrite
rm whole/notes.txt
holds 'craft where an earlier poison is' "$tocsin" craft $matching --surrogate w.safetensors --out whole --quiet --overwrite
same 'the same again' whole whole

attempt() { # it may have been killed after it was done
    [ ! -e killed/threat.json ] || [ -e killed.checkpoint ] || exit 0
    exec "$tocsin" craft $matching --surrogate w.safetensors --out killed --resume --quiet
}
look() { :; }
forget() { rm -rf killed killed.checkpoint; }
battered 3 $undisturbed
same 'as if never killed' whole killed

break_off INT stopped.checkpoint/craft.checkpoint craft $matching --surrogate w.safetensors --out stopped
[ $status = 130 ] || fail "SIGINT: status $status"
[ "$(cat err.txt)" = 'tocsin: stopped: interrupted; what was done is kept in stopped.checkpoint, --resume goes on' ] || { fail SIGINT; cat err.txt; }
[ ! -e stopped ] || fail 'half of a poison is there'

# without --resume, with other settings, another network, other data, or damaged: refused, and nothing is lost
try="craft $matching --surrogate w.safetensors --out stopped"
refuse 2 '--out: stopped.checkpoint is left of one that did not come to its end; go on with --resume, choose another folder or --overwrite' $try
refuse 2 'craft: --resume and --overwrite exclude each other; give one of them' $try --resume --overwrite
refuse 2 '--resume: stopped was begun with other settings: threat.epsilon was 16.0, now it is 8.0; set it back, choose another folder or --overwrite' \
    $try --resume --set threat.epsilon=8
refuse 2 '--resume: stopped was begun with other settings: seed was 1, now it is 7; set it back, choose another folder or --overwrite' \
    $try --resume --seed 7
refuse 2 '--resume: stopped was begun with other settings: trial was 0, now it is 1; set it back, choose another folder or --overwrite' \
    $try --resume --trial 1
holds 'another surrogate' "$tocsin" train $glyphs --network surrogate --set surrogate.train.epochs=1 --out v.safetensors --quiet
refuse_pattern() { # 'PATTERN' ARGUMENTS…: a message with what differs from run to run in it
    pattern=$1
    shift
    checks=$((checks + 1))
    before=$(inventory)
    "$tocsin" "$@" >out.txt 2>err.txt
    got=$?
    [ $got = 2 ] && [ "$(wc -l <err.txt)" = 1 ] && grep -q "^tocsin: $pattern\$" err.txt || { fail "$*: status $got"; cat err.txt; }
    [ "$(inventory)" = "$before" ] || fail "$*: left something behind, or took something away"
}
refuse_pattern '--resume: stopped was begun with other data: what surrogate 1 holds has changed since (SHA-256 .*…, now .*…); .*' \
    craft $matching --surrogate v.safetensors --out stopped --resume
cp stopped.checkpoint/craft.checkpoint good
for length in 0 7 500 $(($(wc -c <good) - 1)); do
    head -c "$length" good >stopped.checkpoint/craft.checkpoint
    refuse 2 'stopped.checkpoint/craft.checkpoint: a damaged snapshot of a crafting; remove it to start anew' $try --resume
done
python3 -c 'b = bytearray(open("good", "rb").read()); b[len(b) // 2] ^= 1; open("stopped.checkpoint/craft.checkpoint", "wb").write(b)'
refuse 2 'stopped.checkpoint/craft.checkpoint: a damaged snapshot of a crafting; remove it to start anew' $try --resume
cp good stopped.checkpoint/craft.checkpoint
cp stopped.checkpoint/begun.json begun
head -c 90 begun >stopped.checkpoint/begun.json
refuse 2 'stopped.checkpoint/begun.json: is damaged; begin anew with --overwrite' $try --resume
cp begun stopped.checkpoint/begun.json
holds 'resume after SIGINT' "$tocsin" $try --resume --quiet
same 'as if never interrupted' whole stopped
break_off KILL anew.checkpoint/craft.checkpoint craft $matching --surrogate w.safetensors --out anew
holds 'begin anew' "$tocsin" craft $matching --surrogate w.safetensors --out anew --overwrite --quiet
same 'anew' whole anew

# what is in the way is found out before hours are spent, and is not ours to remove
mkdir theirs theirs2.checkpoint && touch theirs/photo.jpg theirs2.checkpoint/photo.jpg
refuse 2 'theirs: holds other files already; remove it or choose another place' craft $matching --surrogate w.safetensors --out theirs
for how in '' --resume --overwrite; do
    refuse 2 '--out: theirs2.checkpoint is in the way of the checkpoints; move it, or choose another folder' \
        craft $matching --surrogate w.safetensors --out theirs2 $how
done

# two at once: the second is refused, and the first undisturbed
"$tocsin" craft $matching --surrogate w.safetensors --out shared --quiet >first.txt 2>&1 &
first=$!
came shared.checkpoint craft.checkpoint $first
kill -STOP $first # else a fast one might have come to its end
"$tocsin" craft $matching --surrogate w.safetensors --out shared --resume >out.txt 2>err.txt
status=$?
checks=$((checks + 1))
[ $status = 2 ] && grep -q '^tocsin: --out: shared.checkpoint: another run is at work there: process .*; wait for it, or choose another folder$' err.txt ||
    { fail "a second process: status $status"; cat err.txt; }
kill -CONT $first
wait $first || { fail 'the first of two'; cat first.txt; }
same 'undisturbed by a second process' whole shared

# other data under the same name
holds 'many images' "$tocsin" data convert glyphs --set train_per_class=24 --set test_per_class=8 --format npz --out many.npz
for seed in 1 2; do
    holds "some of them, $seed" "$tocsin" data convert npz:many.npz --set train_per_class=12 --set test_per_class=4 --set seed=$seed --format npz --out seed$seed.npz
done
own="$matching --set dataset.source=npz:data.npz --set dataset.train_per_class=0 --set dataset.test_per_class=0"
cp seed1.npz data.npz
break_off KILL own.checkpoint/craft.checkpoint craft $own --surrogate w.safetensors --out own
cp seed2.npz data.npz
refuse_pattern '--resume: own was begun with other data: what npz:data.npz holds has changed since (SHA-256 .*…, now .*…); .*' \
    craft $own --surrogate w.safetensors --out own --resume
cp seed1.npz data.npz
holds 'the first data again' "$tocsin" craft $own --surrogate w.safetensors --out own --resume --quiet

sleeper="$backdoor --attack sleeper-agent $often --set attacks.2.steps=6 --set attacks.2.retrain_epochs=$((15 / slow))"
holds 'a surrogate' "$tocsin" train "$backdoor" --threads 1 --network surrogate --set surrogate.train.epochs=1 --out s.safetensors --quiet
holds 'sleeper agent undisturbed' "$tocsin" craft $sleeper --surrogate s.safetensors --out awake --quiet
break_off KILL slept.checkpoint/craft.checkpoint.training craft $sleeper --surrogate s.safetensors --out slept
break_off INT slept.checkpoint/craft.checkpoint.training craft $sleeper --surrogate s.safetensors --out slept --resume
holds 'sleeper agent gone on with' "$tocsin" craft $sleeper --surrogate s.safetensors --out slept --resume --quiet
same 'as if never killed in its training' awake slept

# ---- protect: networks before, the noise, networks afterwards ----
holds 'pictures' "$tocsin" data convert glyphs --set train_per_class=12 --set test_per_class=4 --format images --out given
lenet="$often --set surrogate.model=lenet --set victim.model=lenet --set surrogate.train.epochs=$((20 / slow)) --set victim.train.epochs=$((20 / slow))
       --set surrogate.train.rate=0.02 --set victim.train.rate=0.02"
for method in error-max error-min; do
    steps="--set attacks.1.steps=$((9 / slow))"
    [ $method = error-max ] || steps="--set attacks.1.steps=3 --set attacks.1.epochs=$((4 / slow)) --set attacks.1.model_steps=3 --set attacks.1.stop=0"
    make="protect given --method $method $lenet $steps"
    holds "$method undisturbed" "$tocsin" $make --out $method --quiet
    for part in surrogate-0 craft originals protected; do
        [ $method = error-max ] || [ $part != surrogate-0 ] || continue # it needs none
        break_off KILL $method-killed.checkpoint/$part.checkpoint $make --out $method-killed --resume
        [ ! -e $method-killed ] || fail "$method: half of the pictures are there"
    done
    ls $method-killed.checkpoint/craft.poison $method-killed.checkpoint/originals.weights >/dev/null || fail "$method: what is finished is not kept"
    if [ $method = error-max ]; then
        kept=$method-killed.checkpoint/originals.weights
        cp $kept good
        head -c 3000 good >$kept
        refuse 2 "$kept: is damaged; remove it to have it made anew" $make --out $method-killed --resume --quiet # else it says what is in test/, too
        cp good $kept
        refuse 2 "--resume: $method-killed was begun with other settings: threat.epsilon was 8.0, now it is 4.0; set it back, choose another folder or --overwrite" \
            $make --out $method-killed --resume --epsilon 4
        picture=$(find given/train -name '*.png' | sort | head -n 1)
        mv "$picture" picture.png
        refuse_pattern "--resume: $method-killed was begun with other data: what IMAGES holds has changed since (SHA-256 .*…, now .*…); .*" \
            $make --out $method-killed --resume
        mv picture.png "$picture"
    fi
    # how often checkpoints are written changes nothing in the pictures
    holds "$method gone on with" "$tocsin" $make --out $method-killed --resume --quiet --set surrogate.train.checkpoint_minutes=3 --set victim.train.checkpoint_minutes=0
    same "$method as if never killed" $method $method-killed
done
finish
