/* SPDX-License-Identifier: Apache-2.0 */
/* Tells allocators apart by their symbols: see allocator_identify.h. */
#include "target/allocator_identify.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "arch/calls.h"

/* This much of the constants is searched for versions. */
#define CONSTANTS_MAX (64u << 20)
#define VERSION_MAX 16

struct mark {
	const char *name;
	bool prefix; /* the name must only begin like this */
	size_t field;
};

#define MARK(name_, prefix_, field_)                                     \
	{                                                                \
		name_, prefix_, offsetof(struct allocator_marks, field_) \
	}

static const struct mark known[] = {
	MARK("gnu_get_libc_version", false, glibc),
	MARK("_int_malloc", false, glibc),
	MARK("__libc_memalign", false, glibc),
	MARK("__libc_start_main", false, musl), /* glibc has it as well, but is checked first */
	MARK("__libc_malloc_impl", false, musl),
	MARK("mallctl", false, jemalloc),
	MARK("je_mallctl", false, jemalloc),
	MARK("_rjem_mallctl", false, jemalloc),
	MARK("tc_version", false, tcmalloc),
	MARK("tc_malloc", false, tcmalloc),
	MARK("TCMalloc_Internal_", true, tcmalloc),
	MARK("_ZN8tcmalloc", true, tcmalloc),
	MARK("mi_version", false, mimalloc),
	MARK("__asan_init", false, sanitizer),
	MARK("__tsan_init", false, sanitizer),
	MARK("__msan_init", false, sanitizer),
	MARK("__lsan_init", false, sanitizer),
	MARK("_rtld_global", false, dynamic_linker),
};

void allocator_marks_note(struct allocator_marks *marks, const char *name, size_t len, u64 vaddr)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		size_t want = strlen(known[i].name);

		if (len < want || (len > want && !known[i].prefix) ||
		    memcmp(name, known[i].name, want) != 0)
			continue;
		*(bool *)((char *)marks + known[i].field) = true;
		if (known[i].field == offsetof(struct allocator_marks, mimalloc))
			marks->mi_version = vaddr;
	}
}

bool allocator_is_dynamic_linker(const struct allocator_marks *marks)
{
	return marks->dynamic_linker && !marks->glibc;
}

/* ---- versions */

static struct bytes constants(struct elf_file *f)
{
	struct elf_section s;

	if (elf_file_section(f, ".rodata", &s))
		return (struct bytes){0};
	if (s.data.len > CONSTANTS_MAX)
		s.data.len = CONSTANTS_MAX;
	return s.data;
}

/* Measures "2.36" or "5.3.0" at the beginning of `b`, which is digits with at least one dot between
 * them. */
static size_t version_len(struct bytes b)
{
	size_t len = 0, dots = 0;

	while (len < b.len && len < VERSION_MAX && (isdigit(b.data[len]) || b.data[len] == '.'))
		dots += b.data[len++] == '.';
	while (len && b.data[len - 1] == '.') {
		len--;
		dots--;
	}
	return len && dots && isdigit(b.data[0]) ? len : 0;
}

static bool take_version(struct bytes b, char version[VERSION_MAX + 1])
{
	size_t len = version_len(b);

	memcpy(version, b.data, len);
	version[len] = '\0';
	return len != 0;
}

static struct bytes from(struct bytes b, size_t at)
{
	return (struct bytes){b.data + at, b.len - at};
}

/* Finds the version after a phrase. */
static bool version_after(struct bytes b, const char *phrase, char version[VERSION_MAX + 1])
{
	size_t len = strlen(phrase);
	const u8 *hit;

	while (b.len && (hit = memmem(b.data, b.len, phrase, len))) {
		b = from(b, (size_t)(hit - b.data) + len);
		if (take_version(b, version))
			return true;
	}
	return false;
}

