# scripts/arrows.awk - who includes whom. A room of core uses its own files and the public headers of the rooms above it
# in the list below; *_impl.h stays in its folder; nothing climbs by "..". Called by scripts/check over all C files.
BEGIN {
    count = split("base tensor linalg graph couple onnx kernel ops exec image data sample shard lasso select reconstruct " \
                  "decompose train", rooms, " ")
    for (i = 1; i <= count; i++) rank[rooms[i]] = i
}

function refuse(why) {
    printf "%s:%d: includes \"%s\": %s\n", FILENAME, FNR, header, why
    bad = 1
}

FNR == 1 {
    parts = split(FILENAME, path, "/")
    side = path[1]
    # tests/core/graph/test_cut.c belongs to graph; core/lop.h and what is in bindings to no room.
    room = ""
    if (side == "core" && parts > 2) room = path[2]
    if (side == "tests" && path[2] == "core" && parts > 3) room = path[3]
    if (side == "core" && parts > 2 && !(room in rank)) {
        printf "%s: core/%s is not a room of the map\n", FILENAME, room
        bad = 1
    }
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    header = $0
    sub(/^[^"]*"/, "", header)
    sub(/".*/, "", header)
    levels = split(header, h, "/")
    if (header ~ /(^|\/)\.\.?\//) {
        refuse("write it from core/ on")
        next
    }
    if (header ~ /\.pb-c\.h$/) {
        # A fuzzer's mutator takes models apart and breaks them, which the reader's interface rightly does not offer.
        if (room != "onnx" && FILENAME != "tests/fuzz/mutate_onnx.c") refuse("generated for core/onnx only")
        next
    }
    if (side == "bindings" && levels == 2 && h[2] ~ /^lop_/) {         # a room of the bindings, not of core
        if (header ~ /_impl\.h$/ && path[3] != h[1]) refuse("private to bindings/c/" h[1])
        next
    }
    if (levels == 1 || !(h[1] in rank)) next            # a neighbour, lop.h, support/t.h
    if (h[1] == room) next
    if (header ~ /_impl\.h$/) {
        refuse("private to core/" h[1])
        next
    }
    if (levels != 2 || h[2] != h[1] ".h") {
        refuse("the public header of core/" h[1] " is " h[1] "/" h[1] ".h")
        next
    }
    if (side == "core" && room != "" && rank[h[1]] > rank[room]) refuse("core/" h[1] " is below core/" room)
}

END { exit bad }
