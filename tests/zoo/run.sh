#!/bin/sh
# tests/zoo/run.sh OUT [small | recipe NAME ... | NET SPEEDUP ...] - every architecture of the zoo and every shared
# model, whole and pruned, held against ONNX Runtime (see prune.lua), then each recipe for such nets, once; small: the
# nets on small pictures, no recipes; recipe: these recipes only; without LOP_LONG two small nets.
# Needs node with onnxruntime-node (NODE_PATH says where) and ../shared (LOP_SHARED); without the first, costs and
# budgets are tested only, and that is said.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${1:?usage: tests/zoo/run.sh OUT [small | recipe NAME ... | NET SPEEDUP ...]}
shift
shared=${LOP_SHARED:-../shared}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
ort=$shared/bench/ort_run.js
without=0
if ! node "$ort" recipes/models/digits-vgg/model.onnx >/dev/null 2>&1; then
    echo "skipped: zoo: ONNX Runtime's outputs (needs node, onnxruntime-node, $ort)"
    ort='' without=1
fi
models=
for net in digits-vgg digits-resnet cifar-resnet20-bn cifar-resnet56 cifar-resnet56-bn squeezenet ultraface; do
    models="$models models/$net"
done
recipes=
if [ "${1:-}" = recipe ]; then
    shift
    recipes=${*:?usage: tests/zoo/run.sh OUT recipe NAME ...}
    set --
elif [ "$*" = small ]; then
    set --
    # shellcheck disable=SC2086  # names, split on purpose
    for net in resnet56 squeezenet@64 shufflenet_v2@64 mobilenet_v2@64 mobilenet_v1@64 resnet18@64 googlenet@64 \
        resnet50@64 xception50@64 inception_v3@107 densenet121@64 unet@64 vgg16@64 $models; do
        set -- "$@" "$net" 1.5 2
    done
elif [ $# -eq 0 ]; then
    if [ -n "${LOP_LONG:-}" ]; then
        # shellcheck disable=SC2086  # names, split on purpose
        for net in resnet56 squeezenet shufflenet_v2 mobilenet_v2 mobilenet_v1 resnet18 googlenet resnet50 xception50 \
            inception_v3 densenet121 unet vgg16 $models; do set -- "$@" "$net" 1.5 2; done
        recipes='resnet50 xception inception googlenet squeezenet mobilenet_v2 densenet ultraface'
    else
        set -- resnet56 2 shufflenet_v2 2
    fi
fi
passed=0 failed=0 skipped=$without
if [ $# -gt 0 ]; then
    "$out/lop" tests/zoo/prune.lua "$folder" "$ort" "$shared" "$@" >"$folder/log" 2>&1
    grep -v '^zoo: ' "$folder/log"
    # shellcheck disable=SC2046  # three numbers, split on purpose
    set -- $(sed -n 's/^zoo: //p' "$folder/log" | tr -dc '0-9 ')
    passed=${1:-0} failed=${2:-1} skipped=$((skipped + ${3:-0}))
fi
for recipe in $recipes; do
    # shellcheck disable=SC2046
    set -- $(sh tests/zoo/recipe.sh "$out" "$shared" "$recipe" "$folder")
    case ${1:-} in
    passed) passed=$((passed + 1)) ;;
    skipped) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
    esac
    echo "recipe $recipe: ${*:-failed}"
done
echo "zoo: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
