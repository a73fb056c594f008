#!/bin/sh
# geak bench without a GPU: what is refused, in one line each, and what eval says of speed there.
. tests/command/tap.sh

one_line() { # BEHAVIOUR: stderr is one line
	is "$(wc -l <"$T/.err" | tr -d ' ')" 1 "$1"
}
mine=tests/data/candidates/flip/honest.py

run geak bench
code_is 2 "a file is needed"
run geak bench "$mine"
code_is 2 "and a task"
err_has "--task is needed" "which is said"
run geak bench "$mine" "$mine" "$mine" --task starter/flip
code_is 2 "three files are too many"
run geak bench no/such.py --task starter/flip
code_is 2 "a missing file is bad input"
err_has "no/such.py" "and named"
run geak bench "$mine" --task starter
code_is 2 "a suite is not a task"
err_has "name the one that the kernels are for" "and what to do is said"
run geak bench "$mine" --task starter/flop
code_is 2 "a task that is not there is bad input"
run geak bench "$mine" --task starter/flip --target sm_1
code_is 2 "a target that does not exist is bad input"
run geak bench "$mine" --task starter/flip --target cpu
code_is 2 "nothing is timed on the machine"
err_has "tells no speed" "and why is said"
one_line "in one line"
run geak bench "$mine" --task starter/flip --cap-ms 1
code_is 2 "a cap below the least is refused"

# no driver at all, wherever this runs
GEAK_LIBCUDA=/no/libcuda.so GEAK_LIBHIP=/no/libamdhip64.so
export GEAK_LIBCUDA GEAK_LIBHIP
run geak bench "$mine" --task starter/flip --export-json "$T/bench.json"
code_is 2 "without a GPU nothing can be timed"
err_has "nothing can be timed" "which is said"
err_has "geak eval flip" "with what can be done instead"
one_line "in one line"
ok "no result is made up" test ! -e "$T/bench.json"
run geak bench "$mine" --task starter/flip --target sm_90
code_is 2 "nor for a target that is elsewhere"
err_has "no GPU here is a sm_90" "which is said"

python=$(python_of_geak)
if [ -n "$python" ]; then
	run geak eval starter/flip -c "$mine" --samples "$T/samples.json"
	code_is 0 "eval decides correctness there"
	out_has "containment:" "says what the verdict rests on"
	out_has "perf not measured: the plans ran on the Triton IR machine" "and that speed is not measured, with the reason"
	is "$(cat "$T/samples.json")" '{"samples":[],"schema_version":1}' "no samples are made up"
fi
done_testing
