#!/bin/sh
# kill -9 of geak at random moments of demo runs, resumed each time and killed again (GEAK_KILLS, 50 in all). Each run must end with the table of an
# undisturbed one, and no stored answer may be asked for again. bench/kill.sh BUILD/geak
set -u
geak=$1
kills=${GEAK_KILLS:-50}
python=${GEAK_PYTHON:-$HOME/.local/share/geak/venv/bin/python}
T=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$T"' EXIT
trap 'exit 1' INT TERM

# What must not depend on when geak died; and answers that were asked for although they were stored.
state() {
	"$geak" report "$1" --json | "$python" -c '
import json, sys
r = json.load(sys.stdin)
l = r["ledger"]
print(json.dumps([r["tasks"], r["totals"], r["run"]["finished"], l["requests"]], sort_keys=True))
print(l["sends"] - l["lost"] - l["requests"])'
}

"$python" tests/command/fake_openai.py --port-file "$T/port" --replay demo/answers.jsonl >"$T/server.out" 2>&1 &
server=$!
while [ ! -s "$T/port" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
seed=$(head -n 1 demo/answers.jsonl | "$python" -c 'import json, sys; print(json.loads(sys.stdin.readline())["seed"])')
set -- run starter -m openai:test --base-url "http://127.0.0.1:$(cat "$T/port")/v1" --seed "$seed" --iterations 4 -q

begun=$(date +%s)
"$geak" "$@" -o "$T/base" >"$T/log" 2>&1 || { cat "$T/log"; exit 3; }
lasted=$(($(date +%s) - begun))
state "$T/base" >"$T/want"
echo "undisturbed: $lasted s; $(sed -n 2p "$T/want") answers asked for again"

killed=0 runs=0 bad=0
while [ "$killed" -lt "$kills" ]; do
	runs=$((runs + 1))
	folder=$T/run-$runs
	done=
	while [ -z "$done" ]; do
		if [ "$killed" -lt "$kills" ]; then
			"$geak" "$@" -o "$folder" >"$T/log" 2>&1 &
			pid=$!
			sleep "$("$python" -c "import random; print(round(random.uniform(0.02, $lasted / 3), 2))")"
			if kill -9 "$pid" 2>/dev/null; then killed=$((killed + 1)); else done=1; fi
			wait "$pid" 2>/dev/null
		else
			"$geak" "$@" -o "$folder" >"$T/log" 2>&1
			done=1
		fi
	done
	state "$folder" >"$T/got" 2>&1
	if cmp -s "$T/want" "$T/got"; then verdict=equal; else verdict=DIFFERS bad=$((bad + 1)); diff "$T/want" "$T/got"; tail -n 3 "$T/log"; fi
	echo "run $runs: $verdict, after $killed kills in all"
	rm -rf "$folder"
done
echo "$killed kills over $runs runs: $((runs - bad)) ended as the undisturbed run, $bad did not"
[ "$bad" = 0 ]
