#!/bin/sh
# tests/bench/pruned.sh OUT [NET [THREADS ...]] - what half the multiply-adds are worth in time: NET of the zoo
# (resnet50), its widths and its streams' rounded to multiples of 8, before and after in turn, in ONNX Runtime and in
# lop, on one thread and on two where no number is given. Exit 1 where either gains less than 1.6x, or a width is no
# multiple of 8. Needs ../shared (LOP_SHARED), node, and onnxruntime-node (NODE_PATH says where).
# shellcheck disable=SC2317  # functions are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${1:?usage: tests/bench/pruned.sh OUT [NET [THREADS ...]]} net=${2:-resnet50}
if [ $# -gt 2 ]; then shift 2; else set -- 1 2; fi
shared=${LOP_SHARED:-../shared}
ort=$shared/bench/ort_run.js
[ -f "$ort" ] || { echo "bench: skipped: $ort is not here"; exit 0; }
node "$ort" "$shared/models/digits-vgg/model.onnx" >/dev/null 2>&1 ||
    { echo "bench: skipped: node with onnxruntime-node is not here"; exit 0; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"$out/lop" tests/bench/pruned.lua "$folder" "$net" || exit 1

shape=$("$out/lop" inspect "$folder/whole.onnx" | sed -n 's/^input  *[^ ]*  *1x\([0-9x]*\).*/\1/p')
field() { sed -n "s/.*\"$1\" *: *\([0-9.]*\).*/\1/p"; }
least() { echo "$1 $2" | awk '{print $1 < $2 ? $1 : $2}'; }
time_lop() { "$out/lop" bench "$1" --threads "$2" --repeat 10 --json | field min_ms; }
time_ort() { node "$ort" "$1" --shape "1x$shape" --threads "$2" --warmup 3 --repeat 10 | field min_ms; }
status=0
printf '%-16s %-12s %7s %10s %10s %7s\n' net runtime threads "whole ms" "pruned ms" ratio
for threads in "$@"; do
    for runtime in ort lop; do
        whole=1e9 pruned=1e9
        for _ in 1 2 3 4 5; do          # in turn, the least of five: the machine is not ours alone
            whole=$(least "$("time_$runtime" "$folder/whole.onnx" "$threads")" "$whole")
            pruned=$(least "$("time_$runtime" "$folder/pruned.onnx" "$threads")" "$pruned")
        done
        echo "$net $runtime $threads $whole $pruned" |
            awk '{printf "%-16s %-12s %7d %10.3f %10.3f %7.2f\n", $1, $2, $3, $4, $5, $4 / $5; exit $4 / $5 < 1.6}' ||
            status=1
    done
done
exit $status
