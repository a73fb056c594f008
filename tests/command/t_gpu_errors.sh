#!/bin/sh
# What can be wrong with a GPU, on drivers that are none: each is one clear line, and no candidate's fault.
. tests/command/tap.sh

cuda=$(dirname "$GEAK")/tests/standin/libcuda.so.1
hip=$(dirname "$GEAK")/tests/standin/libamdhip64.so
if [ ! -e "$cuda" ] || [ ! -e "$hip" ] || ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP no stand-in drivers beside the program (make test), or no Python"
	exit 0
fi
GEAK_LIBCUDA=$cuda GEAK_LIBHIP=$hip GEAK_LOCKS=$T GEAK_LOCK_SECONDS=1
export GEAK_LIBCUDA GEAK_LIBHIP GEAK_LOCKS GEAK_LOCK_SECONDS

# The error's line of a launcher that does not start.
launcher_says() { # WORDS BEHAVIOUR DEVICE...
	words=$1 behaviour=$2
	shift 2
	"$GEAK" launcher --device "$@" </dev/null >"$T/.out" 2>"$T/.err"
	code=$?
	# shellcheck disable=SC2034 # err_has looks at it
	err=$(cat "$T/.err")
	ok "$behaviour" test "$code" -ge 2
	err_has "$words" "$behaviour: in words"
	is "$(wc -l <"$T/.err" | tr -d ' ')" 1 "$behaviour: one line"
}

# ---- no GPU to be had ----

(
	GEAK_LIBCUDA=$T/libcuda.so.1
	launcher_says "no driver for cuda here: $T/libcuda.so.1: cannot open shared object file" "no driver" cuda
	GEAK_LIBCUDA=$hip
	launcher_says "is too old: it has no cuInit" "a driver without the functions" cuda
	GEAK_LIBHIP=$T/libamdhip64.so
	launcher_says "no driver for hip here" "no AMD driver" hip
	echo "$tap_number $tap_failures" >"$T/taps"
)
read -r tap_number tap_failures <"$T/taps"
STANDIN_GPUS=0
export STANDIN_GPUS
launcher_says "the driver sees no GPU" "a driver without a GPU" cuda
unset STANDIN_GPUS
launcher_says "there is no GPU 3: the driver sees 1" "a number that no GPU has" cuda --gpu 3
launcher_says 'no device is called "tpu"; this launcher has: cpu, cuda, hip' "a device of another name" tpu
STANDIN_FAULT=cuInit:1=803
export STANDIN_FAULT
launcher_says "the driver does not start: some failure (STANDIN_ERROR_803)" "a driver that does not start" cuda
STANDIN_FAULT=cuDevicePrimaryCtxRetain:1=46
launcher_says "a context on the GPU: some failure (STANDIN_ERROR_46)" "a GPU that another process has to itself" cuda
unset STANDIN_FAULT
STANDIN_LIES=1
export STANDIN_LIES
launcher_says "the GPU gave back other bytes than it was sent" "a GPU that forgets" cuda
unset STANDIN_LIES
if command -v flock >/dev/null; then
	: >"$T/geak-gpu-ffff:00:00.0.lock"
	exec 9<"$T/geak-gpu-ffff:00:00.0.lock"
	flock 9
	launcher_says "every GPU is in use by another geak (ffff:00:00.0 is one)" "a GPU in use" cuda
	exec 9<&-
else
	skip "a GPU in use" "no flock here"
fi
run geak launcher --describe
out_has '"partition":"none"' "whether a GPU is a part of one is among its facts"
is "$(geak doctor | grep -c 'GPU  *stand-in 0, sm_90')" 1 "doctor names it"

# ---- code and plans ----

