# MPI between machines, as far as one machine can show it: two network namespaces, each with a name, an address, memory
# and folders of its own, joined by one cable. The second "machine" never sees the study's folder.
#
# Arguments: the program, its mpirun, how much slower than usual it is, "openmpi" or "mpich". Needs root, ip and unshare; says in one line what is missing.
sh=$(cd "$(dirname "$0")" && pwd)
export TMPDIR=${TMPDIR:-/tmp} # not /dev/shm, of which the far machine gets its own
. "$sh/studies.sh"
launcher=$2 kind=$4

[ "$(id -u)" = 0 ] || { skip 'two machines in network namespaces: needs root'; exit 77; }
for tool in ip unshare hostname; do
    command -v $tool >/dev/null 2>&1 || { skip "two machines in network namespaces: $tool is not installed"; exit 77; }
done
near=tocsin-$$-a far=tocsin-$$-b
tools=$(mktemp -d) # what both machines have
clean() {
    ip netns del $near 2>/dev/null
    ip netns del $far 2>/dev/null
    rm -rf "$folder" "$tools"
}
trap clean EXIT
{ ip netns add $near && ip netns add $far; } 2>err.txt || { skip "two machines in network namespaces: $(head -n 1 err.txt)"; exit 77; }
ip link add va$$ netns $near type veth peer name vb$$ netns $far 2>err.txt || { skip "two machines in network namespaces: $(head -n 1 err.txt)"; exit 77; }
wire() { # NAMESPACE DEVICE ADDRESS
    ip -n "$1" addr add "$3/24" dev "$2" && ip -n "$1" link set "$2" up && ip -n "$1" link set lo up
}
holds 'the near end' wire $near va$$ 10.77.0.1
holds 'the far end' wire $far vb$$ 10.77.0.2

# What mpirun is told is its ssh: the command runs on the far machine, where this folder is empty but for the spec and what else is put in
# tools/far.
cat >"$tools/agent" <<END
#!/bin/sh
while case \$1 in -*) true ;; *) false ;; esac; do shift; done # options of ssh
[ "\$1" = 10.77.0.2 ] || { echo "agent: \$1 is not the far machine" >&2; exit 1; }
shift
export FAR="\$*"
exec ip netns exec $far unshare --mount --uts --ipc sh -c '
    hostname far
    mount --make-rprivate / && mount -t tmpfs far "$folder" && mount -t tmpfs far /dev/shm && cp -r "$tools"/far/. "$folder"
    cd "$folder" && eval "\$FAR"'
END
chmod +x "$tools/agent"
cp "$spec" study.yaml
mkdir "$tools/far" && cp "$spec" "$tools/far/study.yaml"

# On the near machine, with a name of its own, too.
machines() { # RANKS-HERE RANKS-THERE ARGUMENTS…
    here=$1 there=$2
    shift 2
    if [ "$kind" = mpich ]; then
        set -- -launcher ssh -launcher-exec "$tools/agent" -iface va$$ -hosts "10.77.0.1:$here,10.77.0.2:$there" -n $((here + there)) "$@"
    else
        set -- --mca plm_rsh_agent "$tools/agent" --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
            -H "10.77.0.1:$here,10.77.0.2:$there" -n $((here + there)) "$@"
    fi
    ip netns exec $near unshare --uts sh -c 'hostname near; exec "$@"' sh "$launcher" "$@"
}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export ASAN_OPTIONS=detect_leaks=0 UCX_TLS=tcp,self UCX_NET_DEVICES=all

holds 'alone' "$tocsin" run study.yaml $long --out one --jobs 1 --quiet
holds 'the two names' machines 1 1 hostname
[ "$(sort out.txt | tr '\n' ' ')" = 'far near ' ] || fail "two machines called $(tr '\n' ' ' <out.txt)"
holds 'one rank here, three there' machines 1 3 "$tocsin" run study.yaml $long --out apart --quiet
same 'two machines give what one gives' one apart

# a worker on the other machine dies: mpirun ends the job, and it goes on when asked to
machines 1 2 "$tocsin" run study.yaml $long --out broken --quiet >out.txt 2>err.txt &
pid=$!
begun broken $pid
victim=
for process in $(ip netns pids $far); do
    [ "$(cat /proc/"$process"/comm 2>/dev/null)" = "$(basename "$tocsin")" ] && victim=$process
done
checks=$((checks + 1))
[ -n "$victim" ] && kill -9 "$victim" || fail 'no worker on the other machine'
wait $pid && fail 'mpirun did not notice that a rank of the other machine died'
holds 'resume on both machines' machines 1 2 "$tocsin" run study.yaml $long --out broken --resume --quiet
same 'a dead rank on another machine changes nothing' one broken

# other data there than here: told
holds 'data of its own' "$tocsin" data convert glyphs --set train_per_class=40 --set test_per_class=10 --format npz --out data.npz
holds 'other data' "$tocsin" data convert glyphs --set train_per_class=41 --set test_per_class=10 --format npz --out other.npz
cp other.npz "$tools/far/data.npz"
machines 1 1 "$tocsin" run study.yaml --set dataset.source=npz:data.npz --out unlike --quiet >out.txt 2>err.txt
status=$?
checks=$((checks + 1))
[ $status != 0 ] && grep -q '^tocsin: .*dataset npz:data.npz: does not hold what it held' err.txt || { fail "other data on the other machine: status $status"; cat err.txt; }
finish
