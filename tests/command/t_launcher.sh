#!/bin/sh
# A launcher by a command line of the user's (ssh HOST geak launcher): what it serves, and each thing that can be wrong.
. tests/command/tap.sh

G=$(command -v "$GEAK")
case $G in /*) ;; *) G=$PWD/$G ;; esac
GEAK_LIBCUDA=$T/none GEAK_LIBHIP=$T/none # whatever GPU is here: the machine is what these serve
export GEAK_LIBCUDA GEAK_LIBHIP

# What `geak doctor --launcher COMMAND` finds of it.
doctor_says() { # COMMAND WORDS BEHAVIOUR
	run geak doctor --launcher "$1"
	out_has "$2" "$3"
}

doctor_says "$G launcher" "knows none; plans run on the machine there" "a launcher without a GPU serves the machine"
doctor_says "exit 255" "exit 255 --describe: ended with exit status 255" "a command that fails is named"
doctor_says "sh -c 'echo ssh: no route to host >&2; exit 255'" "its last words: ssh: no route to host" "with its last words"
doctor_says "echo Welcome to node 7; $G launcher" 'printed "Welcome to node 7", not a launcher' "a banner is quoted"
doctor_says "sh -c '$G launcher'" "--describe must reach geak launcher" "a wrapper must pass on what follows"
doctor_says "/nowhere/geak launcher" "ended with exit status 127; its last words:" "a program that is not there"
run geak run starter -m replay:x --launcher ""
code_is 2 "an empty command is none"

python=$(python_of_geak)
if [ -z "$python" ]; then
	skip "candidates are judged by a launcher elsewhere" "no Python with torch and triton here"
	done_testing
fi
GEAK_PYTHON=$python
export GEAK_PYTHON

# Begins with a hello of another kind than ours.
cat >"$T/hello.py" <<'PY'
import json, struct, sys

text = json.dumps({"proto": int(sys.argv[1]), "build": "other", "role": sys.argv[2], "slots": 1, "max_bytes": 1,
                   "facts": {"device": sys.argv[3]}}).encode()
if "--describe" in sys.argv:
    print("{}")
else:
    sys.stdout.buffer.write(struct.pack("<IHHQIHHQ", 0x31574B47, 1, 1, 0, len(text), 0, 0, 0) + text)
    sys.stdout.flush()
    sys.stdin.read()
PY

# A wrapper that describes well and then does something else: COMMAND, with what follows it.
cat >"$T/wrapper" <<WRAPPER
#!/bin/sh
case " \$* " in *" --describe "*) exec "$G" launcher --describe ;; esac
what=\$1
shift
case \$what in
banner) echo "Last login: Sat Nov 28"; exec "$G" launcher "\$@" ;;
dies) echo "Connection closed by remote host" >&2; exit 255 ;;
unknown) exec "$G" launcher --device tpu ;;
broken) [ -e "$T/broken" ] && echo "Connection reset by peer" >&2 && exit 255
	exec "$G" launcher "\$@" ;;
killed) echo \$\$ >>"$T/pids"; exec "$G" launcher "\$@" ;;
esac
WRAPPER
chmod +x "$T/wrapper"

run geak eval starter/flip --target auto --seed 4 --launcher "$G launcher"
code_is 0 "a candidate is judged by a launcher over its standard input and output"
out_has "simulated" "on the machine that it serves"

eval_says() { # COMMAND WORDS BEHAVIOUR
	run geak eval starter/flip --target auto --seed 4 --launcher "$1"
	code_is 3 "$3: no verdict"
	is "$(cat "$T/.out" "$T/.err" | grep -c -F -e "$2")" 1 "$3: one line"
}
eval_says "$T/wrapper dies" "its last words: Connection closed by remote host" "it dies on the other end"
eval_says "$T/wrapper banner" '"Last login: Sat Nov 28"; what runs before it there' "it prints a banner"
eval_says "$T/wrapper unknown" 'no device is called "tpu"' "its device is unknown"
eval_says "$python $T/hello.py 2 launcher cpu" "the launcher speaks version 2 of the protocol, this geak version 1" "another protocol"
eval_says "$python $T/hello.py 1 oracle cpu" "a launcher was asked for, a oracle answered" "another role"
eval_says "$python $T/hello.py 1 launcher cuda" "the launcher serves cuda, not cpu" "another device"

# ---- a run, while its launcher comes and goes ----

"$python" tests/command/make_answers.py suites/starter flip >"$T/made.jsonl"
geak run starter/flip -m "replay:$T/made.jsonl" --iterations 3 -o "$T/base" -q >/dev/null
touch "$T/broken"
run geak run starter/flip -m "replay:$T/made.jsonl" --iterations 3 -o "$T/run" -q --launcher "$T/wrapper broken"
code_is 3 "a run whose launcher does not answer is no verdict of the candidates"
err_has "Connection reset by peer" "and says why"
err_has "goes on" "and can go on"
is "$(grep -c 'error:' "$T/.err")" 1 "in one line"
rm "$T/broken"
run geak run -o "$T/run" -q --launcher "$T/wrapper broken"
code_is 0 "and does, once it answers again"
is "$(geak report "$T/run" --csv)" "$(geak report "$T/base" --csv)" "to the same end"

# Killed while the run goes on: another one is started.
(until [ -s "$T/pids" ] && sleep 0.2 && kill -9 "$(tail -n 1 "$T/pids")" 2>/dev/null; do sleep 0.05; done
touch "$T/was-killed") &
killer=$!
run geak run starter/flip -m "replay:$T/made.jsonl" --iterations 3 -o "$T/killed" -q --launcher "$T/wrapper killed"
kill $killer 2>/dev/null
wait $killer 2>/dev/null
ok "a launcher was killed in a run" test -e "$T/was-killed"
code_is 0 "which goes on with another"
is "$(geak report "$T/killed" --csv)" "$(geak report "$T/base" --csv)" "to the same end"
done_testing
