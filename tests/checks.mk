# SPDX-License-Identifier: Apache-2.0
# Has the targets check, bench, lint and fuzz, which try out the build.

TEST_ENV = CPROF=$(abspath $(O)/cprof) TARGETS=$(abspath $(O)/targets) BUILD=$(abspath $(O))
RUN = $(TEST_ENV) tests/run.sh
# Each case is a process of its own, and some of them sleep, so there is one more than CPUs.
UNIT_JOBS ?= $(shell expr $$(nproc) + 1)
UNIT_PART = 'unit=$(O)/unit -j $(UNIT_JOBS)'
# Two at a time: of four runs with three, one had failures in tests of shares (two CPUs), and they
# are hardly faster.
E2E_PART = 'e2e=bats --tap $(if $(shell command -v parallel),--jobs 2) tests/e2e'
KERNELS_PART = 'kernels=tests/kernels/run.sh'
FUZZ_PART = 'fuzz corpus=tests/fuzz/run.sh corpus $(O)/fuzz'

# These and nothing else depend on the kernel's types.
BPF_USERS := $(shell grep -ls 'skel\.h"' $(LIB_SRC))
.PHONY: bpf
bpf: $(SKELS) $(BPF_USERS:%.c=$(O)/%.o)

.PHONY: check-rows
# Rows from code must be what call frame information says, here for the largest files that are
# installed.
CODE_TRUTH_FILES ?= $(wildcard $(addprefix /usr/lib/x86_64-linux-gnu/,libLLVM-14.so.1 \
	libclang-cpp.so.14 libcrypto.so.3 libpython3.11.so.1.0) /usr/bin/gdb)
check-rows: $(O)/unit
	$(Q)CODE_TRUTH_FILES='$(CODE_TRUTH_FILES)' $(O)/unit code_truth

.PHONY: check check-unit check-e2e check-cycles check-kernels check-fuzz check-build
check: deps-check
	$(Q)$(MAKE) --no-print-directory check-build
	$(Q)$(RUN) $(UNIT_PART) $(FUZZ_PART) $(E2E_PART) $(KERNELS_PART)
check-build: cprof $(O)/unit targets fuzzers
check-unit: $(O)/unit targets
	$(Q)$(RUN) $(UNIT_PART)
check-e2e: cprof targets
	$(Q)$(RUN) $(E2E_PART)
# This attaches to and detaches from a process that is busy allocating, a thousand times, and kills
# cprof meanwhile, four hundred times. It also records 20,000 programs that come and go. It takes
# some half an hour.
check-cycles: cprof targets
	$(Q)$(RUN) 'cycles=HEAP_CYCLES=1000 bats --tap -f "over and over" tests/e2e/heap.bats' \
	    'kills=KILLS=400 bats --tap tests/e2e/kill.bats' \
	    'programs=PROGRAMS=20000 bats --tap -f "programs that come and go" tests/e2e/memory.bats'
check-kernels: cprof targets
	$(Q)$(RUN) $(KERNELS_PART)
check-fuzz: fuzzers
	$(Q)$(RUN) $(FUZZ_PART)

# ---- fuzz: every tests/fuzz/fuzz_<name>.c with the whole library under libFuzzer, ASan and UBSan

FUZZ_SECONDS ?= 60
FUZZ_CFLAGS = -O1 -g -std=c17 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -w
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIB := $(LIB_SRC:%.c=$(O)/fuzz/obj/%.o)

.PHONY: fuzz fuzzers
fuzzers: $(FUZZERS)
fuzz: fuzzers
	$(Q)tests/fuzz/run.sh $(FUZZ_SECONDS) $(O)/fuzz

$(O)/fuzz/obj/%.o: %.c | $(GEN_H)
	$(say) FUZZCC $<
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(O)/fuzz/libcprof.a: $(FUZZ_LIB) $(PROTOS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(O)/fuzz/libcprof.a
	$(say) FUZZER $@
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# The unit tests use the same library, so one more compilation is enough for both.
SANITIZED_UNIT := $(UNIT_OBJ:$(O)/%=$(O)/fuzz/obj/%)

$(O)/fuzz/unit: $(SANITIZED_UNIT) $(O)/fuzz/libcprof.a
	$(say) LINK $@
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(UNIT_LDFLAGS) -o $@ $^ $(LDLIBS)

-include $(FUZZ_LIB:.o=.d) $(SANITIZED_UNIT:.o=.d)

# ---- bench: drivers from tests/bench/<name>.c, and the scripts that print the tables

BENCHES := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))

$(O)/bench/%: tests/bench/%.c $(O)/libcprof.a
	$(say) BENCH $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(O)/libcprof.a $(LDLIBS)

.PHONY: bench
bench: cprof libcprof-heap.so targets $(BENCHES)
	$(Q)set -e; for script in $(sort $(wildcard tests/bench/bench_*.sh tests/bench/bench_*.py)); do \
	    case $$script in *.py) $(TEST_ENV) python3 $$script ;; *) $(TEST_ENV) bash $$script ;; esac; \
	    echo; done

# ---- lint

LINT_C := $(shell find src cmd bpf preload tests -name '*.[ch]' -o -name '*.cpp')
LINT_SH := .ci/run $(wildcard tests/*.sh tests/*/*.sh tests/e2e/*.bash)
LINT_JS := $(wildcard tests/*/*.mjs) $(O)/gen/page.tail.js

.PHONY: lint lint-format lint-tidy lint-comments lint-shell lint-js lint-floors lint-arch lint-cross \
	lint-sizes
lint: lint-format lint-comments lint-shell lint-js lint-floors lint-arch lint-cross lint-sizes lint-tidy
lint-format:
	$(say) LINT clang-format
	$(Q)clang-format --dry-run -Werror $(filter-out bpf/vmlinux_min.h,$(LINT_C))
lint-comments:
	$(say) LINT comments
	$(Q)tests/check_comments.sh
lint-shell:
	$(say) LINT shellcheck
	$(Q)shellcheck -x $(LINT_SH)
lint-js: $(O)/gen/page.tail
	$(say) LINT 'node --check'
	$(Q)! command -v node >/dev/null || for file in $(LINT_JS); do node --check $$file || exit 1; done
lint-floors:
	$(say) LINT floors
	$(Q)tests/check_floors.sh
lint-arch:
	$(say) LINT architecture
	$(Q)tests/check_arch.sh
lint-cross:
	$(say) LINT 'cross build'
	$(Q)tests/check_cross.sh $(O)/cross
lint-sizes:
	$(say) LINT sizes
	$(Q)tests/check_sizes.sh
lint-tidy: $(GEN_H)
	$(say) LINT clang-tidy
	$(Q)tests/tidy.sh -std=c17 $(CPPFLAGS)
