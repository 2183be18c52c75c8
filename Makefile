# lop: mechanism in C (core), policy in Lua (bindings/lua). `make help` lists the targets.
BUILD ?= release
OUT   := $(if $(filter release,$(BUILD)),build,build-$(BUILD))
ifeq ($(origin CC),default)
CC    := gcc
endif
PREFIX ?= /usr/local

LUA_CFLAGS := $(shell pkg-config --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4)
LUA_LIBS   := $(shell pkg-config --libs lua5.4 2>/dev/null || echo -llua5.4)
EDIT_CFLAGS := $(shell pkg-config --exists libedit 2>/dev/null && echo -DLOP_EDIT `pkg-config --cflags libedit`)
EDIT_LIBS   := $(shell pkg-config --libs libedit 2>/dev/null)
COMMIT := $(shell git -c safe.directory="$(CURDIR)" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LIBS := -lprotobuf-c -llapacke -lopenblas -lz -ljpeg -lpng -lpthread -lm

WARN := -Wall -Wextra -Wshadow -Wconversion -Werror
OPT  := -O2 -g
SAN  :=
ifeq ($(BUILD),asan)
OPT  := -O1 -g -fno-omit-frame-pointer
SAN  := -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif
ifeq ($(BUILD),fuzz)
OPT  := -O1 -g -fno-omit-frame-pointer
SAN  := -fsanitize=address,undefined,float-cast-overflow,fuzzer-no-link -fno-sanitize-recover=all
endif
CFLAGS   = -std=c11 -D_GNU_SOURCE $(WARN) $(OPT) $(SAN) -ffp-contract=off -fPIC -fvisibility=default
CPPFLAGS = -Icore -I$(OUT)/gen -Ibindings/c

CORE_SRC := $(sort $(wildcard core/*/*.c core/*/*/*.c))
CORE_OBJ := $(patsubst %.c,$(OUT)/obj/%.o,$(CORE_SRC))
BIND_SRC := $(sort $(filter-out bindings/c/program/main.c,$(wildcard bindings/c/*/*.c)))
BIND_OBJ := $(patsubst %.c,$(OUT)/obj/%.o,$(BIND_SRC))
MAIN_OBJ := $(OUT)/obj/bindings/c/program/main.o
PROTO    := $(OUT)/gen/onnx.pb-c
PROTO_O  := $(OUT)/obj/gen/onnx.pb-c.o
LUA_SRC  := $(sort $(wildcard bindings/lua/lop/*.lua bindings/lua/lop/*/*.lua))
SHARE    := $(OUT)/share/lua/5.4/lop
LUA_OUT  := $(patsubst bindings/lua/lop/%,$(SHARE)/%,$(LUA_SRC))
RECIPES  := $(sort $(shell find recipes -type f))
REC_OUT  := $(patsubst recipes/%,$(SHARE)/recipes/%,$(RECIPES))
CORE_SO  := $(OUT)/lib/lua/5.4/lop/core.so
TEST_SRC := $(sort $(wildcard tests/core/*/test_*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(OUT)/fuzz/%,$(FUZZ_SRC))
TEST_BIN := $(patsubst tests/core/%.c,$(OUT)/tests/%,$(TEST_SRC)) $(OUT)/tests/conformance/test_conformance \
	$(OUT)/tests/cli/test_prompt \
	$(patsubst tests/fuzz/fuzz_%.c,$(OUT)/tests/fuzz/test_%,$(FUZZ_SRC))

.PHONY: force all help test test-long fuzz fuzzers bench bench-pruned zoo check install uninstall clean lua
all: $(OUT)/liblop.a $(OUT)/liblop.so $(CORE_SO) $(OUT)/lop lua

help:
	@echo "make            build/lop, build/liblop.a, build/liblop.so, build/share/lua/5.4/lop"
	@echo "make test       C, Lua and command-line suites (BUILD=asan: under ASan and UBSan)"
	@echo "make test-long  the same with more seeds, and the measured figures of the README"
	@echo "make fuzz       every reader of files, SECONDS=60 each, under clang's libFuzzer, ASan and UBSan"
	@echo "make bench      speed, as ratios to ONNX Runtime in the same run; a budget in milliseconds, met or not"
	@echo "make bench-pruned  what half the MACs of ResNet-50 are worth in time, there and here"
	@echo "make zoo        every net of the zoo and the shared models pruned, on small pictures, against ONNX Runtime"
	@echo "make check      lint and format"
	@echo "make install    to PREFIX (default /usr/local); make uninstall takes it away again"

$(PROTO).c $(PROTO).h &: core/onnx/onnx.proto
	@mkdir -p $(OUT)/gen
	protoc-c --proto_path=core/onnx --c_out=$(OUT)/gen onnx.proto

$(OUT)/obj/gen/onnx.pb-c.o: $(PROTO).c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(OPT) $(SAN) -fPIC -I$(OUT)/gen -c $< -o $@

$(OUT)/obj/%_avx2.o: ISA := -mavx2 -mfma
$(OUT)/obj/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma
$(OUT)/obj/bindings/%.o: CPPFLAGS += $(LUA_CFLAGS)
$(OUT)/obj/bindings/c/program/lop_edit.o: CPPFLAGS += $(EDIT_CFLAGS)
$(OUT)/gen/commit: force
	@mkdir -p $(@D) && echo $(COMMIT) | cmp -s - $@ || echo $(COMMIT) >$@
$(OUT)/obj/bindings/c/lua/lop_core.o: $(OUT)/gen/commit
$(OUT)/obj/bindings/c/lua/lop_core.o: CPPFLAGS += -DLOP_COMMIT='"$(COMMIT)"'
$(OUT)/obj/%.o: %.c | $(PROTO).h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) $(ISA) -MMD -MP -c $< -o $@

$(OUT)/liblop.a: $(CORE_OBJ) $(PROTO_O)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/liblop.so: $(CORE_OBJ) $(PROTO_O)
	$(CC) $(SAN) -shared -o $@ $^ $(LIBS)

$(CORE_SO): $(BIND_OBJ) $(OUT)/liblop.a
	@mkdir -p $(@D)
	$(CC) $(SAN) -shared -o $@ $(BIND_OBJ) -Wl,--whole-archive $(OUT)/liblop.a -Wl,--no-whole-archive $(EDIT_LIBS) $(LIBS)

$(OUT)/lop: $(MAIN_OBJ) $(BIND_OBJ) $(OUT)/liblop.a
	$(CC) $(SAN) -rdynamic -o $@ $(MAIN_OBJ) $(BIND_OBJ) $(OUT)/liblop.a $(LUA_LIBS) $(EDIT_LIBS) $(LIBS)

lua: $(LUA_OUT) $(REC_OUT)
$(SHARE)/%.lua: bindings/lua/lop/%.lua
	@mkdir -p $(@D) && cp $< $@
$(SHARE)/recipes/%: recipes/%
	@mkdir -p $(@D) && cp $< $@

$(OUT)/tests/%: tests/core/%.c $(OUT)/liblop.a $(wildcard tests/support/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -Itests $< -o $@ $(OUT)/liblop.a -lcmocka $(LIBS)
$(OUT)/tests/conformance/%: tests/conformance/%.c $(OUT)/liblop.a $(wildcard tests/support/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -Itests $< -o $@ $(OUT)/liblop.a -lcmocka $(LIBS)

$(OUT)/tests/cli/test_prompt: tests/cli/test_prompt.c $(OUT)/lop $(wildcard tests/support/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -Itests -DPROGRAM='"$(OUT)/lop"' $< -o $@ -lcmocka -lutil

# A target of tests/fuzz is a fuzzer, and a test that replays what fuzzers have found.
FUZZ_CC = $(CC) $(CFLAGS) $(CPPFLAGS) -Itests -DLUA_FOLDER='"$(OUT)/share/lua/5.4"' $(filter %.c %.o,$^) -o $@
$(OUT)/tests/fuzz/test_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(OUT)/liblop.a $(wildcard tests/fuzz/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) -DCORPUS='"$*"' $(OUT)/liblop.a $(FUZZ_LIBS) -lcmocka $(LIBS)
$(OUT)/fuzz/%: tests/fuzz/fuzz_%.c $(OUT)/liblop.a $(wildcard tests/fuzz/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer $(OUT)/liblop.a $(FUZZ_LIBS) $(LIBS)
$(OUT)/fuzz/onnx $(OUT)/fuzz/exec: tests/fuzz/mutate_onnx.c
$(OUT)/fuzz/recipe $(OUT)/tests/fuzz/test_recipe: FUZZ_LIBS := $(LUA_LIBS) $(EDIT_LIBS)
$(OUT)/fuzz/recipe $(OUT)/tests/fuzz/test_recipe: CPPFLAGS += $(LUA_CFLAGS)
$(OUT)/fuzz/recipe $(OUT)/tests/fuzz/test_recipe: $(BIND_OBJ) | lua

fuzzers: $(FUZZ_BIN)
SECONDS ?= 60
fuzz:
	@$(MAKE) BUILD=fuzz CC=clang fuzzers
	@sh tests/fuzz/run.sh build-fuzz $(SECONDS) $(TARGETS)

test: all $(TEST_BIN)
	@sh tests/run.sh $(OUT)

# What lop alone owns is a folder: share/lua/5.4/lop (Lua files, recipes, fetch), lib/lua/5.4/lop, include/lop.
INSTALL := $(DESTDIR)$(PREFIX)
OWN     := $(INSTALL)/share/lua/5.4/lop $(INSTALL)/lib/lua/5.4/lop $(INSTALL)/include/lop
HEADERS := core/lop.h $(foreach d,$(sort $(wildcard core/*)),$(wildcard $(d)/$(notdir $(d)).h))
FETCH   := $(sort $(wildcard scripts/fetch*))
install: all
	rm -rf $(OWN)
	install -d $(INSTALL)/bin $(INSTALL)/lib/lua/5.4/lop $(INSTALL)/share/lua/5.4/lop/scripts
	install $(OUT)/lop $(INSTALL)/bin
	install -m 644 $(OUT)/liblop.a $(OUT)/liblop.so $(INSTALL)/lib
	install -m 644 $(CORE_SO) $(INSTALL)/lib/lua/5.4/lop
	for f in $(LUA_OUT) $(REC_OUT); do \
		install -D -m 644 $$f $(INSTALL)/share/lua/5.4/lop/$${f#$(SHARE)/} || exit 1; done
	install -m 644 $(FETCH) $(INSTALL)/share/lua/5.4/lop/scripts
	for h in $(HEADERS); do install -D -m 644 $$h $(INSTALL)/include/lop/$${h#core/} || exit 1; done

uninstall:
	rm -rf $(OWN)
	rm -f $(INSTALL)/bin/lop $(INSTALL)/lib/liblop.a $(INSTALL)/lib/liblop.so

bench: all
	@sh tests/bench/nets.sh $(OUT)
	@sh tests/bench/budget_ms.sh $(OUT)

bench-pruned: all
	@sh tests/bench/pruned.sh $(OUT)

zoo: all
	@sh tests/zoo/run.sh $(OUT) small

check:
	@sh scripts/check

test-long: all $(TEST_BIN)
	@LOP_LONG=1 sh tests/run.sh $(OUT)

clean:
	rm -rf build build-*

-include $(CORE_OBJ:.o=.d) $(BIND_OBJ:.o=.d) $(MAIN_OBJ:.o=.d)
