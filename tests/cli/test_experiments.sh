# Every study under experiments/ is one that runs: read with all that it extends, in all its variants, over generated images in the place
# of those that it names. common*.yaml have no attacks: others are laid over them.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/harness.sh"
studies=$here/../../experiments

holds 'images' "$tocsin" data convert shapes10 --set train_per_class=250 --set test_per_class=100 --format npz --out images.npz
plan() { "$tocsin" run "$1" --plan --no-measure --threads 1 --set "dataset.source=npz:$PWD/images.npz"; }

find "$studies" -name '*.yaml' ! -name 'common*' | sort >studies.txt
[ "$(wc -l <studies.txt)" -gt 50 ] || fail "only $(wc -l <studies.txt) studies were found"
while read -r study; do
    holds "${study#"$studies"/}" plan "$study"
done <studies.txt

# and one that is wrong in a variant only is not
cp "$studies/sapa/common.yaml" .
sed 's/rho: \[0.01/rho: [-0.01/' "$studies/sapa/table-10-targeted.yaml" >wrong.yaml
refuse 2 'wrong.yaml:9: attacks.2.rho is -0.01; must be above 0 … 1000000' run wrong.yaml --plan --no-measure --set dataset.source=shapes10

finish
