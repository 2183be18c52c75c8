#!/bin/sh
# tests/accuracy/resnet56.sh OUT [ROW ...] - what lop makes of a ResNet-56 for CIFAR-10 without labels or training, held
# against what is promised: multiply-adds, accuracy on the 10,000 test pictures, memory within what was foretold, and
# ONNX Runtime's outputs of the written file. ROW: names of the table below (all). One line a row, with the seconds
# taken (of use alone), then `accuracy: N passed, N failed, N skipped`. Needs ../shared (LOP_SHARED says where), the
# CIFAR-10 files (LOP_CIFAR10; scripts/fetch brings them), for the last check node with onnxruntime-node (NODE_PATH).
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${1:?usage: tests/accuracy/resnet56.sh OUT [ROW ...]}
shift
shared=${LOP_SHARED:-../shared}
cifar=${LOP_CIFAR10:-data/cifar10}
model=$shared/models/cifar-resnet56-bn/model.onnx ort=$shared/bench/ort_run.js
passed=0 failed=0 skipped=0
finish() {
    echo "accuracy: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
}
for needed in "$model" "$cifar/test_batch.bin"; do
    [ -f "$needed" ] || { echo "skipped: accuracy: $needed is not here"; skipped=1; finish; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
if ! node "$ort" recipes/models/digits-vgg/model.onnx >/dev/null 2>&1; then
    echo "skipped: accuracy: ONNX Runtime's outputs (needs node, onnxruntime-node, $ort)"
    ort='' skipped=1
fi

# ROW | least speedup | least top-1 | options of lop prune
cat >"$folder/rows" <<'ROWS'
whole|1.00|93.39|
default|1.98|91.7|--speedup 2 --images 1000
images-500|1.98|0|--speedup 2 --images 500
images-2000|1.98|92.0|--speedup 2 --images 2000
lasso|1.98|0|--speedup 2 --images 1000 --select lasso
samplers|1.98|92.0|--speedup 2 --images 2000 --cuts width,sampler
widths-4x|3.96|85.7|--speedup 4 --images 2000
widths-500-4x|3.96|0|--speedup 4 --images 500
blocks-4x|3.96|85.5|--speedup 4 --images 500 --cuts width,block
ranks|1.98|92.8|--speedup 2 --images 2000 --cuts width,rank
ranks-4x|3.96|89.0|--speedup 4 --images 2000 --cuts width,rank
all-4x|3.96|89.0|--speedup 4 --images 2000 --cuts width,rank,sampler,block
ROWS
cat >"$folder/differ.lua" <<'LUA'
-- FILE FOLDER DATA [RESULT]: without RESULT writes 64 pictures, with it the largest difference over max(1, max |y|).
local picture = arg[2] .. "/x.npy"
if not arg[4] then
  return (lop.data(arg[3], {preprocess = "cifar10", split = "test"}):batch(1, 64)):save_npy(picture)
end
local want = lop.load_npy(arg[4])
local d = lop.load(arg[1]):forward(lop.load_npy(picture)) - want
print(("%.2g"):format(math.max(d:max(), -d:min()) / math.max(1, want:max(), -want:min())))
LUA

field() { sed -n "s/.*\"$1\" *: *\([0-9.]*\).*/\1/p" "$2" | head -n 1; }
holds() { echo "$1 $3" | awk "{exit !(\$1 $2 \$2)}"; }
# difference FILE: from ONNX Runtime
difference() {
    [ -n "$ort" ] || { echo 0; return; }
    "$out/lop" "$folder/differ.lua" "$1" "$folder" "cifar10:$cifar" >&2 || return 1
    node "$ort" "$1" --input "$folder/x.npy" --out "$folder/y" >"$folder/log" || return 1
    "$out/lop" "$folder/differ.lua" "$1" "$folder" "cifar10:$cifar" "$folder/y.npy"
}
fail() {
    failed=$((failed + 1))
    echo "not ok: $*"
}
row() {
    name=$1 least=$2 accuracy=$3 options=$4 file=$folder/$1.onnx speedup=1 peak=0 foretold=0 seconds=0
    if [ "$name" = whole ]; then cp "$model" "$file"
    else
        began=$(date +%s)
        # shellcheck disable=SC2086  # options, split on purpose
        "$out/lop" prune "$model" --data "cifar10:$cifar" --preprocess cifar10 $options --json -o "$file" \
            >"$folder/json" 2>"$folder/log" || { fail "$name: $(tail -n 1 "$folder/log")"; return; }
        seconds=$(($(date +%s) - began))
        speedup=$(field speedup "$folder/json") peak=$(field peak_rss_bytes "$folder/json")
        foretold=$(field memory_bytes "$folder/json")
    fi
    top1=$("$out/lop" eval "$file" --data "cifar10:$cifar" --preprocess cifar10 --json 2>/dev/null |
        sed -n 's/.*"top1" *: *\([0-9.]*\).*/\1/p')
    off=$(difference "$file") || { fail "$name: ONNX Runtime: $(tail -n 1 "$folder/log")"; return; }
    echo "$name $speedup $top1 $off $peak $foretold $seconds" |
        awk '{printf "%-13s %.3fx  top-1 %s  off %s  peak %d MB of %d  %d s\n", $1, $2, $3, $4, $5 / 1e6, $6 / 1e6, $7}'
    if ! holds "$speedup" '>=' "$least"; then fail "$name: ${least}x asked for"
    elif ! holds "$top1" '>=' "$accuracy"; then fail "$name: a top-1 of $accuracy asked for"
    elif ! holds "$peak" '<=' "$foretold"; then fail "$name: more memory than foretold"
    elif ! holds "$off" '<=' 1e-4; then fail "$name: not what ONNX Runtime gives"
    else passed=$((passed + 1)); fi
}

# shellcheck disable=SC2046  # names, split on purpose
[ $# -gt 0 ] || set -- $(cut -d '|' -f 1 "$folder/rows")
for wanted; do
    line=$(grep "^$wanted|" "$folder/rows") || { fail "$wanted: no row of that name"; continue; }
    IFS='|' read -r name least accuracy options <<ROW
$line
ROW
    row "$name" "$least" "$accuracy" "$options"
done
finish
