# SPDX-License-Identifier: Apache-2.0
# Builds ./cprof and everything around it. `make help` lists the targets.
#
#   V=1              show the commands
#   O=dir            build somewhere else (default: build, or build/ARCH for another one)
#   DEBUG=1          -O0 -g        ASAN=1   address and undefined behaviour sanitizers
#   WERROR=1         warnings are errors        COVERAGE=1   gcov
#   BTF=file         kernel types for BPF; "none" uses the committed bpf/vmlinux_min.h
#   ARCH=arm64       build for another architecture, with CC=aarch64-linux-gnu-gcc

# An architecture is a folder in src/arch/ and one in bpf/arch/, by the kernel's name for it.
arch_name = $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(1)))
OWN_ARCH := $(call arch_name,$(shell uname -m))
ARCH ?= $(OWN_ARCH)
override ARCH := $(call arch_name,$(ARCH))

# Objects and kernel types of this machine are not those of another architecture.
ifeq ($(ARCH),$(OWN_ARCH))
O ?= build
BTF ?= $(firstword $(wildcard /sys/kernel/btf/vmlinux) none)
else
O ?= build/$(ARCH)
BTF ?= none
endif
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
VERSION := $(shell cat VERSION)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

# It sets what only this architecture needs: ARCH_LIBS, ARCH_PRELOAD_CFLAGS.
-include src/arch/$(ARCH)/arch.mk

# Where a folder does not exist, a stub lets everything else be compiled (see arch-there below).
ARCH_MISSING := $(filter-out $(wildcard src/arch/* bpf/arch/*),src/arch/$(ARCH) bpf/arch/$(ARCH))
ifneq ($(ARCH_MISSING),)
ARCH_STUB := $(O)/gen/arch/$(ARCH)
CPPFLAGS += -I$(dir $(ARCH_STUB))
BPF_CPPFLAGS := -I$(dir $(ARCH_STUB)) -I.
endif

PKGS := libbpf libelf libdw libprotobuf-c zlib libzstd liblzma
CPPFLAGS += -Isrc -I$(O)/gen -D_GNU_SOURCE -DCPROF_VERSION='"$(VERSION)"'
CFLAGS ?= -O2 -g
override CFLAGS += -std=c17 -Wall -Wextra -Wno-unused-parameter -fno-strict-aliasing
LDLIBS += $(shell pkg-config --libs $(PKGS) 2>/dev/null || echo -lbpf -lelf -ldw -lprotobuf-c -lz -lzstd -llzma) $(ARCH_LIBS) -liberty -lpthread -lm
ifeq ($(WERROR),1)
override CFLAGS += -Werror
endif
ifeq ($(DEBUG),1)
override CFLAGS += -O0 -g3
endif
ifeq ($(ASAN),1)
override CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif
ifeq ($(COVERAGE),1)
override CFLAGS += --coverage
LDFLAGS += --coverage
endif

BPF_SRC := $(wildcard bpf/*.bpf.c)
SKELS := $(BPF_SRC:bpf/%.bpf.c=$(O)/gen/%.skel.h)
PROTOS := $(patsubst proto/%.proto,$(O)/gen/%.pb-c.o,$(wildcard proto/*.proto))
LIB_SRC := $(filter-out src/arch/%,$(wildcard src/*/*.c src/*/*/*.c)) $(wildcard src/arch/$(ARCH)/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o) $(PROTOS)
CMD_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard cmd/*.c))
# The commands are tested as the library is, except for the entry point.
UNIT_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/*.c)) $(filter-out $(O)/cmd/main.o,$(CMD_OBJ)) \
	$(O)/preload/sampler.o $(O)/preload/pointer_set.o
UNIT_LDFLAGS := -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc # tests/unit/short_memory.h
GEN_H := $(SKELS) $(PROTOS:.o=.h) $(O)/gen/page.h $(O)/gen/verb_list.h $(O)/gen/kind_list.h $(ARCH_STUB)

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all
all: cprof libcprof-heap.so $(O)/man/cprof.1

include preload/preload.mk tests/targets.mk tests/targets_heap.mk tests/preload.mk tests/checks.mk install.mk

# ./cprof is where everybody looks for it; another O= keeps its own copy.
ifeq ($(O),build)
cprof: $(O)/cprof
	$(say) COPY $@
	$(Q)cp $< $@.tmp && mv $@.tmp $@
else
.PHONY: cprof
cprof: $(O)/cprof
endif

$(O)/cprof: $(CMD_OBJ) $(O)/libcprof.a
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CMD_OBJ) $(O)/libcprof.a $(LDLIBS)

$(O)/libcprof.a: $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/unit: $(UNIT_OBJ) $(O)/libcprof.a
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(UNIT_LDFLAGS) -o $@ $(UNIT_OBJ) $(O)/libcprof.a $(LDLIBS)

# This fails, but only after everything that needs no folder of the architecture was compiled.
ifneq ($(ARCH_MISSING),)
.PHONY: arch-there
arch-there: $(LIB_OBJ) $(CMD_OBJ) $(patsubst %.c,$(O)/%.o,$(wildcard preload/*.c))
	@for folder in $(ARCH_MISSING); do echo "$$folder does not exist" >&2; done
	@echo "cprof does not know $(ARCH). Everything else has been compiled for it." \
	    "docs/architecture.md says what these folders provide." >&2; exit 1

$(O)/cprof $(O)/unit $(O)/libcprof-heap.so: | arch-there

$(ARCH_STUB):
	@mkdir -p $(@D)
	@ln -sfn $(abspath tests/arch_stub) $@
endif

$(O)/%.o: %.c | $(GEN_H)
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# ---- generated code: kernel types, BPF objects and their skeletons, protobuf

$(O)/gen/vmlinux.h: bpf/vmlinux_min.h
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)if [ "$(BTF)" = none ]; then cp bpf/vmlinux_min.h $@; \
	    else $(BPFTOOL) btf dump file $(BTF) format c > $@; fi

$(O)/gen/%.bpf.o: bpf/%.bpf.c $(O)/gen/vmlinux.h $(wildcard bpf/*.h bpf/*/*.h bpf/*/*/*.h) | $(ARCH_STUB)
	$(say) BPF $<
	$(Q)$(CLANG) -target bpf -D__TARGET_ARCH_$(ARCH) -O2 -g -mcpu=v3 -Wall -Wextra -Werror \
	    -Wno-unused-parameter -Wno-missing-declarations -I$(O)/gen -Ibpf $(BPF_CPPFLAGS) -c -o $@.raw $<
	$(Q)$(BPFTOOL) gen object $@ $@.raw

