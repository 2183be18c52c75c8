#!/bin/sh
# tests/paper/run.sh OUT - the studies of recipes/paper, with the figures that they must show: one layer at a time, and
# widths with ranks against widths alone, on digits-vgg; with LOP_LONG on squeezenet and ResNet-56 too, and squeezenet's
# criteria at equal multiply-adds (needs ../shared, LOP_SHARED says where, and for ResNet-56 the CIFAR-10 files,
# LOP_CIFAR10). Ends with `paper: N passed, N failed, N skipped`.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${1:?usage: tests/paper/run.sh OUT}
shared=${LOP_SHARED:-../shared} cifar=${LOP_CIFAR10:-data/cifar10}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
passed=0 failed=0 skipped=0

fail() {
    echo "not ok: $1"
    cat "$folder/err" "$folder/out"
    failed=$((failed + 1))
}
# wants STATUS TEXT STUDY [KEY=VALUE ...]: its exit status, and what stands in what it prints.
wants() {
    status=$1 text=$2 name=$3
    shift 3
    "$out/lop" "recipes/paper/$name.lua" "out=$folder/$name" "$@" >"$folder/out" 2>"$folder/err"
    got=$?
    if [ $got -ne "$status" ]; then fail "$name $*: exit $got, $status expected"
    elif ! cat "$folder/out" "$folder/err" | grep -qF -- "$text"; then fail "$name $*: '$text' expected"
    else passed=$((passed + 1)); fi
}
# holds TEXT FILE
holds() {
    if grep -qF -- "$1" "$folder/$2"; then passed=$((passed + 1)); else fail "$2: '$1' expected"; fi
}

wants 0 "held-out error of elimination+swap" single_layer check=1
holds 'layer,channels,eighths,width,criterion,error,held_error' single_layer/single_layer.csv
holds '"summary"' single_layer/single_layer.json
holds '</svg>' single_layer/single_layer.svg
# A criterion that chooses badly is found out.
wants 3 "the error of random is" single_layer check=1 ours=random criteria=random,response layers=1 images=100 held=20
# Ranks beside widths lose less than widths alone; where they do not, that is said.
wants 0 "width+rank" cuts check=1 images=60 tested=500
holds 'speedup,cuts,macs,kl,top1,top5' cuts/cuts.csv
wants 3 "3x: the KL of width is" cuts check=1 images=30 tested=100 speedups=3 cuts=width+rank,width
# The other two on small nets, a few cells of each.
set -- data=mnist:recipes/data/digits preprocess=unit
wants 0 "least-squares / none" criteria model=recipes/models/digits-resnet/model.onnx images=60 tested=200 \
    criteria=bn-scale,first reconstructions=least-squares targets=compensate,none "$@"
holds 'reconstruction,target,criterion,macs,top1' criteria/criteria.csv
wants 0 "uniform     elimination  none" squeezenet model=recipes/models/digits-vgg/model.onnx \
    test=mnist:recipes/data/digits images=40 \
    criteria=l1,elimination reconstructions=least-squares,none speedups=1.01 allocations= check=1 "$@"
holds 'speedup,allocation,criterion,reconstruction,macs,kl,top1,top5' squeezenet/squeezenet.csv
wants 2 "unknown key 'criterea' (did you mean 'criteria'?)" single_layer criterea=first
wants 2 "images=many: a number expected" single_layer images=many

# A basis of patches: a picture, the same bytes again, others for another seed.
sparse() {
    "$out/lop" recipes/sparse_coding.lua "data=images:tests/golden/pictures?broken=skip" side=64 patches=300 size=6 \
        atoms=16 rounds=4 "$@" >"$folder/out" 2>"$folder/err"
}
if sparse "out=$folder/a.png" && sparse "out=$folder/b.png" && cmp "$folder/a.png" "$folder/b.png" >>"$folder/err" &&
    sparse "out=$folder/c.png" seed=1 && ! cmp -s "$folder/a.png" "$folder/c.png"; then
    passed=$((passed + 1))
else
    fail "sparse_coding: the same basis for a seed expected"
fi
if sparse "out=$folder/d.png" rho=l2; then fail "sparse_coding rho=l2: an error expected"
else holds "no penalty is called 'l2'" err; fi

# Faces found again: all by the same net, none by one that is cut without rebuilding; settings judged on other pictures.
detector=$shared/models/ultraface/model.onnx faces=$shared/data/faces
finds() {
    "$out/lop" tests/zoo/boxes.lua "$detector" "$1" "$faces" >"$folder/out" 2>"$folder/err"
    got=$?
    if [ $got -eq "$2" ]; then holds "$3" out; else fail "boxes of $1: exit $got, $2 expected"; fi
}
if [ -f "$detector" ] && [ -d "$faces" ]; then
    finds "$detector" 0 "98 of them found (100.0 %), 0 others (0.0 %)"
    "$out/lop" prune "$detector" --data "images:$faces?fit=stretch" --preprocess 'mean=127&std=128&order=rgb' \
        --speedup 1.5 --allocate uniform --select first --reconstruct none --positions 5 -o "$folder/cut.onnx" \
        >"$folder/log" 2>&1
    finds "$folder/cut.onnx" 1 "98 faces before"
    wants 0 "least loss: cuts width, positions 5" detector model="$detector" data="images:$faces" images=6 positions=5 \
        cuts=width speedup=1.05
    wants 1 "no pictures are left to judge on" detector model="$detector" data="images:$faces" images=9
else
    echo "skipped: paper: detectors ($detector, $faces)"
    skipped=4
fi

if [ -n "${LOP_LONG:-}" ]; then
    model=$shared/models/squeezenet/model.onnx pictures=$shared/data/imagenet-sample
    if [ -f "$model" ] && [ -d "$pictures/test" ]; then
        set -- "model=$model" "data=images:$pictures/calib?resize=256" "test=images:$pictures/test?resize=256"
        wants 0 "held-out error of" single_layer check=1 preprocess=caffe images=400 held=100 tested=300 \
            criteria=first,response,elimination+swap "$@"
        wants 0 "KL" squeezenet check=1 criteria=elimination,l1 reconstructions=least-squares speedups=1.19 "$@"
        wants 0 "width+rank" cuts check=1 preprocess=caffe images=250 speedups=1.3 "$@"
    else
        echo "skipped: paper: squeezenet ($model, $pictures)"
        skipped=$((skipped + 3))
    fi
    model=$shared/models/cifar-resnet56-bn/model.onnx
    if [ -f "$model" ] && [ -f "$cifar/test_batch.bin" ]; then
        wants 0 "width+rank" cuts check=1 "model=$model" "data=cifar10:$cifar" preprocess=cifar10 images=200 tested=2000
    else
        echo "skipped: paper: ResNet-56 ($model, $cifar)"
        skipped=$((skipped + 1))
    fi
fi
echo "paper: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
