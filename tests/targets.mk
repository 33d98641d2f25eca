# SPDX-License-Identifier: Apache-2.0
# Builds the programs that tests profile, each with the flags that make it awkward.

TARGET_CFLAGS := -D_GNU_SOURCE -O2 -g -Wall -pthread -fomit-frame-pointer -fasynchronous-unwind-tables
TARGETS_ALL :=

comma := ,

# $(call target,NAME,SOURCE,COMPILER,FLAGS) builds a program of that name in $(O)/targets.
define target
TARGETS_ALL += $$(O)/targets/$(1)
$$(O)/targets/$(1): tests/targets/$(2) tests/targets/target.h tests/targets/copy_self.h tests/targets.mk
	$$(say) TARGET $$@
	@mkdir -p $$(@D)
	$$(Q)$(3) $$(TARGET_CFLAGS) -o $$@ $$< $(4)
endef

$(eval $(call target,demo,demo.cpp,g++,))
$(eval $(call target,shares,shares.c,gcc,))
$(eval $(call target,shares-fp,shares.c,gcc,-fno-omit-frame-pointer))
$(eval $(call target,shares-static,shares.c,gcc,-static))
$(eval $(call target,shares-static-pie,shares.c,gcc,-static-pie))
$(eval $(call target,shares-nopie,shares.c,gcc,-no-pie -fno-pie))
$(eval $(call target,shares-stripped,shares.c,gcc,-s))
$(eval $(call target,shares-cet,shares.c,gcc,-fcf-protection))
$(eval $(call target,shares-clang,shares.c,clang,))
$(eval $(call target,shares-debug-frame,shares.c,gcc,-fno-asynchronous-unwind-tables -no-pie -fno-pie))

$(eval $(call target,inline,inline.cpp,g++,))
$(eval $(call target,inline-clang,inline.cpp,clang++,))
$(eval $(call target,inline-dwarf4,inline.cpp,g++,-gdwarf-4))
$(eval $(call target,inline-zdebug,inline.cpp,g++,-gz))
$(eval $(call target,signal,signal.c,gcc,))
$(eval $(call target,dlopen,dlopen.c,gcc,-ldl))
$(eval $(call target,libraries,libraries.c,gcc,-ldl))
$(eval $(call target,late,late.c,gcc,-ldl))
$(eval $(call target,storm,storm.c,gcc,))
$(eval $(call target,storm-static,storm.c,gcc,-static))
$(eval $(call target,fork_storm,fork_storm.c,gcc,))
$(eval $(call target,probe_leaver,probe_leaver.c,gcc,))
$(eval $(call target,hooked,hooked.c,gcc,-ldl))
$(eval $(call target,libtext_relocations.so,text_relocations.c,gcc,\
	-shared -fno-pic -mcmodel=large -fno-builtin -Wl$(comma)-z$(comma)notext))
$(eval $(call target,relocated,relocated.c,gcc,-fno-builtin -Wl$(comma)--no-as-needed -L$(O)/targets \
	-ltext_relocations -Wl$(comma)-rpath$(comma)'$$$$ORIGIN'))
$(O)/targets/relocated: $(O)/targets/libtext_relocations.so
$(eval $(call target,deep,deep.c,gcc,))
$(eval $(call target,interpreter,interpreter.c,gcc,))
$(eval $(call target,blas,blas.c,gcc,-ldl))
$(eval $(call target,trampoline,trampoline.c,gcc,-fomit-frame-pointer))
$(eval $(call target,moved,moved.c,gcc,-ldl))
$(eval $(call target,moved-nopie,moved.c,gcc,-no-pie -fno-pie -ldl))
$(eval $(call target,moved-static,moved.c,gcc,-static -DSTATIC))
$(eval $(call target,libmoved.so,moved.c,gcc,-shared -fPIC -DLIBRARY))
$(O)/targets/moved: $(O)/targets/libmoved.so
$(eval $(call target,stack_switch,stack_switch.c,gcc,))
$(eval $(call target,threads,threads.c,gcc,))
$(eval $(call target,thread_states,thread_states.c,gcc,))
$(eval $(call target,creates,creates.c,gcc,))
$(eval $(call target,fds,fds.c,gcc,))
$(eval $(call target,fds-static,fds.c,gcc,-static))
$(eval $(call target,creates-static,creates.c,gcc,-static))
$(eval $(call target,frames,frames.c,gcc,))
$(eval $(call target,frames-clang,frames.c,clang,))
$(eval $(call target,no_cfi,no_cfi.c,gcc,))
$(eval $(call target,no_cfi-stripped,no_cfi.c,gcc,-s))
$(eval $(call target,kept_register,kept_register.c,gcc,))
$(eval $(call target,long_code,long_code.c,gcc,))
$(eval $(call target,zero_return,zero_return.c,gcc,-lpthread))
$(eval $(call target,many_asm,many_asm.c,gcc,-s))
$(eval $(call target,vdso,vdso.c,gcc,))
$(eval $(call target,syscall,syscall.c,gcc,))
ifneq ($(shell command -v musl-gcc),)
$(eval $(call target,shares-musl,shares.c,musl-gcc,))
$(eval $(call target,shares-musl-static,shares.c,musl-gcc,-static))
$(eval $(call target,inner-musl,inner.c,musl-gcc,))
$(eval $(call target,inner-musl-static,inner.c,musl-gcc,-static))
$(eval $(call target,inner-musl-stripped,inner.c,musl-gcc,-static -s))
$(eval $(call target,inner-musl-without,inner.c,musl-gcc,-static -s -fno-asynchronous-unwind-tables))
endif
$(eval $(call target,hidden,hidden.c,gcc,-fno-builtin))
$(eval $(call target,jit,jit.c,gcc,))
$(eval $(call target,locks,locks.c,gcc,))
$(eval $(call target,waits,waits.c,gcc,))
$(eval $(call target,counted,counted.c,gcc,))
$(eval $(call target,locks-cxx,locks.cpp,g++,-std=c++20))
$(eval $(call target,lock_server,lock_server.c,gcc,))
$(eval $(call target,holds,holds.c,gcc,))
$(eval $(call target,paths,paths.c,gcc,))
$(eval $(call target,libshort.so,short_malloc.c,gcc,-shared -fPIC))
$(eval $(call target,mortals,mortals.c,gcc,))
$(eval $(call target,programs,programs.c,gcc,))
$(eval $(call target,reexec,reexec.c,gcc,))
$(eval $(call target,locks_many,locks_many.c,gcc,))

