/* SPDX-License-Identifier: Apache-2.0 */
/* Allocators in real libraries, in static programs, and where there is none. */
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_fixture.h"
#include "fixture.h"
#include "target/allocator.h"
#include "unit.h"

#define LIB "/usr/lib/x86_64-linux-gnu/"

struct found {
	struct elf_file *f;
	struct allocator a;
	int code;
};

static struct found find_with(const char *path, const struct alloc_names *names)
{
	struct found found = {.f = elf_fixture_open(path)};

	found.code = allocator_find(found.f, names, &found.a);
	return found;
}

static struct found find(const char *path)
{
	return find_with(path, NULL);
}

static void release(struct found *found)
{
	allocator_release(&found->a);
	elf_file_free(found->f);
}

static const struct alloc_function *function(const struct found *found, const char *name)
{
	vec_for_each(&found->a.functions, d) {
		if (strlen(name) == strcspn(d->name, "@") && !strncmp(d->name, name, strlen(name)))
			return d;
	}
	return NULL;
}

static size_t count_kind(const struct found *found, enum alloc_kind kind)
{
	size_t n = 0;

	vec_for_each(&found->a.functions, d)
		n += d->kind == kind;
	return n;
}

static void check_consistent(const struct found *found)
{
	u64 offset;

	for (size_t i = 0; i < found->a.functions.len; i++) {
		const struct alloc_function *d = &found->a.functions.data[i];

		CHECK(elf_file_vaddr_to_offset(found->f, d->vaddr, &offset));
		CHECK_INT(offset, d->offset);
		CHECK(d->size > 0);
		CHECK(!i || d[-1].kind <= d->kind);
		for (size_t j = 0; j < i; j++)
			CHECK(found->a.functions.data[j].vaddr != d->vaddr);
	}
}

static void check_c_functions(const struct found *found)
{
	CHECK_INT(found->code, 0);
	check_consistent(found);
	CHECK(function(found, "malloc"));
	CHECK(function(found, "calloc"));
	CHECK(function(found, "realloc"));
	CHECK(function(found, "free"));
	CHECK(function(found, "posix_memalign"));
	CHECK(count_kind(found, ALLOC_ALIGNED) > 0);
	CHECK(count_kind(found, ALLOC_VALLOC) > 0);
}

TEST(allocator, describes_arguments)
{
	const struct alloc_signature *s = alloc_signature(ALLOC_REALLOCARRAY);

	CHECK_STR(s->name, "reallocarray");
	CHECK_INT(s->old, 0);
	CHECK_INT(s->count, 1);
	CHECK_INT(s->size, 2);
	CHECK(s->allocates && s->frees);
	s = alloc_signature(ALLOC_POSIX_MEMALIGN);
	CHECK_INT(s->block, 0);
	CHECK_INT(s->size, 2);
	CHECK_INT(alloc_signature(ALLOC_FREE)->old, 0);
	CHECK_INT(alloc_signature(ALLOC_FREE)->size, -1);
}

TEST(allocator, finds_glibc)
{
	struct found found;
	char want[64];
	Dl_info info;

	if (!dladdr((void *)gnu_get_libc_version, &info))
		unit_skip("no shared glibc");
	found = find(info.dli_fname);
	check_c_functions(&found);
	snprintf(want, sizeof(want), "glibc %s", gnu_get_libc_version());
	CHECK_STR(found.a.text, want);
	CHECK_INT(found.a.id, ALLOCATOR_GLIBC);
	CHECK(function(&found, "reallocarray"));
	CHECK(!function(&found, "cfree")); /* it is free */
	CHECK_INT(count_kind(&found, ALLOC_NEW), 0);
	release(&found);
}

TEST(allocator, finds_musl)
{
	struct found found = find("/lib/ld-musl-x86_64.so.1");

	check_c_functions(&found);
	CHECK_INT(found.a.id, ALLOCATOR_MUSL);
	CHECK(!strncmp(found.a.text, "musl 1.", 7));
	release(&found);
}

