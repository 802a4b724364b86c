#!/bin/sh
# gpu-check.sh [OPTIONS OF check.py] — in an unpacked tocsin-gpu (pack.sh): finds CUDA, builds the plug-in anew where the
# packed one does not fit this machine's CUDA, and runs the check. Nothing is fetched or installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
say() { printf 'gpu-check: %s\n' "$*" >&2; }

# A Python, the one with PyTorch if there is one.
python=''
for try in python3 /usr/bin/python3 /opt/conda/bin/python3 /usr/local/bin/python3; do
    command -v "$try" >/dev/null 2>&1 || continue
    [ -n "$python" ] || python=$try
    "$try" -c 'import torch' 2>/dev/null && python=$try && break
done
[ -n "$python" ] || { say 'no python3 here, which this check is written in; install it'; exit 2; }

# Where CUDA may be: its own folder, and the wheels that PyTorch brings along.
wheels=$("$python" -c 'import glob, importlib.util, sysconfig
found = importlib.util.find_spec("nvidia")
folders = set(found.submodule_search_locations if found else ())
folders |= {sysconfig.get_path(kind) + "/nvidia" for kind in ("purelib", "platlib")}
for folder in folders: print(*glob.glob(folder + "/*"), sep="\n")' | sort -u)
cuda=''
for try in "${CUDA_HOME:-}" /usr/local/cuda /usr/lib/cuda /opt/cuda; do
    [ -n "$try" ] && [ -d "$try" ] && cuda=$try && break
done
folders=''
for try in ${cuda:+"$cuda/lib64" "$cuda/lib"} $(for w in $wheels; do echo "$w/lib"; done); do
    [ -d "$try" ] && folders=$folders${folders:+:}$try
done
libraries=$here/lib${folders:+:$folders}
plugin=$here/bin/libtocsin-cuda.so

opens() { # PLUGIN: whether all that it is linked with is found
    [ -f "$1" ] && ! LD_LIBRARY_PATH=$libraries ldd "$1" 2>&1 | grep -q 'not found'
}

# As in src/compute/cuda/meson.build.
build() {
    nvcc=${cuda:+$cuda/bin/nvcc}
    [ -n "$nvcc" ] && [ -x "$nvcc" ] || nvcc=$(command -v nvcc) || { say 'no nvcc here to build the plug-in anew with'; return 1; }
    headers=${cuda:+-I"$cuda/include"} libs='' # the toolkit's before the wheels', which may be of another version
    for w in $wheels; do
        [ -d "$w/include" ] && headers="$headers -I$w/include"
    done
    for name in cudart cublasLt cudnn; do
        found=$(for f in $(echo "$folders" | tr : ' ') /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu; do ls "$f/lib$name.so"* 2>/dev/null; done | head -n 1)
        [ -n "$found" ] || { say "no lib$name here"; return 1; }
        libs="$libs $found"
    done
    say "building the plug-in with $nvcc"
    made=$here/plugin/made
    mkdir -p "$made"
    common="-I$here/plugin/src -I$here/plugin/include"
    version=$(cat "$here/plugin/version")
    for file in "$here"/plugin/src/compute/cuda/*.cu; do
        # shellcheck disable=SC2086
        "$nvcc" -std=c++17 -O3 --extended-lambda -lineinfo -arch="${TOCSIN_GPU_ARCH:-native}" $common $headers -Xcompiler -fPIC,-fvisibility=hidden \
            -c "$file" -o "$made/$(basename "$file").o" &
    done
    wait
    for file in "$here"/plugin/src/compute/cuda/*.c; do
        # shellcheck disable=SC2086
        cc -std=gnu17 -O2 -fPIC -fvisibility=hidden -DTOCSIN_VERSION="\"$version\"" $common $headers -c "$file" -o "$made/$(basename "$file").o" || return 1
    done
    # The C++ library that is packed may be older than this compiler's.
    # shellcheck disable=SC2086
    c++ -shared -static-libstdc++ -static-libgcc -o "$made/libtocsin-cuda.so" "$made"/*.o "$here/plugin/libtocsin.a" $libs -fopenmp || return 1
    plugin=$made/libtocsin-cuda.so
}

if ! opens "$plugin"; then
    LD_LIBRARY_PATH=$libraries ldd "$plugin" 2>&1 | grep 'not found' >&2 || true
    build || { say "the packed plug-in finds not all it needs, and another cannot be built; install CUDA 12 or later with cuDNN 9"; exit 2; }
fi
set -- --tocsin "$here/bin/tocsin" --evidence "$here/bin/matching-gradient" --plugin "$plugin" --libraries "$libraries" \
    --peer "$here/torch_peer.py" --python "$python" "$@"
for test in "$here"/bin/test-*; do set -- "$@" --test "$test"; done
exec "$python" "$here/check.py" "$@"
