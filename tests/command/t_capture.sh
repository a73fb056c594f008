#!/bin/sh
# geak capture: plans for people and as JSON, for any target; what is wrong with the candidate is said by case.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	echo "1..0 # SKIP no Python with torch and triton"
	exit 0
fi

run geak capture
code_is 2 "a file is needed"
run geak capture suites/starter/flip/reference.py
code_is 2 "a task is needed"
err_has "--task TASK is needed" "and the message says so"
run geak capture suites/starter/flip/reference.py --task starter
code_is 2 "a suite of several tasks is no task"
run geak capture suites/starter/flip/reference.py --task starter/flip --case no-such-case
code_is 2 "a case that is not there is bad input"

run geak capture suites/starter/row_softmax/reference.py --task starter/row_softmax --target gfx942 --case M=4,N=8
code_is 0 "the reference has a plan"
out_has "for gfx942" "it is for the target"
out_has "grid 4 x 1 x 1" "the grid is shown"
out_has "x_ptr            b0 (x)" "arguments have the names of the source"

run geak capture suites/starter/row_softmax/reference.py --task starter/row_softmax --target sm_90 --case M=4,N=8 --json
code_is 0 "another target works without a GPU"
is "$("$python" -c 'import json, sys
j = json.load(open(sys.argv[1]))
c = j["cases"][0]
print(j["schema_version"], len(j["cases"]), c["plan"]["target"], c["problem"], len(c["plan_hash"]))' "$T/.out")" \
	"1 1 sm_90 None 64" "the JSON has the plan and its hash"

cat >"$T/raises.py" <<'PY'
def flip(x):
    raise ValueError("not today")
PY
run geak capture "$T/raises.py" --task starter/flip --case M=3,N=7
code_is 1 "an entry that raises has no plan"
out_has "line 2: raised ValueError: not today" "the message and the line are shown"
done_testing