TEST(allocator, finds_jemalloc)
{
	struct found found = find(LIB "libjemalloc.so.2");

	check_c_functions(&found);
	CHECK_INT(found.a.id, ALLOCATOR_JEMALLOC);
	CHECK(!strncmp(found.a.text, "jemalloc 5.", 11));
	CHECK(function(&found, "mallocx"));
	CHECK(function(&found, "_Znwm"));
	CHECK(function(&found, "_ZdlPvmSt11align_val_t"));
	CHECK_INT(count_kind(&found, ALLOC_NEW), 8);
	release(&found);
}

TEST(allocator, finds_tcmalloc)
{
	struct found found = find(LIB "libtcmalloc_minimal.so.4");

	check_c_functions(&found);
	CHECK_INT(found.a.id, ALLOCATOR_TCMALLOC);
	CHECK(!strncmp(found.a.text, "tcmalloc (gperftools 2.", 23));
	CHECK(!function(&found, "tc_malloc")); /* it is malloc */
	CHECK(count_kind(&found, ALLOC_NEW) >= 4);
	CHECK(count_kind(&found, ALLOC_PVALLOC) == 1);
	release(&found);
}

TEST(allocator, finds_mimalloc)
{
	struct found found = find(LIB "libmimalloc.so.2");

	check_c_functions(&found);
	CHECK_INT(found.a.id, ALLOCATOR_MIMALLOC);
	CHECK(!strncmp(found.a.text, "mimalloc 2.", 11));
	CHECK(function(&found, "mi_zalloc"));
	CHECK(!function(&found, "mi_malloc")); /* it is malloc */
	CHECK(count_kind(&found, ALLOC_NEW) >= 4);
	release(&found);
}

static void check_none(const char *path)
{
	struct found found = find(path);

	CHECK_INT(found.code, -ENOENT);
	CHECK_INT(found.a.functions.len, 0);
	CHECK(strstr(found.a.searched, ".dynsym"));
	CHECK(strstr(found.a.searched, ".symtab"));
	release(&found);
}

TEST(allocator, tells_what_an_exception_may_leave)
{
	static const char list[] = "malloc=tc_malloc_size,calloc=calloc";
	struct alloc_names names;
	struct error err;
	struct found found = find(LIB "libmimalloc.so.2");

	CHECK(function(&found, "_Znam")->may_throw);
	CHECK(function(&found, "mi_new_n")->may_throw); /* its kind is calloc's */
	CHECK(!function(&found, "malloc")->may_throw);
	CHECK(!function(&found, "calloc")->named);
	release(&found);
	CHECK_INT(alloc_names_parse(list, &names, &err), 0);
	found = find_with(LIB "libtcmalloc_minimal.so.4", &names);
	CHECK(function(&found, "_ZnamRKSt9nothrow_t")->may_throw);
	CHECK(!function(&found, "calloc")->may_throw); /* it belongs to C, whatever names it */
	CHECK(!function(&found, "calloc")->named);
	CHECK(function(&found, "tc_malloc_size")
		      ->may_throw); /* given by --alloc, so nothing is known about it */
	CHECK(function(&found, "tc_malloc_size")->named);
	alloc_names_release(&names);
	release(&found);
	CHECK(allocator_is_c_name("aligned_alloc"));
	CHECK(!allocator_is_c_name("_Znwm"));
	CHECK(!allocator_is_c_name("malloc_trim"));
}

TEST(allocator, takes_no_cxx_library_for_one)
{
	check_none(LIB "libstdc++.so.6");
}

TEST(allocator, takes_no_dynamic_linker_for_one)
{
	check_none("/lib64/ld-linux-x86-64.so.2");
}

/* ld.so of glibc 2.30 and older exported its own malloc. */
TEST(allocator, takes_no_older_dynamic_linker_for_one)
{
	static const char source[] =
		"char _rtld_global[64]; void *malloc(unsigned long n) { return (void *)n; }\n"
		"void *calloc(unsigned long n, unsigned long m) { return (void *)(n * m); }\n"
		"void free(void *p) { (void)p; }\n";

	fixture_write("rtld.c", source, sizeof(source) - 1);
	fixture_run("cc -fno-builtin -shared -fPIC -nostdlib -o rtld.so rtld.c");
	check_none(fixture_path("rtld.so"));
}

