# What the program does around GPUs: says what is missing before anything is done, spreads its workers over what there
# is, and stores nothing that a failed one has computed. $3: a plug-in that passes the processor off as GPUs (lent_gpu.c).
mpirun=$2
case $3 in /*) lent=$3 ;; *) lent=$PWD/$3 ;; esac
set -- "$1" "$2" "$4"
. "$(dirname "$0")/studies.sh"
export TOCSIN_CUDA_PLUGIN=$lent
short='--set trials=2 --set surrogate.train.epochs=2 --set victim.train.epochs=2 --set attacks.1.steps=2 --set attacks.2.steps=2'

# ---- what is missing is said in one line, and nothing is begun ----
gone="device cuda: libtocsin-cuda.so is neither beside the program nor in"
for how in '' '--plan' '--plan --no-measure'; do
    checks=$((checks + 1))
    # shellcheck disable=SC2086
    TOCSIN_CUDA_PLUGIN=/nowhere "$tocsin" run "$spec" --device cuda --out no $how >out.txt 2>err.txt
    [ $? = 2 ] && [ ! -e no ] && [ "$(wc -l <err.txt)" = 1 ] && grep -q "^tocsin: $gone" err.txt || { fail "no plug-in $how"; cat err.txt; }
done
LENT_GPUS=0 refuse 2 'device cuda:0: this machine has 0; count from 0' run "$spec" --device cuda --out no
LENT_GPUS=2 refuse 2 'device cuda:5: this machine has 2; count from 0' run "$spec" --device cuda --gpu 5 --out no
refuse 2 "--precision is 'f16'; did you mean 'bf16'? It must be one of f32, tf32, bf16" run "$spec" --device cuda --precision f16 --out no
TOCSIN_CUDA_PLUGIN=$tocsin
export TOCSIN_CUDA_PLUGIN
checks=$((checks + 1))
"$tocsin" bench lenet --device cuda >out.txt 2>err.txt
[ $? = 2 ] && grep -q '^tocsin: device cuda: ' err.txt || { fail 'a file that is no plug-in'; cat err.txt; }
TOCSIN_CUDA_PLUGIN=$lent

# ---- workers take turns; how many there are and on which GPU changes nothing ----
# taken LOG: GPU and precision of each device that was opened; homes LOG: for each process, its GPU and its threads
taken() { cut -d ' ' -f 1,2 "$1" | sort | tr '\n' ,; }
homes() { sort -u "$1" | awk '{n[$3 " " $1]++} END {for (h in n) {split(h, p, " "); print p[2] "x" n[h]}}' | sort | tr '\n' ,; }
holds 'one GPU' env LENT_LOG=log1 "$tocsin" run "$spec" $short --device cuda --out gpu1 --quiet
checks=$((checks + 1))
[ "$(taken log1)" = '0 0,' ] && [ "$(wc -l <log1)" = 1 ] || { fail 'one GPU is one job'; cat log1; }
holds 'three GPUs' env LENT_GPUS=3 LENT_LOG=log3 "$tocsin" run "$spec" $short --device cuda --precision tf32 --out gpu3 --quiet
checks=$((checks + 1))
[ "$(taken log3)" = '0 1,1 1,2 1,' ] && [ "$(homes log3)" = 0x1,1x1,2x1, ] || { fail 'a job for each GPU'; cat log3; }
holds 'four jobs on two' env LENT_GPUS=2 LENT_LOG=log4 "$tocsin" run "$spec" $short --device cuda --jobs 4 --out jobs4 --quiet
checks=$((checks + 1))
[ "$(taken log4)" = '0 0,0 0,1 0,1 0,' ] && [ "$(homes log4)" = 0x2,1x2, ] || { fail 'four jobs on two GPUs'; cat log4; }
same 'jobs on several GPUs' gpu1 jobs4
holds 'three jobs on one' env LENT_LOG=log5 "$tocsin" run "$spec" $short --device cuda --jobs 3 --out jobs3 --quiet
holds 'three jobs on the second' env LENT_GPUS=2 LENT_LOG=log6 "$tocsin" run "$spec" $short --device cuda --gpu 1 --jobs 3 --out jobs3b --quiet
checks=$((checks + 1))
[ "$(homes log5)" = 0x3, ] && [ "$(homes log6)" = 1x3, ] || { fail 'three jobs on one GPU'; cat log5 log6; }
same 'jobs on one GPU' gpu1 jobs3
checks=$((checks + 1))
grep -q '"gpu": "2 lent GPUs"' jobs4/results.json && grep -q '2 lent GPUs' jobs4/report.html || fail 'the GPU is in the results'

# ---- phases: the precision makes others, which GPU it is does not, nor does it hinder --resume ----
keys() { python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1] + "/run.db").execute("SELECT key FROM phase ORDER BY number"): print(*row)' "$1"; }
checks=$((checks + 2))
[ "$(keys gpu1)" = "$(keys jobs4)" ] || fail 'the number of GPUs is in a key'
[ "$(keys gpu1)" != "$(keys gpu3)" ] || fail 'the precision is in no key'
cp -r gpu1 moved
holds 'another GPU goes on' env LENT_GPUS=2 "$tocsin" run "$spec" $short --device cuda --gpu 1 --out moved --resume --quiet
checks=$((checks + 1))
LENT_GPUS=1 "$tocsin" run "$spec" $short --device cuda --precision bf16 --out moved --resume >out.txt 2>err.txt
[ $? = 2 ] && grep -q 'precision was "f32", now it is "bf16"' err.txt || { fail 'another precision goes on'; cat err.txt; }
printf 'extends: %s\ndevice: cuda\nsweep:\n  grid:\n    precision: [f32, bf16]\n' "$spec" >precisions.yaml
checks=$((checks + 1))
"$tocsin" run precisions.yaml $short --plan --no-measure --json >out.txt 2>err.txt && python3 -c 'import json, sys
plan = json.load(open("out.txt"))
assert {c["factors"]["precision"] for c in plan["cells"]} == {"f32", "bf16"} and plan["phases"]["clean"]["to_be_done"] == 4' ||
    { fail 'a sweep over the precision'; cat err.txt; }

# ---- a GPU that fails: its worker ends, nothing it gave is stored, another does the phase again ----
for patience in 1 2 4; do
    checks=$((checks + 1))
    LENT_GPUS=2 LENT_FAULT=1 LENT_PATIENCE=$patience "$tocsin" run "$spec" $short --device cuda --out fault$patience >out.txt 2>err.txt
    status=$?
    [ $status = 0 ] && grep -q '^tocsin: worker 2 died at .* of: device cuda:1: gone; 1 of 2 are left$' err.txt || { fail "a failed GPU: status $status"; cat err.txt; }
    same "a GPU that fails after $patience" gpu1 fault$patience
done

# ---- and where several share it: all of them end, or their process dies, and the others do what they were at ----
# ended OUT GPUS JOBS PATIENCE: a run in which GPU number $fault goes; its messages are in err.txt
fault=1
ended() {
    checks=$((checks + 1))
    LENT_GPUS=$2 LENT_FAULT=$fault LENT_PATIENCE=$4 "$tocsin" run "$spec" $short --device cuda --jobs "$3" --out "$1" >out.txt 2>err.txt
}
gone() { grep -Ec "^tocsin: worker ($1) died at .*; [0-9]+ of [0-9]+ are left\$" err.txt; }
ended mates 2 4 2
status=$?
[ $status = 0 ] && [ "$(gone '2|4')" = 2 ] && [ "$(gone '1|3')" = 0 ] && grep -q ' of: device cuda:1: gone; 2 of 4 are left$' err.txt ||
    { fail "a failed GPU with two workers: status $status"; cat err.txt; }
same 'a GPU that fails under two workers' gpu1 mates
for patience in 1 4; do
    LENT_CRASH=1 ended crash$patience 2 6 $patience
    status=$?
    [ $status = 0 ] && [ "$(gone '2|4|6')" = 3 ] && [ "$(gone '1|3|5')" = 0 ] || { fail "a process that dies: status $status"; cat err.txt; }
    same "a process that dies after $patience" gpu1 crash$patience
done
# What one worker dies at is given to idle ones of the same GPU first, which end as well: that is one death.
fault=0 ended bounced 2 10 1
status=$?
[ $status = 0 ] && [ "$(gone '1|3|5|7|9')" -gt 2 ] || { fail "a failed GPU with five workers: status $status"; cat err.txt; }
same 'a GPU that fails under five workers' gpu1 bounced
# Who was twice beside a crash is not to blame for it, yet: two of three processes die, the third does all.
LENT_CRASH=1 LENT_FAULTS=2 ended beside 3 9 1
status=$?
[ $status = 0 ] && [ "$(gone '2|3|5|6|8|9')" = 6 ] || { fail "two processes that die: status $status"; cat err.txt; }
same 'two processes that die' gpu1 beside

checks=$((checks + 1))
LENT_FAULT=0 LENT_PATIENCE=3 "$tocsin" run "$spec" $short --device cuda --jobs 2 --out both >out.txt 2>err.txt
status=$?
[ $status = 1 ] && tail -n 1 err.txt | grep -q '^tocsin: the last worker died at .* of: device cuda:0: gone; look for what killed them' || { fail "the only GPU of two jobs: status $status"; cat err.txt; }
holds 'goes on, two on one' "$tocsin" run "$spec" $short --device cuda --jobs 2 --out both --resume --quiet
same 'a GPU that failed under two workers changes nothing' gpu1 both
checks=$((checks + 1))
LENT_FAULT=0 LENT_PATIENCE=3 "$tocsin" run "$spec" $short --device cuda --out all >out.txt 2>err.txt
status=$?
[ $status = 1 ] && tail -n 1 err.txt | grep -q '^tocsin: the last worker died at .* of: device cuda:0: gone; look for what killed it' || { fail "the only GPU: status $status"; cat err.txt; }
holds 'goes on when it is mended' "$tocsin" run "$spec" $short --device cuda --out all --resume --quiet
same 'a failed GPU changes nothing' gpu1 all
checks=$((checks + 1))
LENT_FAULT=0 "$tocsin" train "$spec" $short --device cuda --out w.safetensors >out.txt 2>err.txt
[ $? = 1 ] && grep -q '^tocsin: device cuda:0: gone$' err.txt && [ ! -e w.safetensors ] || { fail 'train on a failing GPU'; cat err.txt; }

# ---- MPI: local numbers, a rank that cannot go on, a node without ----
case $mpirun in no | none) skip 'mpirun is not here'; finish ;; esac
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl_vader_single_copy_mechanism=none ASAN_OPTIONS=detect_leaks=0
export LENT_GPUS=2
holds 'ranks' env LENT_LOG=ranks "$mpirun" -n 4 "$tocsin" run "$spec" $short --device cuda --out mpi --quiet
checks=$((checks + 1))
[ "$(taken ranks)" = '0 0,0 0,1 0,' ] && [ "$(homes ranks)" = 0x1,0x1,1x1, ] || { fail 'ranks take turns'; cat ranks; }
same 'ranks on two GPUs' gpu1 mpi
checks=$((checks + 1))
LENT_FAULT=1 LENT_PATIENCE=2 timeout 60 "$mpirun" -n 3 "$tocsin" run "$spec" $short --device cuda --out mpifault >out.txt 2>err.txt
status=$?
[ $status = 0 ] && grep -q 'worker 2 died at .* of: device cuda:1: gone; 1 of 2 are left$' err.txt || { fail "a failed GPU of a rank: status $status"; cat err.txt; }
same 'a failed GPU of a rank' gpu1 mpifault
checks=$((checks + 1))
LENT_GPUS=0 "$mpirun" -n 2 "$tocsin" run "$spec" --device cuda --out mpino >out.txt 2>err.txt
grep -q '^tocsin: mpi: rank 1 on .*: device cuda:0: this machine has 0' err.txt && [ ! -e mpino ] || { fail 'a rank without GPU'; cat err.txt; }
finish
