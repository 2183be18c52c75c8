#!/bin/sh
# tests/cli/run.sh - the program as a user types it. sh tests/cli/run.sh OUTDIR [TABLE ...]: runs OUTDIR/lop by each
# line of tests/cli/*.table, in a folder of its own, and ends with `cli: N passed, N failed, N skipped`.
#
# A line is  ARGUMENTS | EXIT | STDERR | STDOUT  (the last two may be left out):
#   ARGUMENTS  as for a shell, after `lop`; a NAME=value in front goes into the environment
#   EXIT       the exit status
#   STDERR     text that stands in it; `= text`: all of it
#   STDOUT     text that stands in it; `= text`: all of it; `json`: one JSON document
# `needs NAME` skips the lines after it unless that file or program is there; `needs` alone ends that.
# An exit of 1 or 2 must in any case leave an error line `lop: ...`, with exit 1 that line alone, and no Lua traceback.
# shellcheck disable=SC2086,SC2094
set -u
[ $# -ge 1 ] || { echo "usage: sh tests/cli/run.sh OUTDIR [TABLE ...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$(cd "$1" 2>/dev/null && pwd) || { echo "cli: $1: no such folder" >&2; exit 2; }
lop=$out/lop
shift
[ -x "$lop" ] || { echo "cli: $lop: no such program; run make first" >&2; exit 2; }
[ $# -gt 0 ] || set -- "$here"/*.table
limit=${LOP_CLI_SECONDS:-120}

box=$(mktemp -d) || exit 2
trap 'rm -rf "$box"' EXIT
trap 'exit 130' INT TERM
mkdir "$box/w"
passed=0 failed=0 skipped=0

# What the tables speak of: good files, and one of each kind of bad one.
furnish() {
    cp "$root/recipes/models/digits-vgg/model.onnx" digits.onnx
    cp "$root/recipes/models/digits-resnet/model.onnx" resnet.onnx
    cp "$root/tests/golden/models/torch_free.onnx" free.onnx
    ln -s "$root/recipes/data/digits" digits
    cp "$here"/files/* .
    mkdir folder
    mkfifo pipe
    : >empty.onnx
    echo 'this is no model' >text.onnx
    head -c 1000 digits.onnx >cut.onnx
    : >empty.npy
    echo 'no array' >text.npy
    npy '(1, 1, 28, 28)' 3136 >digit.npy
    npy '(1, 3, 28, 28)' 9408 >rgb.npy
    npy '(1, 1, 28, 28)' 100 >cut.npy
    mkdir photos photos/a photos/b broken named
    cp "$root"/tests/golden/pictures/rgb8.png photos/a/1.png
    cp "$root"/tests/golden/pictures/rgb420.jpg photos/b/2.jpg
    echo 'no picture' >photos/b/notes.txt
    cp photos/a/1.png broken/ && echo 'no picture' >broken/2.jpg && printf '1.png 3\n2.jpg 4\n' >broken/labels.txt
    cp photos/a/1.png named/ && printf '1.png 3\n2.png 4\n' >named/labels.txt
    printf 'return {\n  model = "digits.onnx",,\n}\n' >syntax.lua
    echo 'local model = "digits.onnx"; print(model)' >no_table.lua
    mkdir half && cp digits/test-images-idx3-ubyte.gz half/
    mkdir torn && head -c 2000 digits/test-images-idx3-ubyte.gz >torn/test-images-idx3-ubyte.gz
    cp digits/test-labels-idx1-ubyte.gz torn/
}

# npy SHAPE BYTES: a float32 array of zeros; the header's text is padded to 118, so that the data starts at 128.
npy() {
    printf '\223NUMPY\001\000\166\000'
    printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': $1, }"
    head -c "$2" /dev/zero
}

is_json() { lua5.4 -e 'local s, n = io.read "a"; local t
    _, n, t = require "dkjson".decode(s); assert(n and not t and not s:find("%S", n), t)' <"$1" 2>/dev/null; }

# stands TEXT FILE: FILE is as the table's field says.
stands() {
    case $1 in
    "") true ;;
    json) is_json "$2" ;;
    "= "*) [ "$(cat "$2")" = "${1#= }" ] ;;
    *) grep -qF -- "$1" "$2" ;;
    esac
}

# The reason why what was left in $box/out and $box/err is not as the line says, or nothing.
reason() {
    [ "$status" = 124 ] && { echo "still running after $limit s"; return; }
    [ "$status" = "$2" ] || { echo "exit $status, $2 expected"; return; }
    stands "$3" "$box/err" || { echo "stderr lacks: $3"; return; }
    stands "$4" "$box/out" || { echo "stdout lacks: $4"; return; }
    grep -q 'stack traceback' "$box/err" && { echo "a Lua traceback"; return; }
    case $2 in
    1 | 2) grep -q '^lop: ' "$box/err" || { echo "no line 'lop: ...' on stderr"; return; } ;;
    esac
    [ "$2" != 1 ] || [ "$(wc -l <"$box/err")" -eq 1 ] || echo "stderr is not one line"
}

# trim WORD: without the blanks around it.
trim() {
    t=${1#"${1%%[! ]*}"}
    printf '%s' "${t%"${t##*[! ]}"}"
}

run_line() {
    arguments=$(trim "$1")
    environment=
    while case $arguments in [A-Z]*=*) true ;; *) false ;; esac; do
        environment="$environment ${arguments%% *}"
        arguments=${arguments#* }
    done
    eval "$environment timeout $limit \"\$lop\" $arguments" >"$box/out" 2>"$box/err" </dev/null
    status=$?
    why=$(reason "$arguments" "$2" "$3" "$4")
    if [ -z "$why" ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "$where: lop $arguments"
    echo "    $why"
    head -n 3 "$box/err" | sed 's/^/    stderr: /'
}

# absent ARGUMENTS: the contract has their verb, and this version does not.
absent() {
    set -- $(printf '%s\n' "$1" | sed 's/^\([A-Z_]*=[^ ]* \)*//; s/^help //') -
    case " run plan prune eval compare bench sensitivity finetune zoo sweep replay diff " in
    *" $1 "*) [ ! -e "$out/share/lua/5.4/lop/verbs/$1.lua" ] ;;
    *) false ;;
    esac
}

run_table() {
    number=0 lacking=
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        where=$(basename "$table"):$number
        case $line in
        "" | "#"*) continue ;;
        needs | "needs "*)
            need=$(trim "${line#needs}") lacking=
            [ -z "$need" ] || [ -e "$need" ] || command -v "$need" >/dev/null || lacking=$need
            continue
            ;;
        esac
        if [ -n "$lacking" ]; then
            skipped=$((skipped + 1))
            continue
        fi
        # Fields end at " | ": a lone bar may stand in the arguments.
        rest="$line  |  |  |  | "
        f1=${rest%%" | "*} rest=${rest#*" | "}
        f2=${rest%%" | "*} rest=${rest#*" | "}
        f3=${rest%%" | "*} rest=${rest#*" | "}
        f4=${rest%%" | "*}
        if absent "$f1"; then
            skipped=$((skipped + 1))
            continue
        fi
        run_line "$f1" "$(trim "$f2")" "$(trim "$f3")" "$(trim "$f4")"
    done <"$table"
}

cd "$box/w" || exit 2
furnish
for table in "$@"; do
    case $table in /*) ;; *) table=$root/$table ;; esac
    run_table
done
[ "$skipped" = 0 ] || echo "cli: skipped lines need files, programs or verbs that are not here"
echo "cli: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
