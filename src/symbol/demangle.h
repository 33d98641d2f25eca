/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Demangles linkage names of C++ (Itanium ABI), Rust (legacy and v0) and D with libiberty.
 *
 * A name is shown without parameters and return type but with template arguments, because these
 * tell two hot functions apart at a glance. The linkage name is kept beside it (pprof's
 * system_name) for those who need to know the overload. Rust's hash is dropped. A clone that the
 * compiler split off or specialised (`foo.part.0`, `foo.cold`, `foo.constprop.0`, `foo.llvm.123`)
 * is shown as the function it came from, because DWARF knows it only under that name, and one
 * function should be one node.
 */
#ifndef CPROF_SYMBOL_DEMANGLE_H
#define CPROF_SYMBOL_DEMANGLE_H

#include "base/types.h"

#define DEMANGLE_MAX_INPUT \
	65537u /* longer names stay as they are; symbolize.c shows none of them */
#define DEMANGLE_MAX_OUTPUT 131072u /* substitutions can double a name with every few bytes */

/* Returns the name to show, to be freed; NULL if it is `raw` itself (or memory is short). */
char *demangle_name(const char *raw) MUST_CHECK;

/*
 * Does the same for C++ names of more than a kilobyte, which demangle_name() returns as they are.
 * It may need a stack of DEMANGLE_STACK bytes, and crashes if there is less.
 */
char *demangle_long_name(const char *raw) MUST_CHECK;
#define DEMANGLE_STACK (64u << 20)

/* Returns whether `raw` is a linkage name of a language that mangles names. */
bool demangle_is_mangled(const char *raw);

#endif
