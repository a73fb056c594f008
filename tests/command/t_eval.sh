#!/bin/sh
# geak eval: references pass, candidates with planted mistakes get the verdict that stands in their first line.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	echo "1..0 # SKIP no Python with torch and triton"
	exit 0
fi

field() { # FILE EXPRESSION over the JSON tree j
	"$python" -c "import json, sys; j = json.load(open(sys.argv[1])); print($2)" "$1"
}

# ---- what is refused ----

run geak eval
code_is 2 "a target is needed"
run geak eval starter -c tests/data/candidates/flip/honest.py
code_is 2 "one file for a suite of five tasks is refused"
err_has "name the one that the candidate is for" "and the message says what to do"
run geak eval starter/flip -c no/such/file.py
code_is 2 "a missing candidate is bad input"
run geak eval starter --json --jsonl
code_is 2 "--json and --jsonl exclude each other"
run geak eval starter -c tests/data
code_is 2 "a folder without candidates is bad input"
run geak eval starter/flip --target sm_1
code_is 2 "an unknown target is bad input"
err_has "gfx942" "and the known ones are named"

# ---- references ----

run geak eval starter --json --seed 1
code_is 0 "all references of the starter suite pass"
cp "$T/.out" "$T/all.json"
is "$(field "$T/all.json" 'j["schema_version"], len(j["results"]), all(r["call"] and r["exec"] for r in j["results"])')" \
	"1 5 True" "call and exec are true for all five"
is "$(field "$T/all.json" '{r["evidence"] for r in j["results"]}')" "{'simulated'}" "the evidence is stated"
is "$(field "$T/all.json" '{r["speedup"] for r in j["results"]}')" "{None}" "speed is not measured"
is "$(field "$T/all.json" 'all(len(r["plan_hash"]) == 64 for r in j["results"])')" "True" "plans have hashes"
is "$(field "$T/all.json" 'all(any("(held out)" in c["case"] for c in r["cases"]) for r in j["results"])')" "True" \
	"held-out shapes were drawn"
run geak eval starter --json --seed 1
"$python" - "$T/all.json" "$T/.out" >"$T/same" <<'PY'
import json, sys
a, b = (json.load(open(p)) for p in sys.argv[1:])
for j in (a, b):
    for r in j["results"]:
        del r["stages_ms"], r["ms"]
print(a == b)
PY
is "$(cat "$T/same")" "True" "with the same seed the verdicts are the same, but for times"
run geak eval starter/flip --json --seed 2
is "$(field "$T/.out" 'sorted(c["case"] for c in j["results"][0]["cases"]) != sorted(c["case"] for r in json.load(open("'"$T"'/all.json"))["results"] if r["task"] == "flip" for c in r["cases"])')" \
	"True" "another seed draws other shapes"

# ---- planted mistakes ----

