#!/bin/sh
# Beyond tolerances: special values, misaligned inputs, bits that vary, distances in ulps; by geak eval and geak task check.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	echo "1..0 # SKIP no Python with torch and triton"
	exit 0
fi

deep=tests/data/suites/deep
field() { # FILE EXPRESSION over the JSON tree j
	"$python" -c "import json, sys; j = json.load(open(sys.argv[1])); print($2)" "$1"
}
# shellcheck disable=SC2034 # out_has looks at out
of() { out=$(field "$T/$1.json" '[r'"$3"' for r in j["results"] if r["candidate"] == "'"$2"'.py"][0]'); }

run geak task check $deep
out_has "twice: tells right from wrong, and the reference passes" "a task with special values and misaligned cases keeps the rules"

for task in twice total; do
	"$GEAK" eval $deep/$task -c tests/data/candidates/deep_$task --seed 3 --json >"$T/$task.json" 2>"$T/err"
	for file in tests/data/candidates/deep_$task/*.py; do
		of $task "$(basename "$file" .py)" '["verdict"]["outcome"] + " " + r["verdict"]["kind"]'
		is "$out" "$(sed -n '1s/^# expect: //p' "$file")" "$task/$(basename "$file"): $out"
	done
done

of twice nan_to_zero '["verdict"]["message"]'
out_has "a NaN among the inputs got lost" "what became of a NaN is said"
out_has "without these the same case is right" "and that ordinary values are right"
of twice no_minus_zero '["verdict"]["message"]'
out_has "zeros with the wrong sign" "so is the sign of a zero, where it is declared"
of twice wide_loads '["verdict"]["message"]'
out_has "(misaligned)" "an odd address is named by its case"
out_has "not a multiple of 8" "with the access"
of twice promises '["verdict"]["message"]'
out_has "promises addresses that are multiples of 16" "a promise of alignment that is not kept is found without a GPU"
out_has "Right: N=1000,dtype=float32;" "where the address is even it is right"
is "$(field "$T/twice.json" '[r["ulp"]["exact"] == r["ulp"]["count"] > 10000 for r in j["results"] if r["candidate"] == "honest.py"]')" "[True]" \
	"a pass says how near its values are"
is "$(field "$T/twice.json" '[c["detail"]["repeat"]["different"] for r in j["results"] if r["candidate"] == "honest.py" for c in r["cases"] if "repeat" in (c["detail"] or {})]')" \
	"[0]" "and that one case gave the same bits twice"
of total in_any_order '["notes"]'
out_has "nondeterministic: case N=20000: two executions on the same inputs differ" "bits that vary are noted"

sed 's/^deterministic: true$//' $deep/total/task.yaml >"$T/task.yaml"
mkdir "$T/total" && cp $deep/total/*.md $deep/total/*.py "$T/total" && mv "$T/task.yaml" "$T/total"
run geak eval "$T/total" -c tests/data/candidates/deep_total/in_any_order.py --seed 3 # others add up to the same bits now and then
code_is 0 "where a task does not ask for the same bits, they are no failure"
out_has "as near as the format comes" "the block for people tells the distances"
out_has "; two executions differ in 1 of 1 elements" "and that bits vary"

# ---- the alignment that a candidate sees is the real one ----

run geak capture tests/data/candidates/deep_twice/honest.py --task $deep/twice
code_is 0 "misaligned cases are captured"
out_has "b0 (x) + 4" "their tensors begin one element behind an even address"
hash_of() { printf '%s\n' "$out" | sed -n "/^$1\$/,/ttir/s/.*ttir \([0-9a-f]*\).*/\1/p"; }
even=$(hash_of "N=1000,dtype=float32") odd=$(hash_of "N=1000,dtype=float32 (misaligned)")
ok "for which Triton specialises another kernel" test -n "$even" -a -n "$odd" -a "$even" != "$odd"

done_testing
