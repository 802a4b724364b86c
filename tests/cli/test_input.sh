# Data, weights and poisons that are cut off, damaged, or somebody else's; folders and disks that take nothing. Each is
# answered by one line and the right status, and leaves no file behind that was not there before.
spec=$(cd "$(dirname "$0")" && pwd)/tiny.yaml
. "$(dirname "$0")/harness.sh"

# cut FILE BYTES: the file ends there. bruise FILE OFFSET: one byte there becomes another.
cut_at() { head -c "$2" "$1" >cut.tmp && mv cut.tmp "$1"; }
bruise() { python3 -c 'import sys; b = bytearray(open(sys.argv[1], "rb").read()); b[int(sys.argv[2])] ^= 0x5a; open(sys.argv[1], "wb").write(b)' "$1" "$2"; }

for format in npz idx images; do
    holds "write $format" "$tocsin" data convert glyphs --set train_per_class=3 --set test_per_class=2 --format $format --out good-$format
done
holds 'write cifar10' "$tocsin" data convert shapes10 --set train_per_class=5 --set test_per_class=2 --format cifar10 --out good-cifar10
png=train/00003-fork/$(ls good-images/train/00003-fork | head -n 1)

# spoil FORMAT FILE COMMAND…: a copy of the good set in bad-FORMAT, one file of which COMMAND spoils; '' for the set itself
spoil() {
    format=$1 file=$2
    shift 2
    rm -rf "bad-$format"
    cp -r "good-$format" "bad-$format"
    target=bad-$format${file:+/$file}
    verb=$1
    shift
    "$verb" "$target" "$@"
}
# and what is then said, about that very file
is_refused() { refuse_like 2 "data: $target: $1" data info "$format:bad-$format"; }

# IDX
spoil idx train-images-idx3-ubyte cut_at 5000;  is_refused 'cut off after 5000 of 23536 bytes; fetch it again'
spoil idx train-images-idx3-ubyte cut_at 7;     is_refused 'cut off in the header; fetch it again'
spoil idx train-images-idx3-ubyte cut_at 0;     is_refused 'not an IDX file of unsigned bytes; fetch it again'
spoil idx train-images-idx3-ubyte bruise 2;     is_refused 'not an IDX file of unsigned bytes; fetch it again'
spoil idx train-images-idx3-ubyte bruise 4;     is_refused 'the header asks for '
spoil idx t10k-labels-idx1-ubyte bruise 7;      is_refused '' # another number of labels
spoil idx t10k-labels-idx1-ubyte rm; refuse_like 2 'data: bad-idx: ' data info idx:bad-idx
spoil idx t10k-labels-idx1-ubyte bruise 9; refuse_like 2 'data: idx:bad-idx: label ' data info idx:bad-idx
gzip good-idx/train-images-idx3-ubyte
spoil idx train-images-idx3-ubyte.gz cut_at 300;  is_refused 'the gzip data are cut off'
spoil idx train-images-idx3-ubyte.gz bruise 2000; is_refused 'the gzip data are damaged'

# CIFAR-10
spoil cifar10 data_batch_2.bin cut_at 10000; is_refused ''
spoil cifar10 test_batch.bin cut_at 0;       is_refused ''
spoil cifar10 data_batch_1.bin bruise 0;     refuse_like 2 'data: ' data info cifar10:bad-cifar10
spoil cifar10 data_batch_3.bin rm;           refuse_like 2 'data: bad-cifar10' data info cifar10:bad-cifar10

# pictures
spoil images "$png" cut_at 100; is_refused ''
spoil images "$png" bruise 60;  is_refused ''
spoil images "$png" cut_at 0;   is_refused ''
jpeg() { printf '\377\330\377\340\000\020JFIF\000\001\001\000\000\001\000\001\000\000' >"$1"; }
spoil images train/00003-fork/0.jpg jpeg; is_refused ''
spoil images test/00099-unknown mkdir;    refuse_like 2 'data: bad-images/test/00099-unknown: no such class in the training folder' data info images:bad-images

# NPZ
spoil npz '' cut_at 2000;    is_refused ''
spoil npz '' cut_at 0;       is_refused ''
spoil npz '' bruise 1;       is_refused ''
spoil npz '' bruise 5000;    is_refused '' # zip's checksum tells
refuse_like 2 'data: ' data info npz:nothing.npz
refuse_like 2 'data: ' data info npz:good-images

# a kind that nobody reads, and the list that is pointed to
refuse 2 "data: dataset 'tiff:x': 'tiff' is not known; \`tocsin list datasets\` names them" data info tiff:x
refuse 2 'data: dataset '"'idx'"': no path; write idx:FOLDER' data info idx

# weights, poisons and data that belong to something else
holds 'train' "$tocsin" train "$spec" --out w.safetensors --quiet
holds 'craft' "$tocsin" craft "$spec" --attack random-noise --set attacks.3.name=random-noise --out poison --quiet
cp w.safetensors bruised.safetensors
bruise bruised.safetensors 20
cp w.safetensors longer.safetensors
echo >>longer.safetensors
: >empty.safetensors
for file in bruised longer empty; do
    refuse_like 2 "$file.safetensors: " evaluate "$spec" --weights $file.safetensors
