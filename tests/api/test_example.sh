# The example runs, says how it went, and says no more than that.
#     test_example.sh PROGRAM
set -u
out=$("$1" 2>&1) || { echo "status $?: $out"; exit 1; }
echo "$out"
[ "$(printf '%s\n' "$out" | wc -l)" = 2 ] || { echo "not two lines"; exit 1; }
printf '%s\n' "$out" |
    grep -Eq '^20 images changed; the [a-z]+ shall be taken for a [a-z]+ and is taken for a [a-z]+: (flipped|held)$' ||
    { echo "the first line is not what was promised"; exit 1; }
# Ten classes: guessing is 10 %. A victim that learnt is far above, poisoned or not.
printf '%s\n' "$out" | awk '/^clean accuracy: / {seen = 1; if ($3 < 50) exit 1} END {if (!seen) exit 1}' ||
    { echo "the victim has not learnt"; exit 1; }