static const char program[] =
	"#include <stdlib.h>\n"
	"void *volatile block;\n"
	"int main(int c, char **v) { block = malloc(c); free(block); return 0; }\n";

TEST(allocator, finds_a_static_one)
{
	struct found found;

	fixture_write("p.c", program, sizeof(program) - 1);
	fixture_run("cc -O1 -static -o p p.c");
	found = find(fixture_path("p"));
	CHECK_INT(found.code, 0);
	check_consistent(&found);
	CHECK_INT(found.a.id, ALLOCATOR_GLIBC);
	CHECK(!strncmp(found.a.text, "glibc", 5));
	CHECK(function(&found, "malloc"));
	CHECK(function(&found, "free"));
	CHECK(!function(&found, "__libc_malloc"));
	release(&found);
	fixture_run("strip p");
	found = find(fixture_path("p"));
	CHECK_INT(found.code, -ENOENT);
	CHECK_STR(found.a.searched, "no .dynsym, no .symtab");
	release(&found);
}

TEST(allocator, leaves_a_static_operator_new_to_malloc)
{
	static const char source[] = "int main(int c, char **v) { delete new int(c); return 0; }\n";
	struct found found;

	fixture_write("n.cpp", source, sizeof(source) - 1);
	fixture_run("c++ -O0 -static -o n n.cpp");
	found = find(fixture_path("n"));
	CHECK_INT(found.code, 0);
	CHECK_INT(found.a.id, ALLOCATOR_GLIBC);
	CHECK_INT(count_kind(&found, ALLOC_NEW) + count_kind(&found, ALLOC_DELETE), 0);
	release(&found);
}

TEST(allocator, finds_a_static_one_of_musl)
{
	struct found found;

	fixture_write("p.c", program, sizeof(program) - 1);
	fixture_run("musl-gcc -O1 -static -o m p.c");
	found = find(fixture_path("m"));
	CHECK_INT(found.code, 0);
	CHECK_INT(found.a.id, ALLOCATOR_MUSL);
	CHECK(function(&found, "malloc"));
	CHECK(function(&found, "free"));
	release(&found);
}

static const char private_source[] =
	"#include <stddef.h>\n"
	"#define F __attribute__((noinline, used))\n"
	"static char pool[99];\n"
	"F void *je_malloc(size_t n) { return pool + n % 9; }\n"
	"F void je_free(void *p) { (void)p; }\n"
	"F int je_mallctl(void) { return 5; }\n"
	"F void *arena_take(size_t n) { return pool + n % 7; }\n"
	"F void arena_release(void *p) { *(char *)p = 1; }\n"
	"static F void *_Znwm(size_t n) { return pool + n % 5; }\n"
	"static F void *_ZnwmPv(size_t n, void *p) { return (char *)p + n; }\n"
	"int main(void) { return 0; }\n";

static struct found find_private(const struct alloc_names *names)
{
	fixture_write("j.c", private_source, sizeof(private_source) - 1);
	fixture_run("cc -O1 -o j j.c");
	return find_with(fixture_path("j"), names);
}

TEST(allocator, finds_a_private_one_by_its_prefix)
{
	struct found found = find_private(NULL);

	CHECK_INT(found.code, 0);
	CHECK_STR(found.a.text, "jemalloc");
	CHECK_INT(function(&found, "je_malloc")->kind, ALLOC_MALLOC);
	CHECK_INT(function(&found, "je_free")->kind, ALLOC_FREE);
	CHECK(function(&found, "_Znwm")); /* local names count as well */
	CHECK(!function(&found, "_ZnwmPv"));
	CHECK_INT(found.a.functions.len, 3);
	release(&found);
}