done
refuse_like 2 'w.safetensors: ' evaluate "$spec" --weights w.safetensors --set victim.model=mlp
refuse_like 2 'w.safetensors: ' evaluate "$spec" --weights w.safetensors --set victim.dropout=0 --set dataset.source=cifar10:good-cifar10 --set dataset.test_per_class=2 --set dataset.train_per_class=2
refuse_like 2 'poison' train "$spec" --poison poison --out p.safetensors --set dataset.source=shapes10
refuse_like 2 'poison' train "$spec" --poison poison --out p.safetensors --set dataset.train_per_class=3
refuse_like 2 '--set: victim.model: ' train "$spec" --out p.safetensors --set dataset.source=images:good-images --set dataset.size=4 \
    --set dataset.train_per_class=0 --set dataset.test_per_class=0 --set victim.model=vgg11 --set surrogate.model=mlp
refuse_like 2 '--set: threat.target_class: is 10; glyphs has the classes' craft "$spec" --attack SAPA' <worst>' --out p --set threat.target_class=10
refuse_like 2 '--set: threat.epsilon is 255.5; must be 0 … 255' craft "$spec" --out p --set threat.epsilon=255.5
refuse_like 2 '--set: threat.ratio is 1.5; must be above 0 … 1' craft "$spec" --out p --set threat.ratio=1.5
refuse_like 2 '--set: attacks.2.rho is 0; must be above 0' craft "$spec" --out p --set attacks.2.rho=0
refuse_like 2 "$spec:4: threat: ratio: 0.5 of 120" craft "$spec" --attack gradient-matching --out p --set threat.ratio=0.5 # more than the class has

# where nothing can be put: every command that writes
: >file
for command in "run $spec --out file/x" "train $spec --out file/w" "craft $spec --attack gradient-matching --out file/p" \
    'data convert glyphs --format npz --out file/d' "evaluate $spec --weights w.safetensors --poison file"; do
    refuse_like 2 '' $command
    grep -q 'file' err.txt || fail "$command: the message does not name the place"
done
refuse_like 2 '' data convert glyphs --format npz --out good-images
refuse_like 2 '' data convert glyphs --format idx --out good-images
refuse_like 2 '' bench nothing-of-that-name --json file/b

# what is read is not written over
cp "$spec" own.yaml
refuse 2 '--out: own.yaml is where own.yaml is read from; name another place' train own.yaml --out own.yaml
refuse 2 '--out: ./good-npz is where npz:good-npz is read from; name another place' \
    train --set dataset.source=npz:good-npz --set victim.model=mlp --set surrogate.model=mlp --out ./good-npz
refuse 2 '--out: good-npz is where npz:good-npz is read from; name another place' data convert npz:good-npz --set train_per_class=1 --format npz --out good-npz
refuse 2 '--out: w.safetensors is where w.safetensors is read from; name another place' \
    derive --model lenet --weights w.safetensors --batch good-npz --out w.safetensors
refuse 2 '--out: good-npz is where good-npz is read from; name another place' derive --model lenet --weights w.safetensors --batch good-npz --out good-npz
printf 'extends: own.yaml\n' >over.yaml
refuse 2 '--out: own.yaml is where own.yaml is read from; name another place' train over.yaml --out own.yaml
HOME=$PWD refuse 2 '--out: good-npz is where npz:~/good-npz is read from; name another place' data convert 'npz:~/good-npz' --format npz --out good-npz

# nor is what somebody else has put where a study's results go
for name in report.html results.csv spec.resolved.yaml; do
    mkdir theirs
    echo mine >theirs/$name
    refuse 2 "--out: theirs holds a $name, which a run would write over; move it or choose another folder" run "$spec" --out theirs
    refuse 2 '--resume: theirs holds results but no run.db to go on from; choose another folder' run "$spec" --out theirs --resume
    rm -r theirs
done
mkdir -p theirs/models
echo mine >theirs/models/mine
echo old >theirs/report.html
holds 'over a report' "$tocsin" run "$spec" --out theirs --overwrite --quiet --set trials=1
[ -s theirs/models/mine ] || fail 'a folder that no study made is gone'

# a disk that takes no more: standard output first, then files (a limit on their size needs no root)
checks=$((checks + 1))
for command in 'list attacks --json' 'data info glyphs' "evaluate $spec --weights w.safetensors" "evaluate $spec --weights w.safetensors --json"; do
    "$tocsin" $command >/dev/full 2>err.txt
    [ $? = 1 ] && [ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || { fail "$command >/dev/full"; cat err.txt; }
done
limited() { (ulimit -f "$1"; shift; "$@"); }
for command in 'data convert glyphs --format npz --out full.npz' 'data convert glyphs --format idx --out full-idx' \
    "craft $spec --set attacks.3.name=random-noise --attack random-noise --set threat.ratio=0.1 --out full-poison"; do
    checks=$((checks + 1))
    before=$(inventory)
    limited 2 "$tocsin" $command >out.txt 2>err.txt
    [ $? = 1 ] && [ "$(grep -c '^tocsin: ' err.txt)" = 1 ] || { fail "$command on a full disk"; cat err.txt; }
    [ "$(inventory)" = "$before" ] || fail "$command on a full disk: left something behind"
done
finish
