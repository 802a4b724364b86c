#!/bin/sh
# pack.sh BUILD FILE.tar.xz TEST… — everything that gpu-check.sh needs on a machine that can build nothing of Tocsin: the
# programs, the plug-in, the shared libraries they were linked with but for the C library's and CUDA's own, and, for a
# machine with another CUDA, the plug-in's sources with what they are linked with.
set -eu
build=$1 file=$2
shift 2
cd "$(dirname "$0")/../.."
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
to=$room/tocsin-gpu
mkdir -p "$to/bin" "$to/lib" "$to/plugin"

for program in "$build/tocsin" "$build/tests/gpu/matching-gradient" "$@"; do
    strip -o "$to/bin/$(basename "$program")" "$program"
done
# The C library belongs to the machine, CUDA's to its driver.
ldd "$to"/bin/* | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -Ev '/(libc|libm|libdl|librt|libpthread|libresolv|ld-linux[^/]*|libcuda[^/]*|libcudnn[^/]*|libcublas[^/]*)\.so' |
    while read -r library; do cp -L "$library" "$to/lib/"; done
[ ! -f "$build/libtocsin-cuda.so" ] || cp "$build/libtocsin-cuda.so" "$to/bin/"

cp tests/gpu/check.py tests/gpu/gpu-check.sh bench/peers/torch_peer.py tests/oracle/networks.py "$to/"
git ls-files include src | grep -E '\.h$|^src/compute/cuda/' | tar -c -T - | tar -x -C "$to/plugin"
cp "$build/libtocsin.a" "$to/plugin/" # of which the plug-in takes the floors below it
sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build | head -n 1 >"$to/plugin/version"
case $file in /*) ;; *) file=$PWD/$file ;; esac
tar -C "$room" -c tocsin-gpu | xz -T0 -3 >"$file"
echo "$file: $(($(wc -c <"$file") / 1000000)) MB; there: tar -xf $(basename "$file") && tocsin-gpu/gpu-check.sh"