TEST(allocator, finds_named_functions)
{
	struct alloc_names names;
	struct found found;

	CHECK_INT(alloc_names_parse("malloc=arena_take,free=arena_release", &names, NULL), 0);
	found = find_private(&names);
	CHECK_INT(found.code, 0);
	CHECK_INT(found.a.functions.len, 5);
	CHECK_INT(function(&found, "arena_take")->kind, ALLOC_MALLOC);
	CHECK_INT(function(&found, "arena_release")->kind, ALLOC_FREE);
	release(&found);
	alloc_names_release(&names);
	CHECK_INT(alloc_names_parse("malloc=main", &names, NULL), 0);
	fixture_write("e.c", "int main(void) { return 0; }\n", 29);
	fixture_run("cc -o e e.c");
	found = find_with(fixture_path("e"), &names);
	CHECK_INT(found.code, 0);
	CHECK_INT(found.a.id, ALLOCATOR_NAMED);
	CHECK_INT(found.a.functions.len, 1);
	release(&found);
	alloc_names_release(&names);
}

TEST(allocator, counts_what_is_chosen_at_load_time)
{
	static const char source[] =
		"void *take(unsigned long n) { return (void *)n; }\n"
		"void give(void *p) { (void)p; }\n"
		"static void *choose(void) { return take; }\n"
		"void *malloc(unsigned long n) __attribute__((ifunc(\"choose\")));\n"
		"void *calloc(unsigned long n, unsigned long m) { return (void *)(n * m); }\n"
		"void free(void *p) { give(p); }\n";
	struct found found;

	fixture_write("i.c", source, sizeof(source) - 1);
	fixture_run("cc -fno-builtin -shared -fPIC -w -o i.so i.c");
	found = find(fixture_path("i.so"));
	CHECK_INT(found.code, 0);
	CHECK_INT(found.a.ifuncs, 2); /* in both tables */
	CHECK(!function(&found, "malloc"));
	CHECK(function(&found, "calloc"));
	CHECK_INT(found.a.id, ALLOCATOR_UNKNOWN);
	release(&found);
}

TEST(allocator, parses_names)
{
	struct alloc_names names;
	struct error err;

	CHECK_INT(
		alloc_names_parse("my_malloc,pool_realloc,new=make,x_posix_memalign", &names, &err),
		0);
	CHECK_INT(names.names.len, 4);
	CHECK_INT(names.names.data[0].kind, ALLOC_MALLOC);
	CHECK_STR(names.names.data[0].name, "my_malloc");
	CHECK_INT(names.names.data[1].kind, ALLOC_REALLOC);
	CHECK_INT(names.names.data[2].kind, ALLOC_NEW);
	CHECK_STR(names.names.data[2].name, "make");
	CHECK_INT(names.names.data[3].kind, ALLOC_POSIX_MEMALIGN);
	alloc_names_release(&names);
}

static void check_bad_names(const char *list, const char *said)
{
	struct alloc_names names;
	struct error err = {0};

	CHECK_INT(alloc_names_parse(list, &names, &err), -EINVAL);
	if (!strstr(err.text, said))
		unit_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, said);
	CHECK_INT(names.names.len, 0);
}

TEST(allocator, refuses_names_that_say_too_little)
{
	check_bad_names("", "missing");
	check_bad_names("malloc=", "missing");
	check_bad_names("malloc=a,,free=b", "missing");
	check_bad_names("grab", "malloc=grab");
	check_bad_names("alloc=grab", "\"alloc\" is not one of");
}

/* Every byte of the symbol table and its strings is set to the values that hurt most. */
TEST(allocator, survives_broken_symbol_tables)
{
	static const char *const sections[] = {".dynsym", ".dynstr"};
	struct found found = find_private(NULL);
	unsigned char *image;
	size_t len;

	image = fixture_read(fixture_path("j"), &len);
	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		struct elf_section section;

		CHECK_INT(elf_file_section(found.f, sections[s], &section), 0);
		for (size_t i = 0; i < section.data.len; i++) {
			unsigned char *at = image + section.offset + i, old = *at;
			struct allocator a;
			struct elf_file *f;

			*at = 0xff;
			CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &f), 0);
			CHECK_INT(allocator_find(f, NULL, &a), 0);
			allocator_release(&a);
			elf_file_free(f);
			*at = old;
		}
	}
	free(image);
	release(&found);
}
