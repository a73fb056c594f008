#!/bin/sh
# make install: the program finds its files beside itself, wherever the prefix lies; and quickstart's usage.
. tests/command/tap.sh

builds=$(dirname "$GEAK")
unset GEAK_SHARE
run make -s install B="$builds" DESTDIR="$T/root" PREFIX=/opt/some
code_is 0 "geak is installed below a prefix"
installed=$T/root/opt/some
ok "with its sandbox library" test -f "$installed/lib/geak/libgeakbox.so"
ok "and its man pages" test -f "$installed/share/man/man1/geak-run.1"
cd "$T" || exit 1
run "$installed/bin/geak" task list
code_is 0 "it runs from any folder"
out_has "row_softmax" "and finds its suites"
ln -s "$installed/bin/geak" "$T/geak"
run "$T/geak" task list
code_is 0 "through a link as well"
mv "$installed/share/geak/prompts" "$installed/share/geak/lost"
run "$installed/bin/geak" task list
code_is 2 "without its files it stops"
err_has "set GEAK_SHARE" "and says what to do"
cd "$OLDPWD" || exit 1

run ./quickstart nonsense
code_is 2 "quickstart knows two forms"
err_has "Usage: ./quickstart [test]" "and says so"

done_testing
