#!/bin/sh
# tests/bench/budget_ms.sh OUT - does a budget in milliseconds land? SqueezeNet at 60 % of the time it takes here, which
# lop bench (one image, the cores there are) is to find again within 5 %; a miss is exit status 1. Medians of 20 runs,
# the least of TURNS, original and pruned in turn: what else the machine does only adds. Needs ../shared (LOP_SHARED).
out=${1:?usage: tests/bench/budget_ms.sh OUT}
shared=${LOP_SHARED:-../shared}
model=$shared/models/squeezenet/model.onnx pictures=$shared/data/imagenet-sample/calib
if [ ! -f "$model" ] || [ ! -d "$pictures" ]; then
    echo "budget ms: skipped: $model and $pictures are not here"
    exit 0
fi
folder=$(mktemp -d) || exit 1
trap 'rm -r "$folder"' EXIT

least() { awk -v a="$1" -v b="$2" 'BEGIN { print a < b ? a : b }'; }
median() { "$out/lop" bench "$1" --repeat 20 --json | sed -n 's/.*"median_ms" *: *\([0-9.]*\).*/\1/p'; }
TURNS=${TURNS:-8} before=1e9 after=1e9 again=1e9
for _ in $(seq "$TURNS"); do before=$(least "$before" "$(median "$model")"); done
target=$(awk -v t="$before" 'BEGIN { printf "%.4f", 0.6 * t }')
"$out/lop" prune "$model" --data "images:$pictures?resize=256" --preprocess caffe --images 50 --positions 5 \
    --allocate error --ms "$target" -o "$folder/pruned.onnx" --quiet >/dev/null || exit 1
for _ in $(seq "$TURNS"); do
    again=$(least "$again" "$(median "$model")")
    after=$(least "$after" "$(median "$folder/pruned.onnx")")
done
awk -v b="$before" -v c="$again" -v t="$target" -v a="$after" 'BEGIN {
    off = 100 * (a / t - 1)
    printf "budget ms: squeezenet %.3f ms (%.3f again), %.3f asked for, %.3f left: %+.1f %%\n", b, c, t, a, off
    exit !(off >= -5 && off <= 5) }'
