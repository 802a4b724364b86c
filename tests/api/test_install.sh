# What `meson install` leaves is enough: the example builds against it with nothing but what pkg-config says, and runs,
# with the shared library and with the static one.
# A sanitized build has run the very same example from where it was built: here it only says its version.
#     test_install.sh BUILD EXAMPLE PREFIX COMPILER whole|brief
set -eu
build=$1 example=$2 prefix=$3 compiler=$4 how=$5
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root

meson install -C "$build" --no-rebuild --quiet --destdir "$root"
package=$(find "$root" -name tocsin.pc)
[ -n "$package" ] || { echo "no tocsin.pc was installed"; exit 1; }
export PKG_CONFIG_PATH="${package%/*}"
for file in "$PKG_CONFIG_PATH"/tocsin*.pc; do # where it lies for now
    sed "s|^prefix=.*|prefix=$root$prefix|" "$file" >"$folder/moved" && mv "$folder/moved" "$file"
done
ask() { pkg-config "$@" tocsin; }

flags=$(ask --cflags --libs)
echo "flags: $flags"
# Users of the shared library need nothing of what it is built on.
case $flags in *dnnl* | *jansson* | *archive*) echo "private libraries leak into the flags"; exit 1 ;; esac
case $(ask --libs --static) in *dnnl*) ;; *) echo "--static misses private libraries"; exit 1 ;; esac
[ "$(grep -o fopenmp "$package" | wc -l)" -le 1 ] || { echo "OpenMP is asked for again and again"; exit 1; }
within=$(pkg-config --cflags --libs tocsin-static)
echo "flags with the static library: $within"

printf '#include <stdio.h>\n#include <tocsin/tocsin.h>\nint main(void) { return puts(tocsin_version()) < 0; }\n' >"$folder/brief.c"
try() { # NAME FLAGS…: the example, and a program that only says its version
    name=$1
    shift
    $compiler "$example" "$@" -o "$folder/$name"
    $compiler "$folder/brief.c" "$@" -o "$folder/$name-brief"
    [ "$("$folder/$name-brief")" = "$(ask --modversion)" ] || { echo "$name: the installed library is of another version"; exit 1; }
    [ "$how" != whole ] || "$folder/$name" 7
}
# shellcheck disable=SC2086
try within $within # and while the shared one is not to be found
libraries=$(ask --variable=libdir)
export LD_LIBRARY_PATH="$libraries:${LD_LIBRARY_PATH:-}"
# shellcheck disable=SC2086
try shared $flags
[ "$(ask --modversion)" = "$("$root$prefix/bin/tocsin" --version | awk '{print $2}')" ] || { echo "versions differ"; exit 1; }
for header in "$root$prefix"/include/tocsin/*.h; do # each stands on its own
    printf '#include <tocsin/%s>\n' "${header##*/}" >"$folder/one.c"
    # shellcheck disable=SC2046,SC2086
    $compiler -std=c99 -Wall -Wextra -Werror -pedantic -fsyntax-only $(ask --cflags) "$folder/one.c"
done
