# A study that is killed, interrupted, or runs out of disk goes on to the very results of one that was left in peace.
. "$(dirname "$0")/studies.sh"

start=$(now)
holds 'undisturbed' "$tocsin" run "$spec" $long --out whole --jobs 1 --quiet
undisturbed=$(($(now) - start))

# kill -9 at many moments, with one process and with three
attempt() { exec "$tocsin" run "$spec" $long --out killed --resume --quiet --jobs $((1 + rounds % 3)); }
look() { # what was finished stays as it was: each line of before is in after
    [ -e killed/run.db ] || return 0
    finished killed >after.txt
    [ "$(sort before.txt after.txt | uniq -d | wc -l)" = "$(wc -l <before.txt)" ] || fail "round $rounds: something finished was done again"
    cp after.txt before.txt
}
forget() { rm -rf killed; : >before.txt; }
forget
battered 5 $undisturbed
same 'as if never killed' whole killed
find killed -name '*.tmp*' -o -name '*.checkpoint' | grep . && fail 'something is left of the killed runs'

# a finished study: nothing is done again, the results are printed anew
holds 'resume of a finished study' "$tocsin" run "$spec" $long --out killed --resume --quiet
finished killed >after.txt
cmp -s before.txt after.txt || fail 'a finished study was run again'

# when checkpoints are written changes no result
holds 'resume with other minutes' "$tocsin" run "$spec" $long --out killed --resume --quiet --set victim.train.checkpoint_minutes=3 --set surrogate.train.checkpoint_minutes=4
finished killed >after.txt
cmp -s before.txt after.txt || fail 'a study was run again for its checkpoints'

