#!/bin/sh
# tests/cli/install.sh OUT - what was built in OUT, installed into a folder of its own and used from another one. Ends
# with `install: N passed, N failed, 0 skipped`.
set -u
out=${1:?usage: tests/cli/install.sh OUT}
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(cd "$out" && pwd) || exit 2
build=release preload=
case $out in
*-*) build=${out##*-} ;;
esac
[ "$build" != asan ] || preload=$(gcc -print-file-name=libasan.so)
box=$(mktemp -d) || exit 2
trap 'rm -rf "$box"' EXIT
trap 'exit 130' INT TERM
prefix=$box/prefix
mkdir "$box/elsewhere" && cd "$box/elsewhere" || exit 2
passed=0 failed=0

# check WHAT COMMAND ...: the command ends well.
check() {
    what=$1
    shift
    if "$@" >"$box/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "install: $what"
        head -n 5 "$box/out" | sed 's/^/    /'
    fi
}

put() { make -s -C "$root" BUILD="$build" PREFIX="$prefix" "$1"; }
says() { text=$1; shift; "$@" 2>&1 | grep -qF -- "$text"; }
lua_there() {
    env LUA_PATH="$prefix/share/lua/5.4/?.lua;$prefix/share/lua/5.4/?/init.lua" LUA_CPATH="$prefix/lib/lua/5.4/?.so" \
        LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0 \
        lua5.4 -e 'local lop = require "lop"; print(lop.ones(2):sum())'
}
headers_there() {
    echo '#include "lop.h"' >"$box/one.c"
    for h in "$prefix"/include/lop/*/; do               # each module's is among them
        grep -qF "\"$(basename "$h")/$(basename "$h").h\"" "$prefix/include/lop/lop.h" || return 1
    done
    cc -std=c11 -fsyntax-only -I"$prefix/include/lop" "$box/one.c"
}
whole_again() { [ ! -e "$prefix/share/lua/5.4/lop/gone.lua" ]; }
nothing_left() { [ -z "$(find "$prefix" -type f)" ]; }

check "make install" put install
lop=$prefix/bin/lop
check "lop version" says "lop " "$lop" version
check "lop run digits.lua" "$lop" run digits.lua calibrate.images=40 budget.speedup=1.3 allocate=uniform -o run
check "its result" "$lop" inspect run/model.onnx
check "lop fetch" says "cifar10|mnist" sh "$prefix/share/lua/5.4/lop/scripts/fetch"
check "lop fetch finds it" says "cannot be made" "$lop" fetch mnist /dev/null/none
check "require in lua5.4" says "2.0" lua_there
check "the headers" headers_there
: >"$prefix/share/lua/5.4/lop/gone.lua"
check "make install again" put install
check "nothing of an older version stays" whole_again
check "make uninstall" put uninstall
check "nothing stays" nothing_left
echo "install: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
