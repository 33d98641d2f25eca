# SPDX-License-Identifier: Apache-2.0
# Builds the programs of tests/preload, which run under libcprof-heap.so.

PRELOAD_TESTS := $(patsubst tests/preload/%.c,$(O)/preload-tests/%,$(filter-out %/entering.c,$(wildcard tests/preload/*.c))) \
	$(O)/preload-tests/operators $(O)/preload-tests/libentering.so \
	$(O)/preload-tests/liboperators.so

$(O)/preload-tests/%: tests/preload/%.c
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -pthread -fno-builtin -Wno-use-after-free \
	    -o $@ $< -ldl

$(O)/preload-tests/operators: tests/preload/operators.cpp
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)g++ -std=c++17 -O2 -g -Wall -Wextra -o $@ $<

$(O)/preload-tests/liboperators.so: tests/preload/operators.cpp
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)g++ -std=c++17 -O2 -g -Wall -Wextra -fPIC -shared -o $@ $<

$(O)/preload-tests/libentering.so: tests/preload/entering.c
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -O2 -g -Wall -Wextra -fPIC -shared -fno-builtin -o $@ $<

ifneq ($(shell command -v musl-gcc),)
PRELOAD_TESTS += $(O)/preload-tests/exchange-musl
$(O)/preload-tests/exchange-musl: tests/preload/exchange.c
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -g -pthread -o $@ $<
endif

targets: $(O)/libcprof-heap.so $(PRELOAD_TESTS)
