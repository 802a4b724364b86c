# The page in a browser, where there is one: charts are drawn, nothing fails, and ten thousand trials open at once.
tests=$(cd "$(dirname "$0")" && pwd)
. "$tests/../cli/harness.sh"

browser=
for name in chromium chromium-browser google-chrome chrome; do
    command -v "$name" >/dev/null 2>&1 && browser=$name && break
done

make_study() { python3 "$tests/studies.py" "$1" "$1" && "$tocsin" report "$1" --quiet; }
visit() { # FILE OPTIONS…: the page as it is after its scripts have run, in out.txt; what it complained of, in err.txt
    file=$1
    shift
    timeout 60 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$folder/browser" \
        --host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr --window-size=1200,900 "$@" --dump-dom "file://$folder/$file" >out.txt 2>err.txt
}
count() { grep -o "$1" out.txt | wc -l; }

for kind in swept plain defended large odd; do holds "a report of a study that is $kind" make_study $kind; done
# Every defended place once, beside none, in the table for programs and on the page.
cat >check.py <<'END'
import csv, html, json, re
results = json.load(open("defended/results.json"))
cells = results["cells"]
at = {(c["factors"]["label"], c["factors"]["defence"], c["factors"]["epsilon"]): c for c in cells}
mean = lambda cell, metric: cell["metrics"][metric]["mean"]
table = list(csv.DictReader(open("defended/tables/defences.csv")))
seen = set()
for row in table:
    place = (row["method"], row["defence"], float(row["epsilon"]))
    plain, own = at[(place[0], "none", place[2])], at[place]
    seen.add(place)
    for metric in ("success", "accuracy"):
        assert abs(float(row[metric + " difference"]) - mean(own, metric) + mean(plain, metric)) < 1e-9, (place, metric)
    for metric in ("kept", "precision", "recall"):
        assert (row[metric] != "") == (metric in own["metrics"]) and (not row[metric] or float(row[metric]) == mean(own, metric)), place
assert seen == {p for p in at if p[1] != "none"} and len(table) == len(seen), "each defended place once"

page = open("defended/report.html").read()
section = page[page.index("<h2>What the defences change</h2>"):]
section = section[:section.index("</table>")]
assert section.count("<tr>") == 2 + len(table) and "nan" not in section, "a row of the page for each"
strongest = max((c for c in cells if c["factors"]["defence"] == "none"), key=lambda c: mean(c, "success"))
least = min((at[p] for p in seen if p[0] == strongest["factors"]["label"] and p[2] == strongest["factors"]["epsilon"]),
            key=lambda c: mean(c, "success"))
said = html.unescape(re.sub("<(?!spectral|worst)[^>]*>", "", section[:section.index("<table")]))
for words in (strongest["factors"]["label"], least["factors"]["defence"] + " leaves it least", "%.1f" % (100 * mean(least, "success"))):
    assert words in said, (words, said)
END
holds 'what the page of a defended study says of its defences' python3 check.py
# Two attacks that tie are both named; a measure that is only compared has a title and a sentence.
cat >tie.py <<'END'
import json
r = json.load(open("plain/results.json"))
attacks = [c for c in r["cells"] if c["factors"]["attack"] != "random-noise"]
for c in attacks: c["metrics"]["success"]["mean"] = 0.1
for c in attacks[:2]: c["metrics"]["success"]["mean"] = 0.5
r["pairs"] = [{"a": 0, "b": 1, "metric": "confidence", "test": "t", "difference": {"mean": 0.1, "stderr": 0.01}, "n": 4, "p": 0.2}]
json.dump(r, open("tied/results.json", "w"))
END
cp -r plain tied && python3 tie.py || fail 'a tie'
holds 'a report with a tie' "$tocsin" report tied --quiet
tr '\n' ' ' <tied/report.html | grep -q 'The strongest attack, <b>[^<]*</b> (as strong: <b>[^<]*</b>)' || fail 'a tie is not told'
grep -q '<td class="row">Confidence</td>' tied/report.html && grep -q "Confidence: the probability that the victim itself gives the attacker's class" tied/report.html || fail 'confidence is not explained'
grep -q '[0-9]\.[0-9]*000000000000' tied/tables/*.csv && fail 'numbers that are longer than need be'
[ -n "$browser" ] || { skip 'no browser: the charts were not drawn'; finish; }
if ! grep -q 'var vega' swept/report.html; then
    skip 'built without Vega: no charts'
    for kind in swept plain defended odd; do # but their numbers, unfolded
        checks=$((checks + 1))
        visit $kind/report.html || fail "$kind: the browser ended with $?"
        grep -E 'CONSOLE' err.txt && fail "$kind: the page complains"
        maps=$(count 'at the trained weights, from')
        [ "$(count '<details open=""><summary>The numbers')" -gt 0 ] && [ "$(count '<figure class="chart">')" = $(($(count '<details open=""><summary>The numbers') + maps)) ] || fail "$kind: charts without numbers"
    done
    finish
fi

# First how long the page takes to be there, laid out; then every chart at once, as for the printer.
probe='<script>addEventListener("load", () => { document.body.offsetHeight; document.title = "opened in " + Math.round(performance.now()) + " ms"; dispatchEvent(new Event("beforeprint")); })</script>'
took() { sed -n 's/.*<title>opened in \([0-9]*\) ms.*/\1/p' out.txt; }

for kind in swept plain defended large odd; do
    { cat $kind/report.html; echo "$probe"; } >$kind/probed.html
    checks=$((checks + 1))
    visit $kind/probed.html || fail "$kind: the browser ended with $?"
    grep -E 'CONSOLE' err.txt && fail "$kind: the page complains"
    [ -n "$(took)" ] || fail "$kind: the page was not read to its end"
    charts=$(grep -o '<figure class="chart">' $kind/report.html | wc -l)
    drawn=$(count 'class="marks"')
    [ "$drawn" -gt 0 ] && [ "$drawn" = "$charts" ] || fail "$kind: $drawn of $charts charts are drawn"
    echo "$kind: $(took) ms, $drawn charts"
done

# The promise is three seconds; a machine that is busy with other tests gets more tries.
checks=$((checks + 1))
best=999999
for try in 1 2 3 4; do
    visit large/probed.html
    now=$(took)
    [ "${now:-999999}" -lt "$best" ] && best=$now
    [ "$best" -lt 3000 ] && break
done
echo "10,000 trials: $best ms"
[ "$best" -lt 3000 ] || fail "10,000 trials take $best ms to open"
finish
