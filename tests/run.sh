#!/bin/sh
# tests/run.sh OUT - runs the C, Lua and command-line suites built in OUT; the last line sums them up.
out=${1:?usage: tests/run.sh OUT}
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

count() { grep -c "$1" "$log"; }
for t in "$out"/tests/*/test_*; do
    case $t in *.d|*'*') continue ;; esac
    [ -x "$t" ] || continue
    CMOCKA_MESSAGE_OUTPUT=STDOUT "$t" >"$log" 2>&1
    status=$?
    p=$(count '^\[       OK \]') f=$(count '^\[  FAILED  \] [^0-9]') s=$(count '^\[  SKIPPED \] [^0-9]')
    f=$(grep '^\[  FAILED  \] ' "$log" | grep -v 'test(s)' | sort -u | wc -l)
    s=$(grep '^\[  SKIPPED \] ' "$log" | grep -v 'test(s)' | sort -u | wc -l)
    if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi          # a crash, or a sanitizer
    [ "$f" -eq 0 ] || { echo "== $t (exit $status)"; cat "$log"; }
    grep '^skipped: ' "$log"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "C: $passed passed, $failed failed, $skipped skipped"

if [ -f "$out/lib/lua/5.4/lop/core.so" ] && ls tests/bindings/*_spec.lua >/dev/null 2>&1; then
    preload=
    case $out in *asan) preload=$(gcc -print-file-name=libasan.so) ;; esac
    share=$(pwd)/$out/share/lua/5.4
    LUA_PATH="$share/?.lua;$share/?/init.lua;;" LUA_CPATH="$(pwd)/$out/lib/lua/5.4/?.so;;" LD_PRELOAD=$preload \
        ASAN_OPTIONS=detect_leaks=0 busted --lua=/usr/bin/lua5.4 -o TAP tests/bindings >"$log" 2>&1
    status=$?
    p=$(count '^ok ') f=$(count '^not ok ') s=$(count '^ok .*# SKIP')
    if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    [ "$f" -eq 0 ] || cat "$log"
    echo "Lua: $((p - s)) passed, $f failed, $s skipped"
    passed=$((passed + p - s)) failed=$((failed + f)) skipped=$((skipped + s))
fi

if [ -x "$out/lop" ] && [ -f tests/cli/run.sh ]; then
    sh tests/cli/run.sh "$out" >"$log" 2>&1
    cat "$log"
    line=$(grep '^cli: ' "$log" | tail -n 1)
    set -- $(echo "$line" | tr -dc '0-9 ')
    if [ $# -ge 2 ]; then passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
    else failed=$((failed + 1)); fi
fi

[ $((passed + failed)) -gt 0 ] || failed=1
if [ $skipped -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"
else echo "$passed passed, $failed failed"; fi
[ $failed -eq 0 ]
