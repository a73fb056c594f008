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

# A kernel of ours that does something else: the good plans that use it are wrong, and so are those after the bad ones.
mkdir "$T/share"
for part in worker prompts recipes knowledge suites; do
	ln -s "$GEAK_SHARE/$part" "$T/share/$part"
done
cp -R "$GEAK_SHARE/selftest" "$T/share/selftest"
sed 's/arith.addf %xv, %yv/arith.subf %xv, %yv/' "$GEAK_SHARE/selftest/add.ttir" >"$T/share/selftest/add.ttir"
run env GEAK_SHARE="$T/share" "$GEAK" selftest
code_is 1 "a wrong result fails"
ok "and the element is named" grep -Eq '^fail +good +add +element [0-9]+ is ' "$T/.out"
ok "a bad plan that leaves nothing but wrong results behind fails" grep -Eq '^fail +bad .* a good plan after it is not' "$T/.out"
ok "what does not use it passes" grep -Eq '^pass +good +dot ' "$T/.out"
ok "such a result is kept as failed" grep -q '"passed": false' "$T"/state/geak/selftest/*cpu*.json
sed 's/%writable : /%readable : /' "$GEAK_SHARE/selftest/part.ttir" >"$T/share/selftest/part.ttir"
cp "$GEAK_SHARE/selftest/add.ttir" "$T/share/selftest/add.ttir"
run env GEAK_SHARE="$T/share" "$GEAK" selftest
code_is 1 "a bad plan that is not caught fails"
out_has "not caught: nothing was found, 0 elements never written" "and what came instead is told"

run geak selftest --device abacus
code_is 2 "an unknown device is bad input"
err_has 'no device is called "abacus"' "and named"

done_testing
