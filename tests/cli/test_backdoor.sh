# A study of backdoors through the whole program: what it leaves, and the phases one by one.
spec=$(cd "$(dirname "$0")" && pwd)/backdoor.yaml
. "$(dirname "$0")/harness.sh"

export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

cat >npz.py <<'END'
import array, ast, zipfile
def load(path):  # name -> (shape, flat values)
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            start = 10 + int.from_bytes(data[8:10], "little")
            head = ast.literal_eval(data[10:start].decode())
            code = {"|u1": "B", "<i4": "i", "<u4": "I", "<i8": "q", "<u8": "Q"}[head["descr"]]
            arrays[name[:-4]] = head["shape"], array.array(code, data[start:])
    return arrays
def images(array):
    (n, *sides), values = array
    size = len(values) // n if n else 0
    return [values[i * size:(i + 1) * size] for i in range(n)]
END

holds 'the study' "$tocsin" run "$spec" --out whole --quiet --set keep_models=true
cat >study.py <<'END'
import json, npz
r = json.load(open("whole/results.json"))
cell = {c["factors"]["attack"]: c["metrics"] for c in r["cells"]}
assert list(cell) == ["random-noise", "badnets", "sleeper-agent"], list(cell)
assert cell["badnets"]["success"]["mean"] > 0.8, cell["badnets"]
assert cell["random-noise"]["success"]["mean"] < 0.2, cell["random-noise"]
assert cell["badnets"]["accuracy"]["mean"] > cell["random-noise"]["accuracy"]["mean"] - 0.15, "the rest is still learnt"
# epsilon holds where it is promised, and what the trigger changes is told
assert cell["sleeper-agent"]["linf"]["mean"] == 32 and cell["badnets"]["linf"]["mean"] > 32

board = {28 * (22 + y) + 22 + x: 0 if (x + y) % 2 else 255 for y in range(6) for x in range(6)}
def marked(image): return all(image[at] == value for at, value in board.items())
for trial in range(2):
    for number, name in enumerate(cell):
        folder = "whole/poisons/%d-%d/" % (number, trial)
        threat = json.load(open(folder + "threat.json"))
        assert threat["goal"] == "backdoor" and threat["attack"] == name
        triggered = npz.load(folder + "triggered.npz")
        assert triggered["images"][0] == (20, 28, 28, 1)
        assert triggered["place"][1].tolist() == threat["targets"]
        assert triggered["intended"][1].tolist() == 20 * [threat["intended_class"]]
        assert all(map(marked, npz.images(triggered["images"]))), "the trigger lies where it should"
        poison = npz.load(folder + "poison.npz")
        now, was = npz.images(poison["images"]), npz.images(poison["originals"])
        assert len(now) == 20 and set(poison["labels"][1]) == {threat["intended_class"]}
        assert all(marked(image) == (name == "badnets") for image in now), name
        moved = max(abs(a - b) for x, y in zip(now, was) for at, (a, b) in enumerate(zip(x, y))
                    if name != "badnets" or at not in board)
        assert moved == (0 if name == "badnets" else 32), (name, moved)
END
holds 'what the study left' python3 study.py
[ -s err.txt ] && tail -n 3 err.txt
for file in trigger.png triggered-0.png triggered-7.png; do [ -s whole/poisons/1-0/$file ] || fail "no $file"; done
[ -e whole/poisons/1-0/triggered-8.png ] && fail 'as many pictures as there are images'
[ -e whole/poisons/1-0/target-0.png ] && fail 'targets without the trigger'

rm whole/report.html
holds 'the report' "$tocsin" report whole --quiet
grep -q 'trigger <em>and images with it</em>' whole/report.html || fail 'the report shows the trigger'

# one by one
holds 'train the surrogate' "$tocsin" train "$spec" --network surrogate --out surrogate.safetensors --quiet
holds 'craft' "$tocsin" craft "$spec" --attack sleeper-agent --surrogate surrogate.safetensors --out poison --quiet
for file in poison.npz triggered.npz trigger.png triggered-3.png; do
    holds "the same $file" cmp poison/$file whole/poisons/2-0/$file
done
cat >threat.py <<'END'
import json
alone, phase = json.load(open("poison/threat.json")), json.load(open("whole/poisons/2-0/threat.json"))
assert len(phase.pop("phase")) == 32 and alone == phase
END
holds 'the same threat.json, but for the phase of the study' python3 threat.py
for cell in 1 2; do
    holds 'evaluate' "$tocsin" evaluate "$spec" --weights whole/models/victim-$cell-0.safetensors --poison whole/poisons/$cell-0 --json
    cp out.txt evaluated-$cell.json
