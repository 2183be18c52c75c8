#!/bin/sh
# tests/models/round_trip.sh BUILD FILE ... - each ONNX file, loaded and saved: the same model by python3's onnx, the
# same bytes when that is loaded and saved again, and in ONNX Runtime the same outputs, to the bit. NODE_PATH: where
# onnxruntime-node is. What is not there is skipped with a message.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
shift
python=${LOP_PYTHON:-/usr/bin/python3}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
passed=0 failed=0 skipped=0
has_onnx=1 has_ort=1

missing() {
    echo "skipped: $1"
    skipped=$((skipped + 1))
}
"$python" -c 'import onnx' 2>/dev/null || has_onnx=
node -e 'require("onnxruntime-node")' 2>/dev/null || has_ort=
[ -n "$has_onnx" ] || missing "fields of round trips: $python has no onnx (Debian: python3-onnx)"
[ -n "$has_ort" ] || missing "outputs of round trips: no onnxruntime-node at NODE_PATH"

# round_trip FILE: what was found, on one line, or why it is not the same.
round_trip() {
    "$build/lop" "$folder/again.lua" "$1" "$a" && "$build/lop" "$folder/again.lua" "$a" "$b" || return 1
    cmp "$a" "$b" || return 1
    said='the same bytes when written again'
    if [ -n "$has_onnx" ]; then
        what=$("$python" tests/models/same_graph.py "$1" "$a" 2>&1) || { echo "$what"; return 1; }
        said="$said; $what"
    fi
    if [ -n "$has_ort" ]; then
        what=$(node tests/golden/ort.js same "$1" "$a" 2>&1)
        case $? in 0 | 4) said="$said; $what" ;; *) echo "$what"; return 1 ;; esac
    fi
    echo "$said"
}

a=$folder/a.onnx b=$folder/b.onnx
cat >"$folder/again.lua" <<'LUA'
lop.load(arg[1]):save(arg[2])
LUA
for file; do
    if round_trip "$file" >"$folder/log" 2>&1; then
        passed=$((passed + 1))
        echo "$file: $(cat "$folder/log")"
    else
        failed=$((failed + 1))
        echo "not ok: $file: $(cat "$folder/log")"
    fi
done
echo "round trip: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
