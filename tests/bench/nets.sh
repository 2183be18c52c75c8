#!/bin/sh
# tests/bench/nets.sh OUT - speed of whole nets beside ONNX Runtime's, in turn in one run: ratios above 1 are ours.
# Needs ../shared (LOP_SHARED) with models and bench/ort_run.js, node, and onnxruntime-node (NODE_PATH says where).
out=${1:?usage: tests/bench/nets.sh OUT}
shared=${LOP_SHARED:-../shared}
ort=$shared/bench/ort_run.js
[ -f "$ort" ] || { echo "bench: skipped: $ort is not here"; exit 0; }
node "$ort" "$shared/models/digits-vgg/model.onnx" >/dev/null 2>&1 ||
    { echo "bench: skipped: node with onnxruntime-node is not here"; exit 0; }

field() { sed -n "s/.*\"$1\" *: *\([0-9.]*\).*/\1/p"; }
printf '%-16s %5s %7s %10s %10s %7s\n' net batch threads "lop ms" "ort ms" ratio
for net in squeezenet cifar-resnet56 digits-vgg; do
    for batch in 1 8; do
        for threads in 1 2; do
            model=$shared/models/$net/model.onnx
            shape=$("$out/lop" inspect "$model" | sed -n 's/^input  *[^ ]*  *1x\([0-9x]*\).*/\1/p')
            best_lop=1e9 best_ort=1e9
            for _ in 1 2 3; do          # in turn, the least of three: the machine is not ours alone
                a=$("$out/lop" bench "$model" --batch $batch --threads $threads --repeat 20 --json | field min_ms)
                b=$(node "$ort" "$model" --shape "${batch}x$shape" --batch $batch --threads $threads \
                    --warmup 3 --repeat 20 | field min_ms)
                best_lop=$(echo "$a $best_lop" | awk '{print $1 < $2 ? $1 : $2}')
                best_ort=$(echo "$b $best_ort" | awk '{print $1 < $2 ? $1 : $2}')
            done
            echo "$net $batch $threads $best_lop $best_ort" |
                awk '{printf "%-16s %5d %7d %10.3f %10.3f %7.2f\n", $1, $2, $3, $4, $5, $5 / $4}'
        done
    done
done
