#!/bin/sh
# geak eval --batch: one answer a line, whatever the line; cached, resumed, repeatable.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	echo "1..0 # SKIP no Python with torch and triton"
	exit 0
fi

rows() { # FILE EXPRESSION over the list of records r
	"$python" -c "import json, sys; r = [json.loads(l) for l in open(sys.argv[1])]; print($2)" "$1"
}

# ---- what is refused ----

run geak eval --batch no/such/file
code_is 2 "a missing file of requests is bad input"
run geak eval --batch tests
code_is 2 "a folder is no file of requests"
err_has "-c reads folders" "and it is said what reads folders"
run geak eval starter --batch - --jsonl
code_is 2 "--batch and --jsonl exclude each other"
run geak eval starter --out "$T/x"
code_is 2 "--out goes with --batch"
run geak eval nothing --batch -
code_is 2 "a target that does not exist is bad input"

# ---- a stream with everything in it ----

"$python" - >"$T/in.jsonl" <<'PY'
import json
def text(name):
    return open("tests/data/candidates/" + name).read()
say = lambda **words: print(json.dumps(words))
say(id=1, task="starter/flip", source=text("flip/honest.py"))
say(id="two", task="starter/flip", path="tests/data/candidates/flip/copies.py")
say(id=[3], task="starter/flip", source=text("flip/honest.py"))
print("not json")
print("")
print("[1, 2]")
say(task="starter/flip", source="")
say(id=4, task="starter/nothing", source="")
say(id=5, task="starter", source="")
say(id=6, task="starter/flip", path="no/such/file.py")
say(id=7, task="starter/flip")
say(id=8, task="starter/flip", source="import os\nos._exit(3)\n" + text("flip/honest.py"))
say(id=9, task="starter/flip", source="def flip(x:\n")
print(json.dumps({"id": 10, "task": "starter/vector_add", "source": text("vector_add/raises.py")}), end="")
PY
"$GEAK" eval --batch "$T/in.jsonl" --seed 7 -j 2 >"$T/out.jsonl" 2>"$T/err"
is "$?" 2 "bad lines make the exit code 2"
is "$(rows "$T/out.jsonl" 'len(r)')" 13 "each line that is not empty has one answer"
is "$(rows "$T/out.jsonl" 'sorted((str(x["id"]), x["verdict"]["outcome"]) for x in r if "verdict" in x)')" \
	"[('1', 'pass'), ('10', 'fail'), ('8', 'fail'), ('9', 'fail'), ('[3]', 'pass'), ('two', 'fail')]" \
	"ids are echoed, broken candidates get verdicts"
is "$(rows "$T/out.jsonl" 'sorted((x["line"], str(x["id"])) for x in r if "error" in x)')" \
	"[(4, 'None'), (6, 'None'), (7, 'None'), (8, '4'), (9, '5'), (10, '6'), (11, '7')]" "bad lines get an error with their number"
is "$(rows "$T/out.jsonl" '[x["cached"] for x in r if x.get("id") in (1, [3])].count(True)')" 1 \
	"of two equal candidates one is answered from the cache"
is "$(rows "$T/out.jsonl" '{x["containment"] for x in r if "verdict" in x} <= {"namespaces", "landlock", "seccomp", "limits"}')" \
	True "the containment level stands in each"
ok "what came of it is told on stderr" grep -q "6 judged (2 passed, 4 failed" "$T/err"

# ---- equal inputs and seeds, equal verdicts ----

"$GEAK" eval --batch - --seed 7 -j 1 <"$T/in.jsonl" >"$T/again.jsonl" 2>/dev/null
"$python" - "$T/out.jsonl" "$T/again.jsonl" >"$T/same" <<'PY'
import json, sys
def read(path):
    rows = [json.loads(line) for line in open(path)]
    for row in rows:
        for key in ("stages_ms", "lower_ms", "cached", "spent_ms", "spent", "ms"):
            row.pop(key, None)
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
a, b = (read(path) for path in sys.argv[1:])
print(a == b or [pair for pair in zip(a, b) if pair[0] != pair[1]][:1])
PY
is "$(cat "$T/same")" True "with the same seed all answers are the same, in any order and number of jobs"

# ---- a seed of one's own ----

"$python" - >"$T/seeds.jsonl" <<'PY'
import json
for i, seed in enumerate([7, 7, 8, 7]):
    print(json.dumps({"id": i, "seed": seed, "task": "starter/flip", "path": "tests/data/candidates/flip/honest.py"}))
PY
# shellcheck disable=SC2002 # the pipe is the point
cat "$T/seeds.jsonl" | "$GEAK" eval --batch - >"$T/seeds.out" 2>/dev/null
is "$?" 0 "lines with seeds are judged"
is "$(rows "$T/seeds.out" '[(x["id"], x["seed"]) for x in sorted(r, key=lambda x: x["id"])]')" "[(0, 7), (1, 7), (2, 8), (3, 7)]" \
	"and echo them"
is "$(rows "$T/seeds.out" '[x["cached"] for x in sorted(r, key=lambda x: x["id"])]')" "[False, True, False, False]" \
	"another seed is another verdict"
is "$("$python" - "$T/out.jsonl" "$T/seeds.out" <<'PY'
import json, sys
names = [{r["id"] if not isinstance(r["id"], list) else 3: [c["case"] for c in r["cases"]] for r in map(json.loads, open(p)) if "verdict" in r}
         for p in sys.argv[1:]]
print(names[1][0] == names[0][1], names[1][0] == names[1][3], names[1][0] == names[1][2])
PY
)" "True True False" "a line's seed draws what --seed draws"

# ---- broken off and gone on with ----

"$GEAK" eval --batch "$T/in.jsonl" --out "$T/kept.jsonl" --seed 7 2>/dev/null
head -c $(($(head -n 8 "$T/kept.jsonl" | wc -c) + 20)) "$T/kept.jsonl" >"$T/cut.jsonl" # as after a kill
had=$(head -n 8 "$T/kept.jsonl" | "$python" -c 'import json, sys; print(sum("verdict" in json.loads(l) for l in sys.stdin))')
"$GEAK" eval --batch "$T/in.jsonl" --out "$T/cut.jsonl" --seed 7 2>"$T/err"
ok "what was answered is skipped" grep -q " $had skipped" "$T/err"
ok "the rest is judged" grep -q "batch: $((6 - had)) judged" "$T/err"
is "$(rows "$T/cut.jsonl" 'sorted(str(x["id"]) for x in r if "verdict" in x)')" "['1', '10', '8', '9', '[3]', 'two']" \
	"and each id has one verdict"
"$GEAK" eval --batch "$T/in.jsonl" --out "$T/cut.jsonl" 2>"$T/err"
ok "once more judges nothing" grep -q "batch: 0 judged" "$T/err"

# ---- containment ----

run geak eval starter/flip --containment sideways
code_is 2 "a level that is none is refused"
if "$GEAK" doctor | grep -q "strict works"; then
	run geak eval starter/flip --containment strict --json
	code_is 0 "strict containment passes where doctor says that it works"
	out_has '"containment": "namespaces"' "and the result says so"
else
	run geak eval starter/flip --containment strict
	code_is 2 "strict containment is refused where doctor says so"
	err_has "this machine lacks" "and names what is missing"
fi

done_testing
