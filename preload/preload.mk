# SPDX-License-Identifier: Apache-2.0
# Builds libcprof-heap.so, the sampler that programs preload. It has separate flags, because a
# sanitizer or a coverage counter inside malloc would call malloc.

PRELOAD_CFLAGS := -Isrc -std=c17 -O2 -g -Wall -Wextra -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-builtin \
	-ftls-model=initial-exec $(ARCH_PRELOAD_CFLAGS) -fno-stack-protector -fasynchronous-unwind-tables \
	$(if $(filter 1,$(WERROR)),-Werror)
# It is linked with no library, because that of the program has everything it needs, be it glibc or
# musl.
PRELOAD_LDFLAGS := -shared -nostdlib -Wl,-soname,libcprof-heap.so -Wl,-Bsymbolic-functions \
	-Wl,-z,relro,-z,now -Wl,-z,nodelete

$(O)/libcprof-heap.so: $(wildcard preload/*.[ch] src/base/sampler_question.h \
		src/arch/preload.h src/arch/*/preload.h) preload/preload.mk
	$(say) PRELOAD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(PRELOAD_CFLAGS) $(PRELOAD_LDFLAGS) -o $@ $(filter %.c,$^)

# It is copied to the directory of ./cprof, which looks for it there.
ifeq ($(O),build)
libcprof-heap.so: $(O)/libcprof-heap.so
	$(say) COPY $@
	$(Q)cp $< $@.tmp && mv $@.tmp $@
else
.PHONY: libcprof-heap.so
libcprof-heap.so: $(O)/libcprof-heap.so
endif

-include $(O)/preload/sampler.d $(O)/preload/pointer_set.d
