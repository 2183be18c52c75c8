#!/bin/sh
# tests/models/torch_nets.sh - torchvision's nets, exported here with random weights: each loads, runs, agrees with
# torch to 1e-4 of its largest output (of 1, where that is less), and is the same graph, with the same output to the
# bit, after a round trip through our writer: by lop itself, by python3's onnx, and in ONNX Runtime (round_trip.sh).
# Skips with a message where torch is not installed. Usage: torch_nets.sh BUILD [NAME ...]
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
shift
python=${LOP_PYTHON:-/usr/bin/python3}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
if ! "$python" -c 'import torch, torchvision' 2>/dev/null; then
    echo "skipped: torchvision's nets: $python has no torch (Debian: python3-torch, python3-torchvision)"
    echo "torch nets: 0 passed, 0 failed, 1 skipped"
    exit 0
fi
passed=0 failed=0
names=$*
[ -n "$names" ] || names=$("$python" -c 'import sys; sys.path.insert(0, "tests/models"); import torch_export
print(*torch_export.NETS)')
for name in $names; do
    : >"$folder/trip"
    if "$python" -W ignore tests/models/torch_export.py "$folder" "$name" >"$folder/log" 2>&1 &&
        "$build/lop" tests/models/agree.lua "$folder" "$name" >>"$folder/log" 2>&1 &&
        sh tests/models/round_trip.sh "$build" "$folder/$name.onnx" >"$folder/trip" 2>&1; then
        tail -n 1 "$folder/log"
        sed -n "s|^$folder/$name.onnx: |    |p" "$folder/trip"
        passed=$((passed + 1))
    else
        echo "not ok: $name"
        tail -n 5 "$folder/log"
        cat "$folder/trip"
        failed=$((failed + 1))
    fi
    rm -f "$folder/$name".*
done
echo "torch nets: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