/* jemalloc embeds a version of its own form, such as "5.3.0-0-g54eaed1d8b56...". */
static bool jemalloc_version(struct bytes b, char version[VERSION_MAX + 1])
{
	const u8 *hit;

	for (size_t at = 0; at < b.len && (hit = memmem(b.data + at, b.len - at, "-g", 2));
	     at = (size_t)(hit - b.data) + 2) {
		size_t end = (size_t)(hit - b.data), start = end, len;

		while (start && b.data[start - 1] && end - start < 2 * VERSION_MAX)
			start--;
		if (start && b.data[start - 1])
			continue;
		len = version_len(from(b, start));
		if (len && b.data[start + len] == '-' && take_version(from(b, start), version))
			return true;
	}
	return false;
}

/* musl's version is a separate string beside the name that its dynamic linker prints. */
static bool musl_version(struct bytes b, char version[VERSION_MAX + 1])
{
	for (size_t at = 0; at + 1 < b.len; at++) {
		size_t len;

		if (at && b.data[at - 1])
			continue;
		len = version_len(from(b, at));
		if (len && at + len < b.len && !b.data[at + len] && !memcmp(b.data + at, "1.", 2))
			return take_version(from(b, at), version);
	}
	return false;
}

/* mi_version() returns a constant: major * 100 + minor * 10 + patch. */
static bool mimalloc_version(struct elf_file *f, u64 vaddr, char version[VERSION_MAX + 1])
{
	u32 number;

	if (!arch_returns_constant(elf_file_loaded(f, vaddr, 16), &number) || number < 100 ||
	    number > 999)
		return false;
	snprintf(version, VERSION_MAX + 1, "%u.%u.%u", number / 100, number / 10 % 10, number % 10);
	return true;
}

static enum allocator_id by_marks(const struct allocator_marks *marks)
{
	if (marks->jemalloc)
		return ALLOCATOR_JEMALLOC;
	if (marks->mimalloc)
		return ALLOCATOR_MIMALLOC;
	if (marks->tcmalloc)
		return ALLOCATOR_TCMALLOC;
	if (marks->sanitizer)
		return ALLOCATOR_SANITIZER;
	if (marks->glibc)
		return ALLOCATOR_GLIBC;
	return marks->musl ? ALLOCATOR_MUSL : ALLOCATOR_UNKNOWN;
}

static bool find_version(struct elf_file *f, enum allocator_id id,
			 const struct allocator_marks *marks, char version[VERSION_MAX + 1])
{
	switch (id) {
	case ALLOCATOR_JEMALLOC:
		return jemalloc_version(constants(f), version);
	case ALLOCATOR_MIMALLOC:
		return mimalloc_version(f, marks->mi_version, version);
	case ALLOCATOR_TCMALLOC:
		return version_after(constants(f), "gperftools ", version);
	case ALLOCATOR_GLIBC:
		return version_after(constants(f), "release version ", version);
	case ALLOCATOR_MUSL:
		return musl_version(constants(f), version);
	default:
		return false;
	}
}

enum allocator_id allocator_identify(struct elf_file *f, const struct allocator_marks *marks,
				     char *text, size_t size)
{
	static const char *const names[] = {
		[ALLOCATOR_UNKNOWN] = "unknown allocator",
		[ALLOCATOR_GLIBC] = "glibc",
		[ALLOCATOR_MUSL] = "musl",
		[ALLOCATOR_JEMALLOC] = "jemalloc",
		[ALLOCATOR_TCMALLOC] = "tcmalloc",
		[ALLOCATOR_MIMALLOC] = "mimalloc",
		[ALLOCATOR_SANITIZER] = "sanitizer",
	};
	enum allocator_id id = by_marks(marks);
	char version[VERSION_MAX + 1];

	if (!find_version(f, id, marks, version))
		snprintf(text, size, "%s", names[id]);
	else if (id == ALLOCATOR_TCMALLOC)
		snprintf(text, size, "%s (gperftools %s)", names[id], version);
	else
		snprintf(text, size, "%s %s", names[id], version);
	return id;
}
