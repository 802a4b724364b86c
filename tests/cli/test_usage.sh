# Help, versions, lists, and what is said about a command line that nothing can be made of.
. "$(dirname "$0")/harness.sh"

holds 'help' "$tocsin" --help
grep -q 'evaluate' out.txt || fail 'help names every command'
holds 'version' "$tocsin" --version
grep -Eq '^tocsin [0-9]+\.[0-9]+\.[0-9]+$' out.txt || fail 'version is a number'
for command in run status report train craft evaluate data derive bench list; do
    holds "$command --help" "$tocsin" $command --help
    grep -q "^tocsin $command" out.txt || fail "$command --help begins with its name"
    [ -s err.txt ] && fail "$command --help says something on standard error"
done
for kind in attacks models datasets losses defenses defences; do
    holds "list $kind" "$tocsin" list $kind
    holds "list $kind --json" "$tocsin" list $kind --json
    case $(head -c 1 out.txt) in '[') ;; *) fail "list $kind --json is a list" ;; esac
done
"$tocsin" list attacks >out.txt
grep -q '^gradient-matching' out.txt && grep -q '^random-noise' out.txt && grep -q ' rho ' out.txt || fail 'list attacks'
"$tocsin" list attacks error-min >out.txt
grep -q '^error-min' out.txt && grep -q '  what: min' out.txt && grep -q ' schedule ' out.txt || fail 'list attacks NAME'
grep -q 'error-max' out.txt && fail 'list attacks NAME: others, too'
refuse 2 "list: nothing named 'error-mid' is here; \`tocsin list attacks\` names what is" list attacks error-mid
"$tocsin" list defenses >out.txt
grep -q '^spectral-signatures (filter)' out.txt && grep -q '^cutmix (training)' out.txt && grep -q 'arXiv 1811.00636' out.txt &&
    grep -q ' poisoned (' out.txt || fail 'list defenses'

refuse 2 "command line: no command; see \`tocsin --help\`"
refuse 2 "'rn': unknown command; did you mean 'run'?" rn
refuse 2 "'fly': unknown command; see \`tocsin --help\`" fly
refuse 2 "run: SPEC.yaml is missing; see \`tocsin run --help\`" run
refuse 2 "run: 'b' is one argument too many; see \`tocsin run --help\`" run a b
refuse 2 "run: unknown flag --sead; did you mean --seed?" run a --sead 3
refuse 2 "run: unknown flag --seeed; did you mean --seed?" run a --seeed=3
refuse 2 "run: unknown flag --frobnicate; see \`tocsin run --help\`" run a --frobnicate
refuse 2 "run: unknown flag -o; flags begin with --, see \`tocsin run --help\`" run a -o
refuse 2 "run: --out needs a value; write --out DIR" run a --out
refuse 2 "run: --quiet takes no value; leave '=1' away" run a --quiet=1
refuse 2 "list: 'modles' is not known; did you mean 'models'?" list modles
refuse 2 "data: 'show' is not known; write info, convert, export or fetch" data show glyphs
refuse 2 "data: convert needs --format and --out; see \`tocsin data --help\`" data convert glyphs
refuse 2 "train: --out is missing; write --out W.safetensors" train
refuse 2 "train: --network is 'vict'; must be surrogate or victim" train --out w --network vict
refuse 2 "train: --trial is '1.5'; must be a whole number, 0 … 1000000" train --out w --trial 1.5
refuse 2 "evaluate: --weights is missing; write --weights W.safetensors" evaluate
refuse 2 "craft: no attack is given; add --set attacks.1.name=NAME" craft --out p
# what a source is called does not push its summary out of the column
holds 'datasets' "$tocsin" list datasets
[ "$(awk '{print substr($0, 16, 1) substr($0, 17, 1)}' out.txt | grep -vc '^ [^ ]')" = 0 ] || { fail 'the columns of list datasets'; cat out.txt; }
finish
