#!/bin/sh
# tests/run.sh OUT - runs the C, Lua and command-line suites built in OUT, from the project's root. The last line sums
# them up; exit 1 when a test failed, a program crashed, or nothing ran.
out=${1:?usage: tests/run.sh OUT}
case $out in /*) ;; *) out=$(pwd)/$out ;; esac
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

count() { grep -c "$1" "$log"; }
# cmocka names a test where it ends and again in the summary; the summary's heads say "test(s)".
names() { grep "$1" "$log" | grep -v 'test(s)' | sort -u | wc -l; }
# add STATUS PASSED FAILED SKIPPED: a crash or a sanitizer's finding, which no test reports, counts as a failure.
add() {
    f=$3
    if [ "$1" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    passed=$((passed + $2)) failed=$((failed + f)) skipped=$((skipped + $4))
}

for t in "$out"/tests/*/test_*; do
    case $t in *.d) continue ;; esac
    [ -x "$t" ] || continue
    CMOCKA_MESSAGE_OUTPUT=STDOUT "$t" >"$log" 2>&1
    status=$?
    [ $status -eq 0 ] || { echo "== $t (exit $status)"; cat "$log"; }
    grep -e '^skipped: ' -e '^conformance: ' "$log"
    add $status "$(count '^\[       OK \]')" "$(names '^\[  FAILED  \] ')" "$(names '^\[  SKIPPED \] ')"
done
echo "C: $passed passed, $failed failed, $skipped skipped"

if [ -f "$out/lib/lua/5.4/lop/core.so" ] && ls tests/bindings/*/*_spec.lua >/dev/null 2>&1; then
    preload=
    case $out in *asan) preload=$(gcc -print-file-name=libasan.so) ;; esac
    share=$out/share/lua/5.4
    LUA_PATH="$share/?.lua;$share/?/init.lua;;" LUA_CPATH="$out/lib/lua/5.4/?.so;;" LD_PRELOAD=$preload \
        ASAN_OPTIONS=detect_leaks=0 busted --lua=/usr/bin/lua5.4 -o TAP tests/bindings >"$log" 2>&1
    status=$?
    [ $status -eq 0 ] || cat "$log"
    s=$(count '^ok .*# SKIP')
    p=$(($(count '^ok ') - s)) f=$(count '^not ok ')
    add $status $p "$f" "$s"
    echo "Lua: $p passed, $f failed, $s skipped"
fi

accuracy=
[ -z "${LOP_LONG:-}" ] || accuracy=accuracy:tests/accuracy/resnet56.sh
for suite in cli:tests/cli/run.sh install:tests/cli/install.sh zoo:tests/zoo/run.sh paper:tests/paper/run.sh \
    $accuracy; do
    sh "${suite#*:}" "$out" >"$log" 2>&1
    status=$?
    cat "$log"
    # shellcheck disable=SC2046  # three numbers, split on purpose
    set -- $(grep "^${suite%%:*}: " "$log" | tail -n 1 | tr -dc '0-9 ')
    [ $# -ge 2 ] || status=1
    add $status "${1:-0}" "${2:-0}" "${3:-0}"
done

if [ -x "$out/lop" ]; then
    few=
    [ -n "${LOP_LONG:-}" ] || few='squeezenet1_1 shufflenet_v2_x1_0 mobilenet_v3_small'
    # shellcheck disable=SC2086  # names, split on purpose
    sh tests/models/torch_nets.sh "$out" $few >"$log" 2>&1
    status=$?
    cat "$log"
    # shellcheck disable=SC2046
    set -- $(sed -n 's/^torch nets: //p' "$log" | tail -n 1 | tr -dc '0-9 ')
    [ $# -ge 2 ] || status=1
    add $status "${1:-0}" "${2:-0}" "${3:-0}"
fi

if [ -x "$out/lop" ]; then
    set -- tests/golden/models/*.onnx
    shared=${LOP_SHARED:-../shared}
    if [ -d "$shared/models" ]; then set -- "$@" "$shared"/models/*/model.onnx
    else echo "skipped: round trips of $shared/models: not here"; fi
    sh tests/models/round_trip.sh "$out" "$@" >"$log" 2>&1
    status=$?
    if [ $status -eq 0 ]; then grep -e '^skipped: ' -e '^round trip: ' "$log"; else cat "$log"; fi
    # shellcheck disable=SC2046
    set -- $(sed -n 's/^round trip: //p' "$log" | tail -n 1 | tr -dc '0-9 ')
    [ $# -ge 2 ] || status=1
    add $status "${1:-0}" "${2:-0}" "${3:-0}"
fi

[ $((passed + failed)) -gt 0 ] || failed=1
if [ $skipped -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"
else echo "$passed passed, $failed failed"; fi
[ $failed -eq 0 ]
