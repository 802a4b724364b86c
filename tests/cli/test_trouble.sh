# Interrupted, full disks, folders that cannot be written: one line, the right status, and no half-written file.
spec=$(cd "$(dirname "$0")" && pwd)/tiny.yaml
. "$(dirname "$0")/harness.sh"

whole() { # every JSON and HTML file below FOLDER is complete, and nothing temporary is left
    for file in $(find "$1" -name '*.json'); do python3 -m json.tool "$file" >/dev/null || fail "$file is cut off"; done
    [ ! -e "$1/report.html" ] || grep -q '</html>' "$1/report.html" || fail "$1/report.html is cut off"
    find "$1" -name '*.tmp*' -o -name '.?*' | grep . && fail "temporary files are left in $1"
}

# SIGINT once the first trial has been written down
"$tocsin" run "$spec" --set trials=1000 --set victim.train.epochs=3 --out stopped >out.txt 2>err.txt &
pid=$!
for _ in $(seq 600); do
    "$tocsin" status stopped 2>/dev/null | grep -Eq '^victim +([4-9]|[0-9]{2,}) of' && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.1
done
kill -INT $pid
wait $pid
status=$?
checks=$((checks + 1))
[ $status = 130 ] || fail "SIGINT: status $status"
tail -n 1 err.txt | grep -q '^tocsin: stopped: interrupted; the finished trials are kept there, --resume goes on$' || { fail 'SIGINT: message'; tail -n 3 err.txt; }
whole stopped
grep -q 'random-noise' stopped/report.html || fail 'SIGINT: no report of what was finished'

# SIGINT before anything was finished
"$tocsin" train "$spec" --set victim.train.epochs=100000 --out never.safetensors >out.txt 2>err.txt &
pid=$!
sleep 2
kill -INT $pid
wait $pid
status=$?
checks=$((checks + 1))
[ $status = 130 ] && [ ! -e never.safetensors ] || { fail "SIGINT while training: status $status"; cat err.txt; }
[ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || fail 'SIGINT while training: not one line'

# standard output that cannot be written
checks=$((checks + 1))
"$tocsin" list models >/dev/full 2>err.txt
[ $? = 1 ] && [ "$(cat err.txt)" = 'tocsin: standard output: cannot be written; free space on the disk' ] || fail '/dev/full'

# a limit on the size of files stands for a full disk: no one needs to be root for it
limited() { (ulimit -f "$1"; shift; "$@"); }
checks=$((checks + 1))
limited 40 "$tocsin" run "$spec" --set trials=1 --out limited >out.txt 2>err.txt
status=$?
if [ $status = 0 ]; then fail 'the file limit was not felt'; fi
[ $status = 1 ] && [ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || { fail "file limit: status $status"; cat err.txt; }
whole limited
checks=$((checks + 1))
limited 40 "$tocsin" train "$spec" --out limited.safetensors >out.txt 2>err.txt
[ $? = 1 ] && [ ! -e limited.safetensors ] && grep -q '^tocsin: .*limited.safetensors' err.txt || { fail 'file limit: train'; cat err.txt; }
find . -name '*safetensors?*' | grep . && fail 'file limit: train leaves a part'

# a disk that is really full, and a folder that is really not ours
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=64k tmpfs small 2>/dev/null; then
    checks=$((checks + 1))
    "$tocsin" run "$spec" --set trials=1 --out small/run >out.txt 2>err.txt
    status=$?
    [ $status = 1 ] && [ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || { fail "full disk: status $status"; cat err.txt; }
    whole small
    umount small
else
    skip 'a tiny tmpfs cannot be mounted here (needs root)'
fi
# Root may write everywhere, so root becomes nobody for this one.
mkdir closed && chmod 555 closed && cp "$spec" tiny.yaml && chmod 755 . && chmod 644 tiny.yaml
as_nobody=''
[ -w closed ] && as_nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
if $as_nobody "$tocsin" --version >/dev/null 2>&1; then
    checks=$((checks + 1))
    $as_nobody "$tocsin" run tiny.yaml --out closed/run >out.txt 2>err.txt
    status=$?
    [ $status = 2 ] && [ "$(cat err.txt)" = 'tocsin: --out: closed/run: cannot be written to: Permission denied; choose another place' ] ||
        { fail "a closed folder: status $status"; cat err.txt; }
else
    skip 'root may write everywhere, and nobody may not run the program here'
fi
"$tocsin" run "$spec" --out /proc/nothing/run >out.txt 2>err.txt
[ $? = 2 ] && grep -q '^tocsin: --out: ' err.txt || { fail 'a folder that cannot be made'; cat err.txt; }
finish
