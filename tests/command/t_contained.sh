#!/bin/sh
# Candidates that run for real: geak eval --contained, --evidence, --end-to-end; here on Triton's interpreter.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ] || ! "$python" -c 'import numpy' 2>/dev/null; then
	echo "1..0 # SKIP no Python with torch, triton and numpy"
	exit 0
fi

field() { # EXPRESSION over the one result r of the last --json
	"$python" -c "import json, sys; r = json.load(open(sys.argv[1]))['results'][0]; print(($1))" "$T/.out"
}

tasks=tests/exploits/tasks
gated=tests/exploits/honest/decides_on_the_host.py

# ---- confirmed ----

run geak eval $tasks/twice --target cpu --seed 1 --contained --json
code_is 0 "the reference does what its plans say"
is "$(field "[n for n in r['notes'] if n.startswith('confirmed')] != []")" True "and a note says so"
is "$(field "r['evidence'], r['end_to_end']")" "('simulated', None)" "the evidence is that of the plans; nothing was timed"

run geak eval $tasks/twice --target cpu --seed 1 -c tests/exploits/capture/sees_the_recorder.py --contained --json
code_is 1 "who is honest for the recorder alone is refused"
is "$(field "r['verdict']['kind'], r['verdict']['stage'], r['call'], r['exec']")" "('plan_mismatch', 'exec', True, False)" "as a plan that is not what the Python does"
run geak eval $tasks/twice --target cpu --seed 1 -c tests/exploits/capture/sees_the_recorder.py --json
code_is 0 "its plans alone are right"

run geak eval $tasks/twice --target cpu --seed 1 -c tests/exploits/honest/occupancy_query.py --contained --json
code_is 0 "what the interpreter cannot run is no verdict"
is "$(field "[n for n in r['notes'] if n.startswith('not confirmed')] != []")" True "but a note"

# ---- judged contained ----

run geak eval $tasks/gated --target cpu --seed 1 -c $gated --json
code_is 0 "control flow on data is judged by runs where the task allows it"
is "$(field "r['evidence'], r['call'], r['exec'], r['plan_hash'], len([c for c in r['cases'] if c['part'] == 'exec'])")" \
	"('contained', True, True, '', 5)" "every case, without plans"
run geak eval $tasks/gated --target cpu --seed 1 -c $gated --evidence sealed --json
code_is 1 "--evidence sealed insists on plans"
is "$(field "r['verdict']['kind'], r['verdict']['outcome'], r['evidence']")" "('not_capturable', 'undecided', 'none')" "with capture's reason"
run geak eval $tasks/gated --target cpu --seed 1 -c tests/exploits/contained/writes_late.py --json
code_is 1 "a process that outlives the call writes for nothing"
is "$(field "r['verdict']['kind']")" wrong_values "what was there when it had ended counts"

# ---- end to end ----

run geak eval $tasks/twice --target cpu --seed 1 --end-to-end --json
code_is 0 "calls are timed end to end"
is "$(field "[(e['calls'] >= 3, e['ms'] >= e['host_ms'] > 0, e['interpreted']) for e in r['end_to_end']]")" "[(True, True, True)]" \
	"the slowest clock counts, and whose time it is is told"
run geak eval $tasks/twice --target cpu --seed 1 --end-to-end
out_has "end to end N=8: " "people see it too"

# ---- nobody is left ----

# Processes that come of a geak have its PATH.
PATH=$PATH:$T
run geak eval $tasks/gated --target cpu --seed 2 -c $gated --json
left=$(grep -la ":$T" /proc/[0-9]*/environ 2>/dev/null | grep -v "/$$/\|/self/" | while read -r file; do
	grep -qa geak_worker "${file%environ}cmdline" 2>/dev/null && echo "$file"
done)
is "$left" "" "no process of the role stays"

done_testing
