# harness.sh — what the whole-program tests share. A test is a shell script that gets the program's path, sources this,
# makes its checks in a folder of its own, and ends with `finish`.
#
#     refuse STATUS 'MESSAGE' ARGUMENTS…     the program ends so, says exactly that one line and writes nothing
#     refuse_like STATUS 'BEGINNING' ARGUMENTS…    the same for a line that begins so
#     holds 'WHAT' COMMAND…                  COMMAND succeeds
set -u
case $1 in /*) tocsin=$1 ;; *) tocsin=$PWD/$1 ;; esac
# In memory where half a gigabyte is free: else most of the time goes into waiting for the disk, which is told to keep
# every phase of every study. Processes are killed here, not machines.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] && [ "$(df -Pk /dev/shm | awk 'NR == 2 {print $4}')" -gt 524288 ]; then
    export TMPDIR=/dev/shm
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive # tests run side by side: threads that wait give way
checks=0 failures=0

fail() {
    failures=$((failures + 1))
    printf 'FAIL: %s\n' "$*"
}

holds() {
    what=$1
    shift
    checks=$((checks + 1))
    "$@" >out.txt 2>err.txt || { fail "$what: status $?"; head -n 5 err.txt; }
}

# The working folder's own files, to see that a refusal leaves none behind.
inventory() { find . -path ./err.txt -o -path ./out.txt -o -print | sort; }

turned_down() { # STATUS ARGUMENTS…: all of a refusal but its words
    status=$1
    shift
    checks=$((checks + 1))
    before=$(inventory)
    "$tocsin" "$@" >out.txt 2>err.txt
    got=$?
    [ $got = "$status" ] || fail "$*: status $got instead of $status"
    [ "$(wc -l <err.txt)" = 1 ] || { fail "$*: not one line"; head -n 5 err.txt; }
    [ "$(inventory)" = "$before" ] || fail "$*: left something behind"
}

refuse() {
    status=$1 message=$2
    shift 2
    turned_down "$status" "$@"
    [ "$(cat err.txt)" = "tocsin: $message" ] || { fail "$*"; printf '  wanted: tocsin: %s\n  got:    %s\n' "$message" "$(head -c 2000 err.txt)"; }
}

# Where a library words the rest of the line.
refuse_like() {
    status=$1 message=$2
    shift 2
    turned_down "$status" "$@"
    case $(cat err.txt) in "tocsin: $message"*) ;; *) fail "$*"; printf '  wanted: tocsin: %s…\n  got:    %s\n' "$message" "$(head -c 2000 err.txt)" ;; esac
}

skip() { echo "SKIP: $*"; }

finish() {
    echo "$checks checks, $failures failures"
    [ $checks -gt 0 ] && [ $failures = 0 ]
    exit
}