for task in vector_add row_softmax flip axpy; do
	target=starter/$task
	[ "$task" != axpy ] || target=tests/data/suites/judged/axpy # in place, a scalar that is data, atomics, two outputs
	"$GEAK" eval "$target" -c "tests/data/candidates/$task" --json >"$T/$task.json" 2>"$T/err"
	is "$?" 1 "$task: a folder with wrong candidates exits with 1"
	for file in tests/data/candidates/"$task"/*.py; do
		name=$(basename "$file")
		want=$(sed -n '1s/^# expect: //p' "$file")
		got=$(field "$T/$task.json" '[r["verdict"]["outcome"] + " " + r["verdict"]["kind"] for r in j["results"] if r["candidate"] == "'"$name"'"][0]')
		is "$got" "$want" "$task/$name: $want" ||
			field "$T/$task.json" '[r["verdict"]["message"] for r in j["results"] if r["candidate"] == "'"$name"'"][0]' | sed 's/^/# /'
	done
done

message() { field "$T/$1.json" '[r["verdict"]["message"] for r in j["results"] if r["candidate"] == "'"$2"'"][0]'; }
# shellcheck disable=SC2034 # out_has looks at it
out=$(message vector_add no_mask.py)
# shellcheck disable=SC2016 # backquotes of the message
out_has 'line 12: `tl.store(out + at, a + b)`' "an access out of bounds is shown with its line"
out_has "kernel, line 12: tt.store: writes 4 bytes" "and what the kernel did"
out=$(message vector_add half_grid.py)
out_has "never written" "what was never written is said"
out=$(message flip copies.py)
out_has "reversed along dimension 1" "a flip that does not flip is recognised"
out_has "Case M=" "with the case"
out=$(message row_softmax half_exponentials.py)
out_has "float32" "lower precision is recognised"
out=$(message vector_add one_config_wrong.py)
out_has '"WRONG":1' "the wrong autotune configuration is named"

# ---- for people, from standard input, as a stream ----

run geak eval starter/flip -c tests/data/candidates/flip/copies.py
code_is 1 "a wrong candidate exits with 1"
out_has "fail" "and the block says so"
out_has "wrong_values at exec" "with kind and stage"
"$GEAK" eval starter/flip -c - <tests/data/candidates/flip/honest.py >"$T/out" 2>&1
is "$?" 0 "a candidate comes from standard input"
"$python" - >"$T/requests" <<'PY'
import json
def text(name):
    return open("tests/data/candidates/" + name).read()
for i, name in enumerate(["flip/honest.py", "flip/copies.py", "flip/honest.py"]):
    print(json.dumps({"id": {"n": i}, "task": "flip", "candidate": text(name)}))
print("not json")
print(json.dumps({"id": 7, "task": "nothing", "candidate": ""}))
print(json.dumps({"id": "add", "task": "vector_add", "candidate": text("vector_add/raises.py")}), end="")
PY
for how in file pipe; do
	if [ $how = file ]; then
		"$GEAK" eval starter -c - --jsonl <"$T/requests" >"$T/lines" 2>"$T/err"
	else
		# shellcheck disable=SC2002 # the pipe is the point
		cat "$T/requests" | "$GEAK" eval starter -c - --jsonl >"$T/lines" 2>"$T/err"
	fi
	is "$?" 2 "$how: broken requests exit with 2, the others are answered"
	is "$("$python" -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print(sorted((str(r["id"]), r["verdict"]["outcome"] if "verdict" in r else "refused") for r in rows))' "$T/lines")" \
		"[('7', 'refused'), ('None', 'refused'), ('add', 'fail'), (\"{'n': 0}\", 'pass'), (\"{'n': 1}\", 'fail'), (\"{'n': 2}\", 'pass')]" \
		"$how: ids are echoed, one line each"
done

# ---- task check ----

run geak task check starter
code_is 0 "the starter suite keeps the rules for tasks"
out_has "tells right from wrong" "and says so"

# ---- bad tasks ----

cp -r suites/starter/flip "$T/flip"
printf '\ndef make_inputs(case, seed, device, dist):\n    raise RuntimeError("no inputs today")\n' >>"$T/flip/oracle.py"
run geak eval "$T/flip"
code_is 2 "an oracle that raises is bad input"
out_has "no inputs today" "and its words are shown"
cp suites/starter/flip/oracle.py "$T/flip/oracle.py"
cp tests/data/candidates/flip/copies.py "$T/flip/reference.py"
run geak task check "$T/flip"
code_is 1 "a reference that fails its own judge is found"
out_has "the reference does not pass" "and said"
cat >"$T/flip/oracle.py" <<'PY'
import torch
def make_inputs(case, seed, device, dist):
    return {"x": torch.ones((case["M"], case["N"]), dtype=getattr(torch, case["dtype"]))}
def expected(inputs, case):
    return {"out": torch.zeros(inputs["x"].shape, dtype=torch.float64)}
PY
cp suites/starter/flip/reference.py "$T/flip/reference.py"
run geak task check "$T/flip"
code_is 1 "a task that cannot tell right from wrong is found"
out_has "an output of zeros passes" "zeros"
out_has "two seeds give the same outputs" "seeds"
out_has "no output depends on the input x" "dependence"

done_testing
