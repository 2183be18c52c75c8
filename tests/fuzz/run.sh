#!/bin/sh
# tests/fuzz/run.sh OUT SECONDS [TARGET ...] - runs the fuzzers of OUT/fuzz, each that long, from the project's root;
# a line for each. What they learn stays in OUT/corpus, what they find in OUT/findings. Exit 1 when one has found
# something.
out=${1:?usage: tests/fuzz/run.sh OUT SECONDS [TARGET ...]} seconds=${2:?seconds} failed=0
shift 2
[ $# -gt 0 ] || set -- $(ls "$out/fuzz")
export OPENBLAS_NUM_THREADS=1 ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1

# take TARGET FILE ...: seeds, named by what they were made from.
take() {
    target=$1
    shift
    for file in "$@"; do
        [ -f "$file" ] && cp "$file" "$out/corpus/$target/$(echo "$file" | tr '/ ' '--')"
    done
}

# idx IMAGES LABELS NAME: both files behind two bytes that say where the second begins.
idx() {
    n=$(wc -c <"$1")
    # shellcheck disable=SC2059  # the format is made of octal figures
    { printf "$(printf '\\%03o\\%03o' $((n / 256 % 256)) $((n % 256)))"; cat "$1" "$2"; } >"$out/corpus/idx/$3"
}

seeds() {
    vectors=/usr/share/libonnx-testdata/data
    mkdir -p "$out/corpus/$1" "$out/findings/$1"
    take "$1" "tests/fuzz/corpus/$1"/* "tests/fuzz/regressions/$1"/*
    case $1 in
    onnx | exec)
        take "$1" recipes/models/*/model.onnx
        [ -d $vectors ] && take "$1" $(find $vectors -name model.onnx -size -16k)
        ;;
    pb) [ -d $vectors ] && take "$1" $(find $vectors/simple $vectors/node -name 'input_0.pb' -size -2k) ;;
    idx)
        d=recipes/data/digits
        head -c 60000 $d/test-images-idx3-ubyte.gz >"$out/corpus/part"
        idx "$out/corpus/part" $d/test-labels-idx1-ubyte.gz digits
        rm "$out/corpus/part"
        ;;
    image) take "$1" tests/golden/pictures/*.jpg tests/golden/pictures/*.png ;;
    recipe) take "$1" recipes/*.lua tests/cli/files/*.lua ;;
    esac
}

# The figures libFuzzer gives at the end, or with its last new input.
report() {
    log=$out/findings/$1.log
    # What is slow is a finding from -timeout on: below that the machine may have had other work.
    found=$(find "$out/findings/$1" -type f ! -name 'slow-unit-*' | wc -l)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    printf '%-10s %9s executions, %6s edges covered, %s findings\n' "$1" "${runs:-?}" "${cover:-?}" "$found"
}

for target in "$@"; do
    seeds "$target"
    most=4096
    case $target in onnx) most=500000 ;; exec | npz) most=16384 ;; idx) most=65600 ;; cifar10) most=9300 ;; esac
    nice -n 19 "$out/fuzz/$target" -max_total_time="$seconds" -max_len=$most -timeout=20 -rss_limit_mb=1536 \
        -malloc_limit_mb=1024 -artifact_prefix="$out/findings/$target/" -print_final_stats=1 -verbosity=1 \
        "$out/corpus/$target" >"$out/findings/$target.log" 2>&1
    status=$?
    report "$target"
    [ $status = 0 ] && continue
    failed=1
    grep -E '^==.*ERROR|runtime error:|^tests/|/(core|bindings|tests)/[^ ]*:[0-9]' \
        "$out/findings/$target.log" | grep -v NEW_FUNC | head -n 8
done
exit $failed
