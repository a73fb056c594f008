#!/bin/sh
# kill -9 at random moments of a run, resumed each time: the end is the same, and no stored answer is asked for again.
# GEAK_TEST_KILLS says how many (5).
. tests/command/tap.sh

kills=${GEAK_TEST_KILLS:-5}
python=$(python_of_geak)
if [ -z "$python" ]; then
	skip "a killed run goes on" "no Python with torch and triton here"
	done_testing
fi
GEAK_PYTHON=$python
export GEAK_PYTHON

# What must not depend on when geak died.
table() {
	geak report "$1" --json >"$T/report.json" 2>"$T/report.err" || cat "$T/report.err"
	"$python" - "$T/report.json" <<-'END'
		import json, sys
		r = json.load(open(sys.argv[1]))
		print(json.dumps([r["tasks"], r["totals"], r["run"]["finished"], r["ledger"]["requests"]], sort_keys=True))
	END
}

# Requests that were sent, less those that were lost, less prompts answered: 0 when each answer was asked for once.
asked_again() {
	geak report "$1" --json | "$python" -c '
import json, sys
ledger = json.load(sys.stdin)["ledger"]
print(ledger["sends"] - ledger["lost"] - ledger["requests"])'
}

"$python" tests/command/make_answers.py suites/starter flip >"$T/made.jsonl"
begun=$(date +%s)
run geak run starter/flip -m "replay:$T/made.jsonl" --iterations 4 --parallel 2 -o "$T/base" -q
code_is 0 "an undisturbed run finds its kernels"
lasted=$(($(date +%s) - begun + 1))
want=$(table "$T/base")
run geak log "$T/base" --replay "$T/recorded.jsonl"
code_is 0 "its answers are exported"
seed=$("$python" -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["seed"])' "$T/recorded.jsonl")

"$python" tests/command/fake_openai.py --port-file "$T/port" --replay "$T/recorded.jsonl" >"$T/server.out" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$T"' EXIT
while [ ! -s "$T/port" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
url=http://127.0.0.1:$(cat "$T/port")/v1

n=0
while [ "$n" -lt "$kills" ]; do
	n=$((n + 1))
	folder=$T/kill-$n
	"$GEAK" run starter/flip -m openai:test --base-url "$url" --seed "$seed" --iterations 4 --parallel 2 \
		-o "$folder" -q >"$T/.first" 2>&1 & # not the shell function: the signal is for geak itself
	pid=$!
	moment=$("$python" -c "import random; print(round(random.uniform(0.02, $lasted), 2))")
	sleep "$moment"
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	run geak run starter/flip -m openai:test --base-url "$url" --seed "$seed" --iterations 4 --parallel 2 \
		-o "$folder" -q
	code_is 0 "killed after $moment s of about $lasted s, it goes on"
	is "$(table "$folder")" "$want" "and ends as the undisturbed run"
	is "$(asked_again "$folder")" 0 "no stored answer was asked for again"
	rm -rf "$folder"
done
done_testing
