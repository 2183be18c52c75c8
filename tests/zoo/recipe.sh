#!/bin/sh
# tests/zoo/recipe.sh OUT SHARED RECIPE FOLDER - runs recipes/RECIPE.lua once, on the zoo's net (ultraface: the shared
# model as the recipe says, and boxes compared), a few pictures and few positions, with one ratio for all groups. Prints
# `passed ...`, `skipped ...` or `failed ...`.
set -u
out=$1 shared=$2 recipe=$3 folder=$4
case $recipe in
xception) net=xception50 ;;
inception) net=inception_v3 ;;
densenet) net=densenet121 ;;
*) net=$recipe ;;
esac
model=$folder/$net.onnx
data=images:$shared/data/imagenet-sample/calib
[ -d "$shared/data/imagenet-sample/calib" ] || { echo "skipped: $shared/data/imagenet-sample is not here"; exit 0; }
if [ "$recipe" = ultraface ]; then
    model=$shared/models/ultraface/model.onnx
    set --
    [ -f "$model" ] || { echo "skipped: $model is not here"; exit 0; }
else
    set -- images=12 calibrate.positions=10 allocate=uniform reconstruct.producer=0
    "$out/lop" zoo "$net" -o "$model" >"$folder/recipe.log" 2>&1 ||
        { echo "failed: $(tail -n 1 "$folder/recipe.log")"; exit 1; }
fi
if ! "$out/lop" run "recipes/$recipe.lua" model="$model" data="$data" "$@" \
    -o "$folder/run-$recipe" --json >"$folder/recipe.json" 2>"$folder/recipe.log"; then
    echo "failed: $(tail -n 1 "$folder/recipe.log")"
    exit 1
fi
speedup=$(sed -n 's/.*"speedup": *\([0-9.]*\).*/\1/p' "$folder/recipe.json" | head -n 1)
asked=$(sed -n 's/.*lop.arg("speedup", \([0-9.]*\)).*/\1/p' "recipes/$recipe.lua")
if echo "$speedup $asked" | awk '{exit !($1 / $2 > 0.98 && $1 / $2 < 1.02)}'; then
    # Boxes of the original and of the result, where boxes are what counts.
    if [ "$recipe" = ultraface ]; then
        faces=$("$out/lop" tests/zoo/boxes.lua "$model" "$folder/run-$recipe/model.onnx" "$shared/data/faces") ||
            { echo "failed: $faces"; exit 1; }
        echo "passed ${speedup}x, $faces"
    else
        echo "passed ${speedup}x"
    fi
else
    echo "failed: ${speedup}x, ${asked}x asked for"
fi
