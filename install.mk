# SPDX-License-Identifier: Apache-2.0
# Has the targets deps, demo, install and help.

# These are Debian's names; the README has those of other distributions.
DEPS_BUILD := gcc libc6-dev make pkg-config clang bpftool libbpf-dev libelf-dev libdw-dev \
	libprotobuf-c-dev protobuf-c-compiler zlib1g-dev libzstd-dev liblzma-dev libiberty-dev uthash-dev \
	libzydis-dev libzycore-dev
DEPS_DEMO := g++
# redis-tools contains the server's code as well, without the package that would start a daemon.
# libdevel-nytprof-perl has flamegraph.pl.
DEPS_CHECK := $(DEPS_DEMO) bats parallel procps python3 golang-go redis-tools xz-utils binutils dwz util-linux \
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross libclang-rt-14-dev libc6-dbg libjemalloc2 musl-tools clang-format clang-tidy shellcheck \
	qemu-system-x86 seabios busybox-static cpio groff-base \
	chromium firefox-esr fonts-dejavu-core libdevel-nytprof-perl \
	$(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm) \
	debuginfod libdebuginfod1 libfuse3-dev fuse3 libtcmalloc-minimal4 libgoogle-perftools4 libmimalloc2.0 \
	libjemalloc-dev libgoogle-perftools-dev libmimalloc-dev valgrind \
	ocaml-nox luajit ffmpeg libopenblas0-pthread \
	$(if $(shell command -v javac),,default-jdk-headless) $(if $(shell command -v rustc),,rustc)

# $(call install,PACKAGES) asks dpkg first, so that it does nothing, and quickly, if all are there.
define install
$(Q)sh tests/deps.sh $(1)
endef

.PHONY: deps deps-check demo
deps:
	$(call install,$(DEPS_BUILD))

deps-check:
	$(call install,$(DEPS_BUILD) $(DEPS_CHECK))

# These run sub-makes, because what the variables above found before the packages were installed is
# out of date.
demo:
	$(call install,$(DEPS_BUILD) $(DEPS_DEMO))
	$(Q)$(MAKE) --no-print-directory cprof $(O)/targets/demo
	$(Q)sh tests/demo.sh ./cprof $(O)/targets/demo

.PHONY: screenshot
screenshot:
	$(call install,$(DEPS_BUILD) $(DEPS_CHECK))
	$(Q)$(MAKE) --no-print-directory cprof
	$(Q)sh tests/page/screenshot.sh ./cprof $(abspath $(O))/playwright docs/img/flame.png

BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
# cprof looks for what it preloads beside itself, and in ../lib/cprof from there.
LIBDIR ?= $(PREFIX)/lib/cprof
INSTALL ?= install

# The overview describes each recording verb with the NAME line of that verb's own page.
RECORDING := $(patsubst cmd/%.c,%,$(shell grep -l 'kind = &kind_' cmd/*.c))

$(O)/man/cprof.1: man/cprof.1 $(wildcard man/cprof-*.1 cmd/*.c)
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)for verb in $(RECORDING); do \
	    printf '.TP\n.B %s\n' $$verb; \
	    sed -n '/^\.SH NAME/{n;s/^[^ ]* [^ ]* //;s/^./\u&/;p;}' man/cprof-$$verb.1; \
	    printf '(see\n.BR cprof\\-%s (1)).\n' $$verb; done > $@.verbs
	$(Q)sed -e '/^@recording verbs@$$/{r $@.verbs' -e 'd;}' $< > $@

.PHONY: install uninstall
install: cprof libcprof-heap.so $(O)/man/cprof.1
	$(Q)$(INSTALL) -D -m 755 $(O)/cprof $(DESTDIR)$(BINDIR)/cprof
	$(Q)$(INSTALL) -D -m 755 $(O)/libcprof-heap.so $(DESTDIR)$(LIBDIR)/libcprof-heap.so
	$(Q)for page in $(O)/man/cprof.1 $(wildcard man/cprof-*.1); do \
	    $(INSTALL) -D -m 644 $$page $(DESTDIR)$(MANDIR)/man1/$${page##*/} || exit 1; done
	$(Q)set -e; to=$(DESTDIR)$(DATADIR); \
	copy() { [ ! -f "$$1" ] || $(INSTALL) -D -m 644 "$$1" "$$2"; }; \
	copy completions/cprof.bash "$$to/bash-completion/completions/cprof"; \
	copy completions/_cprof "$$to/zsh/site-functions/_cprof"; \
	copy completions/cprof.fish "$$to/fish/vendor_completions.d/cprof.fish"

uninstall:
	$(Q)rm -f $(DESTDIR)$(BINDIR)/cprof $(DESTDIR)$(LIBDIR)/libcprof-heap.so \
	    $(DESTDIR)$(MANDIR)/man1/cprof.1 \
	    $(DESTDIR)$(MANDIR)/man1/cprof-*.1 \
	    $(DESTDIR)$(DATADIR)/bash-completion/completions/cprof \
	    $(DESTDIR)$(DATADIR)/zsh/site-functions/_cprof \
	    $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/cprof.fish
	$(Q)rmdir $(DESTDIR)$(LIBDIR) 2>/dev/null || true

.PHONY: help
help:
	@printf '%s\n' \
	'make              build ./cprof and ./libcprof-heap.so' \
	'make deps         install what the build needs (apt-get)' \
	'make demo         all of it: deps, build, profile a sample program for 3 seconds' \
	'make install      PREFIX=/usr/local DESTDIR=' \
	'make uninstall    the same, backwards' \
	'' \
	'make check        every test; the last line says how many passed, failed and were skipped' \
	'make check-unit   parsers and containers, in memory' \
	'make check-e2e    the profiler on programs with known answers (root)' \
	'make check-cycles    attach and detach a thousand times: ten minutes' \
	'make check-kernels   the same in a VM, on the stock kernel of Debian 12' \
	'make fuzz         60 seconds for each harness (FUZZ_SECONDS=)' \
	'make bench        tables beside perf and friends' \
	'make screenshot   docs/img/flame.png anew: a profile of the sample program in a browser' \
	'make lint         formatting, clang-tidy, shellcheck, floors' \
	'make clean        remove the build' \
	'' \
	'V=1 show commands   O=DIR build there   DEBUG=1   ASAN=1   WERROR=1   COVERAGE=1   BTF=FILE|none'