# SIGINT: 130, a checkpoint, and on
for jobs in 1 2; do
    "$tocsin" run "$spec" $long --out stopped$jobs --jobs $jobs >out.txt 2>err.txt &
    pid=$!
    begun stopped$jobs $pid
    kill -INT $pid
    wait $pid
    status=$?
    checks=$((checks + 1))
    [ $status = 130 ] && tail -n 1 err.txt | grep -q "^tocsin: stopped$jobs: interrupted; " || { fail "SIGINT with $jobs: status $status"; cat err.txt; }
    [ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || fail "SIGINT with $jobs: not one line"
    holds "status after SIGINT" "$tocsin" status stopped$jobs
    grep -q 'in stopped.: stopped' out.txt || { fail 'status does not say stopped'; cat out.txt; }
    holds "resume after SIGINT with $jobs" "$tocsin" run "$spec" $long --out stopped$jobs --resume --quiet --jobs 2
    same "as if never interrupted, $jobs" whole stopped$jobs
done

# two processes on one folder: the second is refused, and the first undisturbed
"$tocsin" run "$spec" $long --out shared --jobs 1 --quiet >first.txt 2>&1 &
pid=$!
begun shared $pid
kill -STOP $pid # else a fast one might have come to its end
for how in --resume --overwrite; do
    checks=$((checks + 1))
    "$tocsin" run "$spec" $long --out shared $how >out.txt 2>err.txt
    status=$?
    [ $status = 2 ] && grep -q "^tocsin: --out: shared: another run is at work there: process $pid on .*; wait for it, or choose another folder$" err.txt ||
        { fail "a second process with $how: status $status"; cat err.txt; }
done
holds 'status while it runs' "$tocsin" status shared
grep -q 'in shared: running' out.txt || { fail 'status does not say running'; cat out.txt; }
holds 'status as JSON' "$tocsin" status shared --json
python3 -c 'import json; s = json.load(open("out.txt")); assert s["state"] == "running" and s["phases"]["victim"]["phases"] == 6' || fail 'status --json'
kill -CONT $pid
wait $pid || { fail 'the first of two processes'; cat first.txt; }
same 'undisturbed by a second process' whole shared
holds 'status at the end' "$tocsin" status shared
grep -q 'in shared: finished' out.txt || fail 'status does not say finished'

# another spec is not a continuation
refuse 2 '--resume: whole was begun with another spec: threat.epsilon was 16.0, now it is 8.0; set it back, or choose another folder' \
    run "$spec" $long --out whole --resume --set threat.epsilon=8
refuse 2 '--resume: whole was begun with another spec: trials was 2, now it is 3; set it back, or choose another folder' \
    run "$spec" $long --out whole --resume --set trials=3
refuse 2 'run: --resume and --overwrite exclude each other; give one of them' run "$spec" --out whole --resume --overwrite
refuse 2 'nothing: holds no run.db; name the folder of a `tocsin run`' status nothing

# nor are other data under the same name
holds 'many images' "$tocsin" data convert glyphs --set train_per_class=60 --set test_per_class=20 --format npz --out many.npz
for seed in 1 2; do
    holds "some of them, $seed" "$tocsin" data convert npz:many.npz --set train_per_class=40 --set test_per_class=10 --set seed=$seed --format npz --out seed$seed.npz
done
cp seed1.npz data.npz
own="--set dataset.source=npz:data.npz --set trials=1 --set attacks.1.steps=1 --set attacks.2.steps=1"
holds 'a study of them' "$tocsin" run "$spec" $own --out own --quiet
cp seed2.npz data.npz
before=$(inventory)
checks=$((checks + 1))
"$tocsin" run "$spec" $own --out own --resume >out.txt 2>err.txt
[ $? = 2 ] && [ "$(inventory)" = "$before" ] && grep -q '^tocsin: --resume: own was begun with other data: what npz:data.npz holds has changed since (SHA-256 [0-9a-f]*…, now [0-9a-f]*…); put it back, or choose another folder$' err.txt ||
    { fail 'other data'; cat err.txt; }
cp seed1.npz data.npz
holds 'the first data again' "$tocsin" run "$spec" $own --out own --resume --quiet

# a blob that is lost or damaged while nobody looks is made again
"$tocsin" run "$spec" $long --out patched --jobs 1 --quiet >out.txt 2>&1 &
pid=$!
came patched 'work/*.poison' $pid
kill -9 $pid
wait $pid 2>/dev/null
(
    cd patched || exit
    for file in work/*.poison work/*.checkpoint; do [ ! -e "$file" ] || { head -c 100 "$file" >cut && mv cut "$file"; }; done
    rm -f work/*.safetensors
)
holds 'resume without blobs' "$tocsin" run "$spec" $long --out patched --resume --quiet --jobs 2
same 'as if nothing had been lost' whole patched

# a store that is none
mkdir damaged && head -c 5000 /dev/urandom >damaged/run.db
"$tocsin" run "$spec" --out damaged --resume 2>err.txt
[ $? = 2 ] && grep -q '^tocsin: damaged/run.db: is damaged or no store' err.txt || { fail 'a damaged store'; cat err.txt; }

# a full disk stops it with what was finished kept; with room it goes on
(ulimit -f 200; exec "$tocsin" run "$spec" $long --out limited --jobs 2) >out.txt 2>err.txt
status=$?
checks=$((checks + 1))
[ $status = 1 ] && [ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || { fail "file limit: status $status"; cat err.txt; }
holds 'resume after the file limit' "$tocsin" run "$spec" $long --out limited --resume --quiet
same 'as if there had been room' whole limited
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=600k tmpfs small 2>/dev/null; then
    "$tocsin" run "$spec" $long --out small/run --jobs 2 >out.txt 2>err.txt
    status=$?
    checks=$((checks + 1))
    [ $status = 1 ] && [ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || { fail "full disk: status $status"; cat err.txt; }
    mount -o remount,size=20m small
    holds 'resume after the disk was full' "$tocsin" run "$spec" $long --out small/run --resume --quiet
    same 'as if the disk had been larger' whole small/run
    umount small
else
    skip 'a tiny tmpfs cannot be mounted here (needs root)'
fi
finish
