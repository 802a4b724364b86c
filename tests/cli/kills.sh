# kills.sh — for tests that break the program off at moments that are right on any machine, fast or slow, busy or idle:
# none of them waits for a number of seconds.
#
#     came FOLDER FILE PID      waits until FILE, a path or a pattern, is in FOLDER, or the process has ended
#     begun FOLDER PID          the same, for the first thing that a study's phases have left in FOLDER
#     now                       milliseconds since some moment
#     battered LEAST UNDISTURBED     kill -9 at many moments, until an attempt comes to its end

came() {
    until (cd "$1" && ls $2) >/dev/null 2>&1 || ! kill -0 "$3" 2>/dev/null; do sleep 0.01; done
}
begun() { came "$1" 'work/*' "$2"; }
now() { python3 -c 'import time; print(int(1000 * time.time()))'; }

# Each attempt (`attempt`, of the caller, which execs) lives for a random part of what one takes UNDISTURBED, in
# milliseconds, a part that grows from round to round: so it comes to an end. Where that comes before LEAST attempts
# were killed, what they left is thrown away (`forget`) and all begins anew with lives half as long. `look`, of the
# caller, is called after each round. kills: how many there were.
battered() {
    least=$1 scale=1
    while :; do
        kills=0 rounds=0 status=1
        while [ $status != 0 ] && [ $rounds -lt 200 ]; do
            rounds=$((rounds + 1))
            life=$(python3 -c "import random; random.seed($rounds); print($scale * $2 / 1000 * random.uniform(0.01, 0.06 * 1.15 ** $rounds))")
            attempt >out.txt 2>err.txt &
            pid=$!
            sleep "$life"
            kill -9 $pid 2>/dev/null && kills=$((kills + 1))
            wait $pid 2>/dev/null
            status=$?
            checks=$((checks + 1))
            [ $status = 0 ] || [ $status = 137 ] || { fail "killed: status $status"; cat err.txt; return; }
            look
        done
        [ $status = 0 ] || { fail "never reached the end in $rounds rounds"; return; }
        echo "killed $kills times"
        [ $kills -lt "$least" ] || return 0
        [ $scale != 0.0625 ] || { fail "only $kills kills, however short the lives"; return; }
        scale=$(python3 -c "print($scale / 2)")
        forget
    done
}
