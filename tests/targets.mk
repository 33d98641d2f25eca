# SPDX-License-Identifier: Apache-2.0
# How the programs that tests profile are built: each under the flags that make it awkward.

TARGET_CFLAGS := -O2 -g -Wall -pthread -fomit-frame-pointer -fasynchronous-unwind-tables
TARGETS_ALL :=

# $(call target,NAME,SOURCE,COMPILER,FLAGS): a program of that name in $(O)/targets.
define target
TARGETS_ALL += $$(O)/targets/$(1)
$$(O)/targets/$(1): tests/targets/$(2) tests/targets/target.h tests/targets.mk
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
$(eval $(call target,shares-clang,shares.c,clang,))
$(eval $(call target,shares-debug-frame,shares.c,gcc,-fno-asynchronous-unwind-tables -no-pie -fno-pie))

.PHONY: targets
targets: $(TARGETS_ALL)