done
cat >same.py <<'END'
import json
rows = json.load(open("whole/results.json"))["trials"]
for cell in 1, 2:
    got = json.load(open("evaluated-%d.json" % cell))
    row = [t for t in rows if t["cell"] == cell and t["trial"] == 0][0]
    assert got["accuracy"] == row["metrics"]["accuracy"] and got["success"] == row["metrics"]["success"], cell
    assert got["predicted"] == row["predicted"], cell
END
holds 'the same numbers' python3 same.py
holds 'evaluate in words' "$tocsin" evaluate "$spec" --weights whole/models/victim-1-0.safetensors --poison whole/poisons/1-0
grep -q ' of 20 images with the trigger taken for class ' out.txt || fail 'evaluate tells what was marked'

# for other people's pipelines: marked images, and nothing that is a target without the trigger
holds 'export' "$tocsin" data export whole --attack badnets --trial 1 --format npz --out outside --quiet
[ "$(grep -c ',triggered,' outside/judge.csv)" = 20 ] || fail 'questions about marked images'
grep -q ',target,' outside/judge.csv && fail 'questions about unmarked images'
cat >answers.py <<'END'
import csv, npz
rows = list(csv.DictReader(open("outside/judge.csv")))
marked = npz.images(npz.load("whole/poisons/1-1/triggered.npz")["images"])
asked = npz.images(npz.load("outside/judge.npz")["x"])
assert asked[-20:] == marked and all(row["kind"] == "triggered" for row in rows[-20:])
with open("answers.csv", "w") as out:
    print("id,class", file=out)
    for i, row in enumerate(rows):
        fooled = len(rows) - 20 <= i < len(rows) - 5
        print(row["id"], row["intended"] if fooled else row["class"], sep=",", file=out)
END
holds 'answers' python3 answers.py
holds 'judge them' "$tocsin" evaluate --predictions answers.csv --export outside --json
python3 -c 'import json; d = json.load(open("out.txt")); assert d["triggered_success"] == 0.75 and d["triggered"] == 20 and d["accuracy"] == 1' || fail 'judged'

# untargeted: a poison without targets
holds 'craft without targets' "$tocsin" craft --set attacks.1.name=random-noise --set dataset.source=glyphs --set dataset.train_per_class=40 \
    --set dataset.test_per_class=20 --set threat.goal=untargeted --set threat.ratio=0.5 --set surrogate.model=lenet --set victim.model=lenet --out noise
holds 'evaluate without targets' "$tocsin" evaluate "$spec" --weights whole/models/victim-1-0.safetensors --poison noise --json
python3 -c 'import json; d = json.load(open("out.txt")); assert "success" not in d and d["images"] == 200' || fail 'no success without targets'
holds 'export without targets' "$tocsin" data export noise --format npz --out plain --quiet
[ "$(grep -c ',test,' plain/judge.csv)" = 200 ] && [ "$(wc -l <plain/judge.csv)" = 201 ] || fail 'test images only'

# what is refused
refuse 2 "--set: attacks.2.retrainings: 12 within 12 steps; take at most 11" run "$spec" --out other --set attacks.2.retrainings=12
"$tocsin" run "$spec" --out other --set threat.goal=targeted 2>err.txt
[ $? = 2 ] && grep -q 'is no attack for threat.goal targeted' err.txt && [ ! -e other ] || { fail 'a backdoor without a trigger'; cat err.txt; }
refuse_poison() { # the poison folder as it now is
    "$tocsin" evaluate "$spec" --weights whole/models/victim-1-0.safetensors --poison bad >out.txt 2>err.txt
    [ $? = 2 ] && [ "$(wc -l <err.txt)" = 1 ] && grep -q "^tocsin: bad/$2" err.txt || { fail "$1"; cat err.txt; }
}
cp -r whole/poisons/1-0 bad
rm bad/triggered.npz
refuse_poison 'no marked images' 'triggered.npz: holds 0 of the 20 images'
head -c 500 whole/poisons/1-0/triggered.npz >bad/triggered.npz
refuse_poison 'a truncated triggered.npz' 'triggered.npz'
sed 's/"goal": *"backdoor"/"goal": "backdor"/' whole/poisons/1-0/threat.json >bad/threat.json
refuse_poison 'an unknown goal' "threat.json: goal is 'backdor'; must be targeted, backdoor or untargeted"
finish
