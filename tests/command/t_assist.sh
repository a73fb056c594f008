#!/bin/sh
# Arithmetic of the framework that a task allows: captured, judged, told; and refused where no task allows it.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	echo "1..0 # SKIP no Python with torch and triton"
	exit 0
fi
field() { "$python" -c "import json, sys; j = json.load(open(sys.argv[1]))['results'][0]; print($1)" "$T/.out"; }

task=tests/exploits/tasks/column_sum
honest=tests/exploits/honest/allowed_sum.py

run geak capture $honest --task $task --target sm_90
code_is 0 "a plan with a sum is captured"
out_has "framework's sum of float32[" "and printed"
out_has "over dims 0 into float32[" "with what it folds"

run geak eval $task -c $honest --target cpu --seed 3 --json
code_is 0 "it passes where the task allows the sum"
is "$(field 'j["verdict"]["outcome"], j["evidence"], j["exec"]')" "pass simulated True" "by its plan, on the machine"
is "$(field '[n for n in j["notes"] if n.startswith("sum x 1 (line ")]')" \
	"['sum x 1 (line 25): computed by PyTorch, as the task allows; its time is part of the call']" "and the verdict says so"

cp -r $task "$T/column_sum"
sed -i '/^allow:/d' "$T/column_sum/task.yaml"
run geak eval "$T/column_sum" -c $honest --target cpu --seed 3 --json
code_is 1 "where it does not, it fails"
is "$(field 'j["verdict"]["kind"], "torch.sum computes with PyTorch" in j["verdict"]["message"], "(line 25" in j["verdict"]["message"]')" "not_a_kernel True True" \
	"as any arithmetic of the framework, with its line"

sed 's/sum(0)/sum(0).relu()/' $honest >"$T/more.py"
run geak eval $task -c "$T/more.py" --target cpu --seed 3 --json
is "$(field 'j["verdict"]["kind"], "torch.relu" in j["verdict"]["message"]')" "not_a_kernel True" "one permission is not another"

done_testing