$(O)/gen/%.skel.h: $(O)/gen/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@

$(O)/gen/%.pb-c.c $(O)/gen/%.pb-c.h: proto/%.proto
	$(say) PROTO $<
	@mkdir -p $(@D)
	$(Q)protoc-c --proto_path=proto --c_out=$(O)/gen $<

$(O)/gen/%.pb-c.o: $(O)/gen/%.pb-c.c
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) -O2 -g -w -c -o $@ $<

# ---- the page of the html format: the part before the profile's data, and the part after it

PAGE := src/format/page
PAGE_JS := $(addprefix $(PAGE)/,data.js units.js names.js noise.js tree.js colors.js graph.js table.js \
	export.js about.js app.js)

$(O)/gen/page.head: $(PAGE)/page.html $(PAGE)/page.css
	@mkdir -p $(@D)
	$(Q)sed -e '/@style@/{r $(PAGE)/page.css' -e 'd;}' -e '/@profile@/,$$d' $< > $@

$(O)/gen/page.tail: $(PAGE)/page.html $(PAGE_JS)
	@mkdir -p $(@D)
	$(Q)cat $(PAGE_JS) > $@.js
	$(Q)sed -e '1,/@profile@/d' -e '/@script@/{r $@.js' -e 'd;}' $< > $@

$(O)/gen/page.h: $(O)/gen/page.head $(O)/gen/page.tail
	$(say) GEN $@
	$(Q)for part in head tail; do \
	    echo "static const unsigned char page_$$part[] = {"; \
	    od -An -v -tx1 $(O)/gen/page.$$part | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'; \
	    echo '};'; done > $@

# ---- lists of what is defined once per file, in alphabetical order. They are made every time,
# because make does not notice that a file was removed; what includes a list is compiled again only
# if the list has changed.

.PHONY: always
# $(call list_of,STRUCT,PREFIX,MACRO) lists every `const struct STRUCT PREFIX_<name>` in the files
# that it depends on.
define list_of
	@mkdir -p $(@D)
	$(Q)names=$$(sed -n 's/^const struct $(1) \($(2)_[a-z0-9_]*\) = {$$/\1/p' $(filter %.c,$^) | sort); \
	{ printf 'extern const struct $(1) %s;\n' $$names; \
	  printf '#define $(3)'; printf ' &%s,' $$names; echo; } > $@.tmp
	$(Q)cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@
endef

$(O)/gen/verb_list.h: $(wildcard cmd/*.c) always
	$(call list_of,verb_spec,verb,VERB_LIST)

$(O)/gen/kind_list.h: $(wildcard src/collect/*/*.c) always
	$(call list_of,profile_kind,kind,KIND_LIST)

.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNIT_OBJ:.o=.d)

.PHONY: clean
clean:
	$(Q)rm -rf $(O) cprof libcprof-heap.so
