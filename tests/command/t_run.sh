#!/bin/sh
# geak run, report, log and show: a whole run from recorded answers, gone on with, interrupted, and what is refused.
. tests/command/tap.sh

# --- what needs no Python ---

run geak run
code_is 2 "a run needs something to run"
err_has "name what to run" "and says so"
run geak run starter
code_is 2 "and a model"
err_has "name a model with -m" "and says so"
run geak run startr -m "replay:$T/none"
code_is 2 "an unknown suite is bad input"
err_has "did you mean starter?" "and the nearest is named"
run geak run starter -m "replay:$T/none"
code_is 2 "a replay file that is not there is bad input"
is "$(printf '%s\n' "$err" | wc -l)" 1 "in one line"
printf '{"geak_replay": 1, "origin": ""}\n' >"$T/empty.jsonl"
run geak run starter -m "replay:$T/empty.jsonl" --recipe nonsense
code_is 2 "an unknown recipe is bad input"
err_has 'no recipe "nonsense"' "and is named"
run geak run starter -m "replay:$T/empty.jsonl" --iterations 0
code_is 2 "no iterations make no run"
run geak run starter -m "openai:x" --budget-usd 1 -o "$T/budget"
code_is 2 "a budget in dollars needs prices"
err_has "--budget-tokens" "and what to use instead is said"
run geak run starter/flip starter -m "replay:$T/empty.jsonl" -o "$T/twice"
code_is 2 "a task named twice is refused"
if [ "$(id -u)" != 0 ]; then
	mkdir "$T/readonly" && chmod 500 "$T/readonly"
	run geak run starter -m "replay:$T/empty.jsonl" -o "$T/readonly/run"
	code_is 3 "a folder that cannot be written is the system's refusal"
fi
for command in report log; do
	run geak "$command" "$T"
	code_is 2 "geak $command needs a run folder"
	err_has "not a run folder" "and says so"
done
run geak show "$T" flip/0.1
code_is 2 "so does geak show"
mkdir "$T/rubbish" && head -c 8192 /dev/zero | tr '\0' z >"$T/rubbish/journal.sqlite"
run geak run -o "$T/rubbish"
code_is 3 "a damaged journal is named"
err_has "is damaged" "as what it is"
run geak report "$T/rubbish"
code_is 3 "by the report as well"

# --- a whole run ---

python=$(python_of_geak)
if [ -z "$python" ]; then
	skip "a whole run" "no Python with torch and triton here"
	done_testing
fi
GEAK_PYTHON=$python
export GEAK_PYTHON
"$python" tests/command/make_answers.py suites/starter flip vector_add >"$T/made.jsonl"
folder=$T/run

"$GEAK" run starter/flip -m "replay:$T/made.jsonl" --iterations 4 -o "$folder" >"$T/first" 2>&1 &
pid=$!
for _ in $(seq 100); do grep -q attempt "$T/first" && break; sleep 0.3; done
kill -INT "$pid"
wait "$pid"
is "$?" 130 "an interrupted run ends with 130"
grep -q "goes on" "$T/first"
tap_result $? "and says how to go on"
run geak report "$folder" --json
out_has '"finished": false' "what there is can be reported"

run geak run -o "$folder"
code_is 0 "the folder alone is enough to go on"
out_has "going on with $folder" "which is said"
out_has "flip" "with its task"
ok "the winner is a file" test -s "$folder/best/flip.py"
ok "and defines its entry" grep -q "^def flip" "$folder/best/flip.py"
ok "the report is a page" grep -q "Success by iteration" "$folder/report.html"

run geak run starter/flip -m "replay:$T/made.jsonl" -o "$folder" --json
code_is 0 "the same command again is done at once"
is "$(printf '%s' "$out" | "$python" -c 'import json,sys; print(json.load(sys.stdin)["tasks"][0]["winner"]["attempt"])')" 3 \
	"and prints the summary as JSON"
run geak run starter/flip -m "replay:$T/made.jsonl" -o "$folder" --iterations 9
code_is 2 "another flag is another run"
err_has "iterations 4, not 9" "and is named"
run geak run starter/vector_add -m "replay:$T/made.jsonl" -o "$folder"
code_is 2 "so is another task"

run geak log "$folder"
code_is 0 "the log is printed"
is "$(printf '%s\n' "$out" | wc -l)" 5 "with a line for each attempt"
out_has "flip/0.3" "by name"
run geak show "$folder" flip/0.1
code_is 0 "an attempt is shown"
out_has "--- prompt ---" "with its prompt"
out_has "--- verdict ---" "and its verdict"
out_has "--- reflection ---" "and what was thought of it"
run geak show "$folder" flip/0.9
code_is 2 "an attempt that is not there is bad input"
run geak report "$folder" --csv
out_has "flip,correct,yes,yes,4,0.3" "the table comes as CSV"
run geak report "$folder" --md
out_has "| flip | correct |" "and as Markdown"
run geak report "$folder" --csv --md
code_is 2 "not both at once"
run geak log "$folder" --replay "$T/again.jsonl" --note "from a test"
code_is 0 "a run becomes a replay file"
run geak run starter/flip -m "replay:$T/again.jsonl" --strict-replay --iterations 4 -o "$T/second" -q
code_is 0 "which answers the very same prompts"
is "$(geak report "$T/second" --csv)" "$(geak report "$folder" --csv)" "and leads to the same end"

cp -r suites/starter "$T/suite"
run geak run "$T/suite/flip" -m "replay:$T/made.jsonl" --iterations 4 -o "$T/changed" -q
echo "Be quick." >>"$T/suite/flip/instruction.md"
run geak run -o "$T/changed"
code_is 2 "a task that changed is noticed"
err_has "changed since the run began: task flip" "and named"
done_testing
