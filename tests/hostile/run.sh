#!/bin/sh
# Judges the hostile candidates of this folder and looks at what is left of them: minutes, so it is no part of `make test`.
cd "$(dirname "$0")/../.." || exit 1
GEAK=${GEAK:-build/geak} GEAK_SHARE=${GEAK_SHARE:-$PWD} exec prove -v -e tests/run tests/hostile/run.py
