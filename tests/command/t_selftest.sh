#!/bin/sh
# geak selftest on the machine: every check that needs no clock, the record, what is refused.
. tests/command/tap.sh

export XDG_STATE_HOME="$T/state"

# How many lines of a group have the state.
count() { # GROUP STATE
	python3 -c '
import json, sys
lines = json.load(open(sys.argv[1]))["lines"]
print(sum(l["group"] == sys.argv[2] and l["state"] == sys.argv[3] for l in lines))' "$T/.out" "$1" "$2"
}

run geak selftest --json
code_is 0 "the machine passes"
is "$(count good fail)" 0 "no good plan is wrong"
ok "those that need no GPU are right" test "$(count good pass)" -ge 7
ok "bad plans are caught, and the next good one is right" test "$(count bad pass)" -ge 10
is "$(count bad fail)" 0 "none gets through"
is "$(count time skip)" 1 "the clock is skipped, not passed"
out_has "has no clock" "and why is said"
ok "the result is kept for this machine" test -n "$(find "$T/state/geak/selftest" -name '*cpu*.json')"

run geak selftest --device abacus
code_is 2 "an unknown device is bad input"
err_has 'no device is called "abacus"' "and named"

done_testing
