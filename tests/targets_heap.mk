# SPDX-License-Identifier: Apache-2.0
# Builds the programs of tests/targets/heap_*: the same sources with one allocator after the other.

HEAP_FLAGS := -fno-builtin -Wno-use-after-free -lm
HEAP_HEADERS := tests/targets/heap_truth.h
HEAP_LIBDIR := $(dir $(shell gcc -print-file-name=libc.a))

# $(call heap_target,NAME,SOURCE,COMPILER,FLAGS)
define heap_target
$(call target,$(1),$(2),$(3),$(HEAP_FLAGS) $(4))
$(O)/targets/$(1): $(HEAP_HEADERS) tests/targets_heap.mk
endef

$(foreach name,leaks threads realloc fork reuse signal dlopen first storm pairs before named grow above hidden intercepted red_zone,\
	$(eval $(call heap_target,heap_$(name),heap_$(name).c,gcc,)))
$(eval $(call heap_target,heap_watched,heap_watched.c,gcc,))
$(eval $(call heap_target,heap_cxx,heap_cxx.cpp,g++,))
$(eval $(call heap_target,heap_leave,heap_leave.cpp,g++,-rdynamic))
$(eval $(call heap_target,heap_above-known,heap_above.c,gcc,-DKNOWN))
$(eval $(call heap_target,heap_leaks-asan,heap_leaks.c,gcc,-fsanitize=address))
$(eval $(call heap_target,heap_throws,heap_throws.cpp,g++,))
$(eval $(call heap_target,heap_throws-wrapper,heap_throws.cpp,g++,-DWRAPS))
$(eval $(call heap_target,heap_cxx-static,heap_cxx.cpp,g++,-static))
$(eval $(call heap_target,heap_leaks-static,heap_leaks.c,gcc,-static))
$(eval $(call heap_target,heap_programs,heap_programs.c,gcc,-static))
$(eval $(call heap_target,heap_leaks-static-pie,heap_leaks.c,gcc,-static-pie))
$(eval $(call heap_target,heap_realloc-static,heap_realloc.c,gcc,-static))
$(eval $(call target,sampler_full,sampler_full.c,gcc,-mno-red-zone))
$(eval $(call target,launched,launched.c,gcc,-fno-builtin))
$(eval $(call target,launched-static,launched.c,gcc,-fno-builtin -static))
$(eval $(call target,launched-own,launched.c,gcc,-fno-builtin -DOWN_MALLOC))
$(eval $(call target,deep_host,deep_host.c,gcc,-fno-builtin -Wl$(comma)-rpath$(comma)'$$$$ORIGIN'))
$(eval $(call target,libdeep_now.so,deep_plugin.c,gcc,-shared -fPIC -fno-builtin -Wl$(comma)-z$(comma)now))
$(eval $(call target,libdeep_lazy.so,deep_plugin.c,gcc,-shared -fPIC -fno-builtin -Wl$(comma)-z$(comma)lazy))
$(eval $(call target,libheap_own.so,heap_own_lib.c,gcc,-shared -fPIC -fno-builtin))
$(eval $(call target,libheap_first.so,heap_first_lib.c,gcc,-shared -fPIC))

# These are linked with the allocator and not preloaded; if it is static, its symbols alone identify
# it.
$(foreach lib,jemalloc tcmalloc_minimal mimalloc,$(if $(wildcard $(HEAP_LIBDIR)lib$(lib).so),\
	$(eval $(call heap_target,heap_leaks-$(lib),heap_leaks.c,gcc,-Wl$(comma)--no-as-needed -l$(lib)))))
ifneq ($(wildcard $(HEAP_LIBDIR)libjemalloc.a),)
$(eval $(call heap_target,heap_leaks-jemalloc-static,heap_leaks.c,gcc,-l:libjemalloc.a -lstdc++))
endif
ifneq ($(wildcard $(HEAP_LIBDIR)libtcmalloc_minimal.a),)
$(eval $(call heap_target,heap_leaks-tcmalloc-static,heap_leaks.c,gcc,-l:libtcmalloc_minimal.a -lstdc++))
endif

ifneq ($(shell command -v musl-gcc),)
$(eval $(call heap_target,heap_leaks-musl,heap_leaks.c,musl-gcc,))
$(eval $(call heap_target,heap_leaks-musl-static,heap_leaks.c,musl-gcc,-static))
$(eval $(call heap_target,heap_realloc-musl,heap_realloc.c,musl-gcc,))
endif

.PHONY: targets
targets: $(TARGETS_ALL)
