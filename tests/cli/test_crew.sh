# Who does the work changes nothing: one process, several, MPI ranks, and workers that die.
. "$(dirname "$0")/studies.sh"

holds 'one job' "$tocsin" run "$spec" $long --out one --jobs 1 --quiet
for jobs in 2 3; do
    holds "$jobs jobs" "$tocsin" run "$spec" $long --out jobs$jobs --jobs $jobs --quiet
    same "$jobs jobs give what one gives" one jobs$jobs
done

# children PID: the processes that it forked
children() { grep -l "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null | sed 's|/proc/\(.*\)/status|\1|'; }

# a worker dies: its phase goes to another
"$tocsin" run "$spec" $long --out orphan --jobs 3 >out.txt 2>err.txt &
pid=$!
begun orphan $pid
victim=$(children $pid | head -n 1)
kill -9 "$victim"
wait $pid
status=$?
checks=$((checks + 1))
[ $status = 0 ] && grep -q '^tocsin: worker [123] died at .*; 2 of 3 are left$' err.txt || { fail "a killed worker: status $status"; cat err.txt; }
same 'a killed worker changes nothing' one orphan

# all workers die: the run fails, and goes on when asked to
"$tocsin" run "$spec" $long --out alone --jobs 2 >out.txt 2>err.txt &
pid=$!
begun alone $pid
kill -9 $(children $pid)
wait $pid
status=$?
checks=$((checks + 1))
[ $status = 1 ] && tail -n 1 err.txt | grep -Eq '^tocsin: (the last worker died at|.*: two workers died at it;)' || { fail "all workers killed: status $status"; cat err.txt; }
holds 'resume without the dead' "$tocsin" run "$spec" $long --out alone --resume --quiet
same 'dead workers change nothing' one alone

# the coordinator dies: no worker outlives it for long
"$tocsin" run "$spec" $long --out headless --jobs 3 --quiet >out.txt 2>err.txt &
pid=$!
begun headless $pid
workers=$(children $pid)
kill -9 $pid
wait $pid 2>/dev/null
alive() { for w in $workers; do kill -0 "$w" 2>/dev/null && return 0; done; return 1; }
tries=0
while alive && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
checks=$((checks + 1))
alive && fail 'workers outlive their coordinator'

# MPI
refuse 2 'run: --jobs is '"'-1'"'; must be a whole number, 0 … 4096' run "$spec" --jobs -1
if [ "$2" = no ]; then
    skip 'mpirun: this build has no MPI'
    checks=$((checks + 1))
    OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=3 "$tocsin" run "$spec" --out no 2>err.txt
    [ $? = 2 ] && grep -q '^tocsin: run: started as 3 processes, but this Tocsin was built without MPI; ' err.txt || { fail 'mpirun without MPI'; cat err.txt; }
    finish
fi
mpirun=$2
if [ "$mpirun" = none ]; then
    skip 'mpirun of the MPI that this is built with is not installed'
    finish
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl_vader_single_copy_mechanism=none
# leaks within the MPI library are not ours to find
export ASAN_OPTIONS=detect_leaks=0
holds 'three ranks' "$mpirun" -n 3 "$tocsin" run "$spec" $long --out ranks --quiet
same 'three ranks give what one process gives' one ranks
checks=$((checks + 1))
"$mpirun" -n 2 "$tocsin" run "$spec" $long --set seed=x --out bad >out.txt 2>err.txt && fail 'mpirun takes a bad spec'
[ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || { fail 'mpirun: a bad spec is told once'; cat err.txt; }
[ ! -e bad ] || fail 'mpirun: a bad spec leaves something'
# ranks PID: the ranks that mpirun has started; MPICH has a process of its own in between
ranks() {
    for child in $(children "$1"); do
        if [ "$(cat /proc/"$child"/comm)" = "$(basename "$tocsin")" ]; then echo "$child"; else ranks "$child"; fi
    done
}
# a rank dies: mpirun ends the job, and it goes on when asked to
"$mpirun" -n 3 "$tocsin" run "$spec" $long --out broken --quiet >out.txt 2>err.txt &
pid=$!
begun broken $pid
last=$(ranks $pid | tail -n 1)
[ -n "$last" ] && kill -9 "$last"
wait $pid && fail 'mpirun did not notice a dead rank'
holds 'resume after a dead rank' "$tocsin" run "$spec" $long --out broken --resume --quiet
same 'a dead rank changes nothing' one broken
finish
