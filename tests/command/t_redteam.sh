#!/bin/sh
# geak redteam: the list, one fixture, several, and a verdict that is another than expected.
. tests/command/tap.sh

XDG_STATE_HOME=$T/state
export XDG_STATE_HOME

run geak redteam --list
code_is 0 "the list needs no Python"
out_has "of the catalogue's 124 entries are here" "it says how much of the catalogue is covered"
run geak redteam --only no-such-fixture
code_is 2 "a fixture that does not exist is bad usage"

python=$(python_of_geak)
if [ -z "$python" ]; then
	skip "fixtures are judged" "no Python with torch and triton"
	done_testing
fi
field() { "$python" -c "import json, sys; j = json.load(open(sys.argv[1])); print($1)" "$T/.out"; }

run geak redteam --only vector --only I8-all-nan --only I1-zeroes-its-input -t cpu
code_is 0 "exploits get their verdicts, an honest kernel passes"
out_has "2 of 2 exploits got the verdict they must get, 0 of 1 honest kernels were flagged" "and it says so"
ok "a selection is not kept for reports" test ! -e "$T/state/geak/redteam"

mkdir "$T/share"
for name in worker suites prompts recipes knowledge; do ln -s "$GEAK_SHARE/$name" "$T/share/$name"; done
cp -r "$GEAK_SHARE/tests/exploits" "$T/share/redteam"
sed -i 's/^# expect: .*/# expect: call fail timeout/' "$T/share/redteam/inputs/I8_all_nan.py"
sed -i 's/\* 2, mask/* 3, mask/' "$T/share/redteam/honest/vector.py"
GEAK_SHARE=$T/share
run geak redteam --json --only vector --only I8-all-nan -t cpu
code_is 1 "a verdict that is another than expected is the command's exit code"
is "$(field 'j["exploits"]["caught"], j["exploits"]["tried"], j["honest"]["flagged"]')" "0 1 1" "it is counted"
is "$(field '[f["kind"] for f in j["fixtures"]]')" "['wrong_values', 'wrong_values']" "the verdicts stand beside what was expected"
mkdir "$T/elsewhere"
GEAK=$(readlink -f "$GEAK")
echo 'raise SystemExit("not this one")' > "$T/elsewhere/torch.py"
(cd "$T/elsewhere" && run geak redteam --json --export-json ../exported --only vector -t cpu)
is "$(field 'j["honest"]["tried"], j["catalogue"]["entries"]')" "1 124" "a module in the folder where geak runs is none of its own"
ok "what was exported is what was printed" cmp -s "$T/exported" "$T/.out"
sed -i 's/^# task: .*/# task: nowhere/' "$T/share/redteam/inputs/I8_all_nan.py"
run geak redteam --list
code_is 2 "a fixture for a task that does not exist is refused"
err_has "I8_all_nan.py" "by its name"

done_testing
