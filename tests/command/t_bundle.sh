#!/bin/sh
# make bundle: a folder that runs wherever it is moved, with nothing but glibc from outside.
. tests/command/tap.sh

builds=$(dirname "$GEAK")
case $(ldd "$GEAK") in
*libasan*)
	skip "a bundle of an instrumented program" "sanitizers are no part of one"
	done_testing
	;;
esac
unset GEAK_SHARE
run make -s bundle B="$builds" BUNDLE="$T/made"
code_is 0 "a bundle is made"
out_has "needs glibc 2." "it says which glibc it needs"
archive=$(ls "$T"/made/geak-*-linux-x86_64.tar.gz)
mkdir -p "$T/moved/some where"
tar -C "$T/moved/some where" -xzf "$archive"
rm -rf "$T/made"
bundle=$(ls -d "$T/moved/some where"/geak-*)
cd / || exit 1

run "$bundle/bin/geak" --version
code_is 0 "it runs where it was moved to"
ldd "$bundle/bin/geak" "$bundle/lib/geak/libgeakbox.so" >"$T/loaded"
outside=$(sed -n 's/^[[:space:]]*\([^ ]*\) => \(.*\) (.*/\1 \2/p' "$T/loaded" | grep -v " $bundle/" |
	grep -Ev '^(libc|libm|libresolv|libdl|libpthread|librt)\.so\.')
is "$outside" "" "no library but glibc's comes from outside"
ok "libraries come from its own folder" grep -q "libcurl.* => $bundle/bin/../lib/" "$T/loaded"
ok "glibc itself is not in it" sh -c "! ls '$bundle/lib' | grep -qE '^(libc|libm|ld-linux.*)[.]so'"

for file in LICENSE README.md quickstart share/man/man1/geak-run.1 share/geak/glibc share/geak/demo/answers.jsonl \
	share/geak/suites/starter/suite.yaml share/doc/geak/protocol.md; do
	ok "it holds $file" test -s "$bundle/$file"
done
for library in "$bundle"/lib/*.so*; do
	grep -q "^$(basename "$library") .*[a-z]" "$bundle/share/doc/geak/LIBRARIES" || echo "${library##*/}"
done >"$T/unlisted"
is "$(cat "$T/unlisted")" "" "every library is listed with its package and licence"
ok "the README has no gaps" sh -c "! grep -q @ '$bundle/README.md'"
run sh -n "$bundle/quickstart"
code_is 0 "quickstart is a program"
ok "with the versions to install" grep -q '^PINS="torch==.* triton==' "$bundle/quickstart"

run "$bundle/bin/geak" doctor
out_has "this bundle needs $(cat "$bundle/share/geak/glibc") or newer" "doctor says which glibc it needs"
run env -i "$bundle/bin/geak" launcher --device cpu
out_has '"role":"launcher"' "the launcher answers over pipes, without a Python"
run env -i XDG_STATE_HOME="$T/state" "$bundle/bin/geak" selftest --device cpu
code_is 0 "its selftest passes, without a Python as well"
run "$bundle/bin/geak" task list
out_has row_softmax "it finds its suites"

python=$(cd "$OLDPWD" && python_of_geak)
if [ -n "$python" ]; then
	run env GEAK_PYTHON="$python" "$bundle/bin/geak" eval starter/flip \
		-c "$bundle/share/geak/suites/starter/flip/reference.py" --target cpu
	code_is 0 "it judges a kernel"
	out_has pass "and passes a good one"
else
	skip "it judges a kernel" "no Python with torch and triton"
fi

done_testing
