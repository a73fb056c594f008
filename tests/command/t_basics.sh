#!/bin/sh
# The command line as such, geak task, geak doctor.
. tests/command/tap.sh

run geak --version
code_is 0 "the version is told"
out_has "geak 0." "in one line"
run geak
code_is 2 "without a command there is nothing to do"
out_has "Commands:" "but the list of commands"
run geak docter
code_is 2 "an unknown command is bad input"
err_has "did you mean doctor?" "and the nearest is named"
is "$(printf '%s\n' "$err" | wc -l)" 1 "in one line"
run geak --json task
code_is 2 "options stand behind the command"
run geak help nonsense
code_is 2 "nobody can explain an unknown command"

for command in $(geak help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	run geak "$command" --help
	code_is 0 "geak $command --help works"
	out_has "Usage: geak $command" "and says how it is used"
	run geak "$command" --no-such-option
	code_is 2 "geak $command refuses unknown options"
done

run geak task list
code_is 0 "tasks are listed"
out_has "row_softmax" "with those of the starter suite"
run geak task list tests/data/suites/tiny --json
code_is 0 "a suite's tasks are listed as JSON"
out_has '"signature": "scale(x: Tensor, factor: float = 2.0) -> Tensor"' "with their signatures"
run geak task show starter/flip
out_has "flip(x: Tensor) -> Tensor" "a task is shown"
run geak task show flap
code_is 2 "an unknown task is bad input"
err_has "did you mean flip?" "and the nearest is named"
run geak task check --files starter
code_is 0 "the starter suite is well formed"
run geak task check
code_is 2 "something must be checked"

cp -r tests/data/suites/tiny/scale "$T/scale"
sed -i 's/float16/float61/' "$T/scale/task.yaml"
run geak task check --files "$T/scale"
code_is 2 "a broken task is bad input"
err_has "$T/scale/task.yaml:13: cases[1].dtype:" "said with file, line and field"
cp tests/data/suites/tiny/scale/task.yaml "$T/scale/task.yaml"
sed -i '/^cases/,/^held/{/^  -/d}' "$T/scale/task.yaml"
run geak task check --files "$T/scale"
err_has "cases: a list is needed" "a task without cases is refused"
printf 'a: [1\n' >"$T/scale/task.yaml"
run geak task check --files "$T/scale"
code_is 2 "so is what is no YAML"

run env GEAK_PYTHON=/nonexistent OPENAI_API_KEY=secret-of-mine "$GEAK" doctor
code_is 1 "a doctor without Python has a finding"
out_has "/nonexistent" "that names the Python"
case $out in *secret-of-mine*) ok "no key is shown" false ;; *) ok "no key is shown" true ;; esac
mkdir "$T/bin"
printf '#!/bin/sh\nexec 3>&3; echo "{\\"python\\": \\"3.11.2\\", \\"torch\\": \\"2.13.0\\", \\"triton\\": \\"3.99.0\\"}" >&3\n' >"$T/bin/python"
chmod +x "$T/bin/python"
run env GEAK_PYTHON="$T/bin/python" "$GEAK" doctor --json
code_is 1 "another triton is a finding"
out_has "3.99.0: geak's worker supports 3.4 to 3.9" "that says what is supported"

if [ -w /dev/full ]; then
	geak task list >/dev/full 2>"$T/full"
	is "$?" 3 "a full disk is an error"
fi

done_testing
