#!/bin/sh
# A model's server that fails in every way: the run completes, and the ledger knows each request.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	skip "a run with a failing server completes" "no Python with torch and triton here"
	done_testing
fi
GEAK_PYTHON=$python
export GEAK_PYTHON

server=
trap 'kill $server 2>/dev/null; rm -rf "$T"' EXIT
serve() { # FAULTS: begins a server, $url is its address
	kill $server 2>/dev/null
	rm -f "$T/port" "$T/log"
	"$python" tests/command/fake_openai.py --port-file "$T/port" --replay "$T/recorded.jsonl" --log "$T/log" \
		--faults "$1" >"$T/server.out" 2>&1 &
	server=$!
	while [ ! -s "$T/port" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
	url=http://127.0.0.1:$(cat "$T/port")/v1
}

ledger() { # FOLDER KEY
	geak report "$1" --json | "$python" -c "import json, sys; print(json.load(sys.stdin)['ledger']['$2'])"
}

"$python" tests/command/make_answers.py suites/starter flip >"$T/made.jsonl"
geak run starter/flip -m "replay:$T/made.jsonl" --iterations 3 -o "$T/base" -q >/dev/null
geak log "$T/base" --replay "$T/recorded.jsonl" >/dev/null
prompts=$(ledger "$T/base" requests)
seed=$("$python" -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["seed"])' "$T/recorded.jsonl")

serve 429=0,ok,500,ok,reset,ok,cut,garbage,ok
run geak run starter/flip -m openai:test --base-url "$url" --seed "$seed" --iterations 3 -o "$T/faults" -q
code_is 0 "a run completes though its server fails"
is "$(ledger "$T/faults" requests)" "$prompts" "each prompt is answered once"
is "$(ledger "$T/faults" sends)" "$(wc -l <"$T/log" | tr -d ' ')" "the ledger has each request that the server saw"
is "$(ledger "$T/faults" sends)" "$((prompts + 5))" "those that failed as well"
is "$(ledger "$T/faults" lost)" 0 "none of them is lost"
is "$(geak report "$T/faults" --csv)" "$(geak report "$T/base" --csv)" "and the end is the same"

serve 401
run geak run starter/flip -m openai:test --base-url "$url" --seed "$seed" --iterations 3 -o "$T/later" -q
ok "a server that knows no such key stops the run" test "$code" -ge 2
err_has "goes on" "which can go on"
is "$(printf '%s\n' "$err" | wc -l)" 1 "and says so in one line"
run geak run -o "$T/later" --base-url "$url" -q
code_is 0 "and does, once the key is known"
is "$(geak report "$T/later" --csv)" "$(geak report "$T/base" --csv)" "to the same end"
done_testing