ifneq ($(shell pkg-config --exists fuse3 && echo yes),)
$(eval $(call target,stuck_fs,stuck_fs.c,gcc,$(shell pkg-config --cflags --libs fuse3)))
endif

# There are two builds of one library with different frames, so that stale rows give a visibly wrong
# stack.
$(eval $(call target,libburn1.so,dl_lib.c,gcc,-shared -fPIC -DLIB_FUNCTION=library_one -DLIB_FRAME=40))
$(eval $(call target,libburn2.so,dl_lib.c,gcc,-shared -fPIC -DLIB_FUNCTION=library_two -DLIB_FRAME=4000))

$(eval $(call target,libtiny.so,plt_lib.c,gcc,-shared -fPIC))
$(eval $(call target,plt,plt.c,gcc,-L$(O)/targets -l:libtiny.so -Wl$(comma)-z$(comma)lazy '-Wl$(comma)-rpath$(comma)$$$$ORIGIN'))
$(O)/targets/plt: $(O)/targets/libtiny.so

# The replay tests step through these, instruction by instruction.
$(eval $(call target,steps,steps.c,gcc,-Wl$(comma)-z$(comma)lazy))
$(eval $(call target,steps-clang,steps.c,clang,))
$(eval $(call target,steps-static,steps.c,gcc,-static))
$(eval $(call target,steps-O0,steps.c,gcc,-O0))
RETURNS := -rdynamic -fno-builtin -Wno-nonnull
$(eval $(call target,returns,returns.cpp,g++,$(RETURNS)))
$(eval $(call target,returns-O0,returns.cpp,g++,$(RETURNS) -O0))
$(eval $(call target,returns-clang,returns.cpp,clang++,$(RETURNS) -fcf-protection))
$(eval $(call target,returns-fp,returns.cpp,g++,$(RETURNS) -fno-omit-frame-pointer -fstack-protector-all))
$(eval $(call target,steps-throw,steps_throw.cpp,g++,))
$(eval $(call target,steps-throw-static,steps_throw.cpp,g++,-static))

# The debug information is in a file beside the program, named by .gnu_debuglink.
TARGETS_ALL += $(O)/targets/inline-debuglink
$(O)/targets/inline-debuglink: $(O)/targets/inline
	$(say) TARGET $@
	$(Q)objcopy --only-keep-debug $< $@.debug
	$(Q)objcopy --strip-all --add-gnu-debuglink=$@.debug $< $@

# These are pages with known content, for the tests that drive a browser.
TARGETS_ALL += $(O)/targets/make-page
$(O)/targets/make-page: tests/page/make_page.c $(O)/libcprof.a
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(O)/libcprof.a $(LDLIBS)

# These languages may not be installed, and their tests are skipped then. $(call
# go_target,NAME,SOURCE,ENVIRONMENT,FLAGS)
define go_target
TARGETS_ALL += $$(O)/targets/$(1)
$$(O)/targets/$(1): tests/targets/go/$(2) tests/targets.mk
	$$(say) TARGET $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(3) GOCACHE=$$(abspath $$(O))/go-cache GOFLAGS= GO111MODULE=off go build $(4) -o $$@ $$<
endef

ifneq ($(shell command -v go),)
$(eval $(call go_target,go-shares,main.go,,))
$(eval $(call go_target,go-shares-pie,main.go,,-buildmode=pie))
$(eval $(call go_target,go-gc,gc.go,,))
$(eval $(call go_target,go-cgo,cgo.go,CGO_ENABLED=1,))
$(eval $(call go_target,go-cgo-pie,cgo.go,CGO_ENABLED=1,-buildmode=pie))
endif
ifneq ($(shell command -v rustc),)
TARGETS_ALL += $(addprefix $(O)/targets/,rust-shares rust-shares-v0 rust-shares-abort)
$(O)/targets/rust-shares: tests/targets/rust/main.rs tests/targets.mk
	$(say) TARGET $@
	$(Q)mkdir -p $(@D)
	$(Q)env -u MAKEFLAGS -u MFLAGS rustc --crate-name rust_shares -O -g -o $@ $<
$(O)/targets/rust-shares-v0: tests/targets/rust/main.rs tests/targets.mk
	$(say) TARGET $@
	$(Q)mkdir -p $(@D)
	$(Q)env -u MAKEFLAGS -u MFLAGS rustc --crate-name rust_shares -O -g -C symbol-mangling-version=v0 -o $@ $<
$(O)/targets/rust-shares-abort: tests/targets/rust/main.rs tests/targets.mk
	$(say) TARGET $@
	$(Q)mkdir -p $(@D)
	$(Q)env -u MAKEFLAGS -u MFLAGS rustc --crate-name rust_shares -O -g -C panic=abort -o $@ $<
endif
