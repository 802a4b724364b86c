# The shared library exports what the public headers declare, all of it and nothing else.
#     test_symbols.sh LIBRARY HEADERS
set -u
library=$1 headers=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# GCC makes the locks of named OpenMP sections common to the whole process, whatever the visibility: they do not count.
nm -D --defined-only "$library" | awk '$2 ~ /[TDBRVWC]/ && $3 !~ /^\.gomp_critical_user_tc_/ {print $3}' | sort >"$folder/exported"
# The name that stands before the bracket of each TOCSIN_API declaration.
sed -n 's/^TOCSIN_API .*[ *]\(tocsin_[a-z_]*\)(.*/\1/p' "$headers"/*.h | sort >"$folder/declared"
count=$(wc -l <"$folder/declared")
[ "$count" -ge 60 ] || { echo "only $count declarations were found in $headers"; exit 1; }
[ "$count" = "$(grep -c '^TOCSIN_API' "$headers"/*.h | awk -F: '{n += $2} END {print n}')" ] ||
    { echo "not every TOCSIN_API declaration could be read"; exit 1; }
diff "$folder/declared" "$folder/exported" || { echo "< declared in the headers, > exported by the library"; exit 1; }
echo "$count functions, all exported, nothing else"
