#!/bin/sh
# geak run against a server that speaks the chat completions format and misbehaves first.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	echo "1..0 # SKIP no Python with torch and triton"
	exit 0
fi

# An answer as a model would give it: the reference of the task, in a fence.
{
	printf 'Strategy: one program per block of elements.\n\n```python\n'
	cat suites/starter/vector_add/reference.py
	printf '```\n'
} >"$T/answer"

server='' code=0
stop_server() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	server=''
}
trap 'stop_server; rm -rf "$T"' EXIT

start_server() { # FAULTS
	rm -f "$T/port" "$T/log"
	python3 tests/command/fake_openai.py --port-file "$T/port" --log "$T/log" --faults "$1" --answer "$(cat "$T/answer")
" >/dev/null 2>&1 &
	server=$!
	n=0
	while [ ! -f "$T/port" ] && [ $n -lt 100 ]; do
		sleep 0.1
		n=$((n + 1))
	done
	url="http://127.0.0.1:$(cat "$T/port")/v1"
}

field() { # FILE EXPRESSION over the JSON tree j
	"$python" -c "import json, sys; j = json.load(open(sys.argv[1])); print($2)" "$1"
}

printf 'models:\n  fake: {input: 2, output: 8}\n' >"$T/prices.yaml"
GEAK_API_KEY=sk-never-shown
export GEAK_API_KEY

# ---- faults that pass ----

start_server 429=0,reset
run geak run starter/vector_add -m openai:fake -r direct -t cpu -o "$T/run" --base-url "$url" --prices "$T/prices.yaml" -q
code_is 0 "a run survives 429 and a reset in mid-stream"
is "$(wc -l <"$T/log" | tr -d ' ')" 3 "with three requests"
is "$(cut -d' ' -f3 "$T/log" | sort -u)" key "each with the key"
ok "the winner is written" test -s "$T/run/best/vector_add.py"
ok "and is the answer's code, byte for byte" cmp "$T/run/best/vector_add.py" suites/starter/vector_add/reference.py
run geak report "$T/run" --json
is "$(field "$T/.out" 'j["ledger"]["prompt_tokens"] > 500 and j["ledger"]["completion_tokens"] > 100')" True \
	"the ledger has the tokens of the answer"
is "$(field "$T/.out" 'abs(j["ledger"]["cost_usd"] - (2 * j["ledger"]["prompt_tokens"] + 8 * j["ledger"]["completion_tokens"]) / 1e6) < 1e-9')" \
	True "and what they cost"
ok "the key is nowhere in the run folder" sh -c "! grep -rq sk-never-shown '$T/run'"
run geak run -o "$T/run" -q
code_is 0 "the finished run can be called again"
is "$(wc -l <"$T/log" | tr -d ' ')" 3 "and asks nothing"
stop_server

# ---- a wrong key: stop, put it right, go on ----

start_server 401
run geak run starter/vector_add -m openai:fake -r direct -t cpu -o "$T/later" --base-url "$url" -q
ok "a wrong key does not count as an unsolved task" test "$code" -gt 1
err_has 401 "the message has the server's status"
err_has GEAK_API_KEY "and says where the key is from"
run geak run starter/vector_add -m openai:fake -r direct -t cpu -o "$T/later" --base-url "$url" -q
code_is 0 "the same command goes on once the key is right"
stop_server

# ---- an answer without code is no error ----

printf 'I would rather not.\n' >"$T/answer"
start_server ok
run geak run starter/vector_add -m openai:fake -r direct -t cpu -o "$T/none" --base-url "$url" -q
code_is 1 "an answer without code leaves the task unsolved"
run geak report "$T/none" --json
is "$(field "$T/.out" 'j["totals"]["exec_accuracy"]')" 0.0 "and counts as such"
stop_server

done_testing
