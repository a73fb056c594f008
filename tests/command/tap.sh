# shellcheck shell=sh
# Test Anything Protocol for command tests: sourced by t_*.sh, which prove runs from the checkout's root.
# GEAK: the program under test; T: an own scratch folder, removed at the end; done_testing at the end.
#
#     run geak arguments...     runs it; output in $out, errors in $err, exit code in $code
#     code_is 2 "behaviour"     out_has TEXT "behaviour"     err_has TEXT "behaviour"
#     is GOT WANT "behaviour"   ok "behaviour" command...    skip "behaviour" "reason"

GEAK=${GEAK:-build/geak}
GEAK_SHARE=${GEAK_SHARE:-$PWD}
export GEAK GEAK_SHARE
T=$(mktemp -d "${TMPDIR:-/tmp}/geak-t-XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM
tap_number=0 tap_failures=0 out='' err='' code=0

geak() { "$GEAK" "$@"; }

run() {
	"$@" >"$T/.out" 2>"$T/.err" </dev/null
	code=$?
	out=$(cat "$T/.out") err=$(cat "$T/.err")
	return 0
}

tap_result() { # STATUS BEHAVIOUR
	tap_number=$((tap_number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_number - $2"
	else
		tap_failures=$((tap_failures + 1))
		echo "not ok $tap_number - $2"
	fi
	return "$1"
}

tap_show() { printf '%s\n' "$2" | head -n 20 | sed "s/^/# $1: /"; }

ok() {
	tap_behaviour=$1
	shift
	"$@" >/dev/null 2>&1
	tap_result $? "$tap_behaviour"
}

is() {
	[ "$1" = "$2" ]
	tap_result $? "$3" || { tap_show ' got' "$1"; tap_show want "$2"; }
}

code_is() {
	[ "$code" -eq "$1" ]
	tap_result $? "$2" || { tap_show ' got' "$code"; tap_show err "$err"; }
}

out_has() {
	case $out in *"$1"*) tap_result 0 "$2" ;; *) tap_result 1 "$2" || tap_show out "$out" ;; esac
}

err_has() {
	case $err in *"$1"*) tap_result 0 "$2" ;; *) tap_result 1 "$2" || tap_show err "$err" ;; esac
}

skip() {
	tap_number=$((tap_number + 1))
	echo "ok $tap_number - $1 # SKIP $2"
}

# Python that has torch and triton, or nothing.
python_of_geak() {
	for tap_python in "$GEAK_PYTHON" "${XDG_DATA_HOME:-$HOME/.local/share}/geak/venv/bin/python" python3; do
		[ -n "$tap_python" ] && "$tap_python" -c 'import torch, triton' 2>/dev/null && echo "$tap_python" && return
	done
}

done_testing() {
	echo "1..$tap_number"
	[ "$tap_failures" -eq 0 ]
	exit
}
