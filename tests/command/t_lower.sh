#!/bin/sh
# Targets that are not here: kernels are lowered for them, and executed on the machine.
. tests/command/tap.sh

python=$(python_of_geak)
if [ -z "$python" ]; then
	echo "1..0 # SKIP no Python with torch and triton"
	exit 0
fi
XDG_CACHE_HOME=$T/cache
export XDG_CACHE_HOME

# The result of the last --json, as "candidate", through an expression over r.
result() {
	"$python" -c "import json, sys; r = json.load(open(sys.argv[1]))['results'][0]; print($1)" "$T/.out"
}

# A GPU that is here executes what it can: these tests are about the others.
here=$("$GEAK" launcher --describe 2>/dev/null)
for target in gfx942 sm_90; do
	case $here in *"$target"*) skip "starter for $target" "it is here"; continue ;; esac
	run geak eval starter --target $target --json --seed 4
	code_is 0 "all references of the starter suite pass for $target"
	is "$("$python" -c 'import json, sys
r = json.load(open(sys.argv[1]))["results"]
print(len(r), {x["evidence"] for x in r}, {x["compiled"] for x in r}, all(x["kernels"] for x in r))' "$T/.out")" \
		"5 {'simulated'} {True} True" "simulated, compiled, with what the compiler made of the kernels"
done
run geak eval starter/flip --target gfx942 --json --seed 4
is "$(result '[k["name"] for k in r["kernels"]][:1], all(0 < k["occupancy"]["warps"] <= 32 for k in r["kernels"])')" \
	"['flip_kernel'] True" "names and occupancy stand in the verdict"
ok "code objects are kept below XDG_CACHE_HOME" test -n "$(find "$T/cache/geak/lowered" -type f)"

# ---- what kernels print is not compiled ----

for target in gfx942 sm_90; do
	XDG_CACHE_HOME=$T/silent-$target run geak capture tests/data/lowering/prints.py --task starter/row_softmax --target $target --case M=4,N=8
	out_has "lowered for $target" "a kernel that prints is lowered for $target"
	out_has "softmax_kernel prints" "which is told"
	ok "there is an object" test -n "$(find "$T/silent-$target/geak/lowered" -type f)"
	is "$(find "$T/silent-$target/geak/lowered" -type f -exec grep -alE 'vprintf|printfFormat|hostcall' {} +)" "" \
		"and nothing in it prints"
done

# ---- candidates that another target refuses ----

run geak eval starter/row_softmax -c tests/data/lowering/tuned.py --target gfx942 --json --seed 4
code_is 0 "a configuration that does not fit is no fault"
is "$(result '[n for n in r["notes"] if "left out" in n]')" \
	"['autotune: 1 of 3 configurations were left out: kernel softmax_kernel needs 2048 threads (32 warps of 64), gfx942 has 1024 a block']" \
	"but is told"
run geak eval starter/row_softmax -c tests/data/lowering/scaled.py --target gfx942 --json --seed 4
code_is 1 "a kernel that does not compile is the candidate's fault"
is "$(result 'r["verdict"]["stage"], r["verdict"]["kind"], r["call"], r["compiled"]')" \
	"call does_not_compile False False" "at call"
is "$(result '"DotScaleOp" in r["verdict"]["message"], "log" in r["cases"][0]["detail"]')" "True True" \
	"with the telling line, and the log"

# ---- capture ----

run geak capture suites/starter/row_softmax/reference.py --task starter/row_softmax --target gfx90a --case M=4,N=8
code_is 0 "capture lowers as well"
out_has "lowered for gfx90a" "and says for what"
out_has "of 32 warps a core" "with the occupancy"
run geak capture tests/data/lowering/scaled.py --task starter/row_softmax --target gfx942 --case M=4,N=8 --json
code_is 1 "and fails for what does not compile"
is "$("$python" -c 'import json, sys
c = json.load(open(sys.argv[1]))["cases"][0]
print("does not compile" in c["problem"], c["plan"] is not None, "DotScaleOp" in c["objects"][0]["problem"])' "$T/.out")" \
	"True True True" "with plan and problem"
run geak capture suites/starter/row_softmax/reference.py --task starter/row_softmax --target cpu --case M=4,N=8 --json
is "$("$python" -c 'import json, sys
print(json.load(open(sys.argv[1]))["cases"][0]["objects"])' "$T/.out")" "[None]" "for the machine nothing is lowered"

done_testing