# The answer to an execution: kernel, target, sizes of its parameters, bytes of a buffer besides.
answer_is() { # WANT BEHAVIOUR KERNEL TARGET PARAMS BYTES DEVICE
	want=$1 behaviour=$2
	shift 2
	answer=$(python3 tests/command/ask_launcher.py "$1" "$2" "$3" "$4" -- "$GEAK" launcher --device "$5")
	case $answer in
	*"$want"*) tap_result 0 "$behaviour" ;;
	*) tap_result 1 "$behaviour" || tap_show got "$answer" ;;
	esac
}
fits="8 8 8 4 8 8"
answer_is "executed" "a plan whose code object fits" add sm_90 "$fits" 0 cuda
answer_is "executed" "on AMD's as well" add gfx942 "$fits" 0 hip
answer_is "error the code object of add is for sm_80, this GPU is a sm_90" "a plan for another target" add sm_80 "$fits" 0 cuda
answer_is "error the code object of add is for sm_90, this GPU is a gfx942" "for another vendor" add sm_90 "$fits" 0 hip
answer_is "error add: the 3 parameters of the code object are not those of the plan's launch" \
	"a code object that does not fit the plan" add sm_90 "8 8 8" 0 cuda
answer_is "finding the plan's buffers need 1048584 MiB of memory, the GPU has" "too little memory for a case" \
	add sm_90 "$fits" 1099511627776 cuda
STANDIN_FAULT=cuModuleLoadData:1=209
export STANDIN_FAULT
answer_is "error the driver (CUDA 13.0) does not take code for sm_90 that triton 3.7.1 ptxas 12.9 made; it may be too old" \
	"a driver too old for the code object" add sm_90 "$fits" 0 cuda
STANDIN_FAULT=hipModuleLoadData:1=209
answer_is "does not take code for gfx942 that triton 3.7.1 ptxas 12.9 made; it may be too old" "AMD's as well" \
	add gfx942 "$fits" 0 hip
STANDIN_FAULT=cuMemCreate:2=2
answer_is "error memory for a buffer: some failure (STANDIN_ERROR_2)" "memory that the driver does not give" \
	add sm_90 "$fits" 0 cuda
unset STANDIN_FAULT
answer_is "finding the kernel was stopped by the GPU: a launch failure" "a trap is the kernel's" trap sm_90 "$fits" 0 cuda

# ---- commands ----

for command in "eval starter/flip" "run starter/flip -m replay:x -o $T/run" "task check starter/flip" \
	"capture suites/starter/flip/reference.py --task starter/flip"; do
	# shellcheck disable=SC2086
	run geak $command --target sm_91
	code_is 2 "geak ${command%% *}: a target that is none"
	err_has 'unknown target "sm_91"; known are cpu, sm_80' "geak ${command%% *}: the known ones are named"
done

python=$(python_of_geak)
if [ -z "$python" ]; then
	skip "candidates on such GPUs" "no Python with torch and triton here"
	done_testing
fi
GEAK_PYTHON=$python
export GEAK_PYTHON
STANDIN_FAULT=cuModuleLoadData:1=222
export STANDIN_FAULT
run geak eval starter/flip --seed 4 --no-timing --launcher "$GEAK launcher"
code_is 3 "a driver too old for the code object is no candidate's fault"
is "$(cat "$T/.out" "$T/.err" | grep -c 'the driver (CUDA 13.0) does not take code for sm_90')" 1 "and told in one line"
unset STANDIN_FAULT
"$python" tests/command/make_answers.py suites/starter flip >"$T/made.jsonl"
if command -v flock >/dev/null; then
	exec 9<"$T/geak-gpu-ffff:00:00.0.lock"
	flock 9
	run geak run starter/flip -m "replay:$T/made.jsonl" --iterations 3 -o "$T/run" -q
	code_is 3 "a run whose GPU is in use by another geak stops"
	err_has "every GPU is in use by another geak" "says why"
	err_has "goes on" "and can go on"
	is "$(grep -c 'error:' "$T/.err")" 1 "in one line"
	exec 9<&-
	is "$(geak log "$T/run" | grep -c -i infra)" 0 "without a verdict that counts" || tap_show log "$(geak log "$T/run")"
fi
done_testing
