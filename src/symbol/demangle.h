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

#define DEMANGLE_MAX_INPUT 4096u /* longer names stay as they are */
#define DEMANGLE_MAX_OUTPUT 16384u /* substitutions can double a name with every few bytes */

/* Returns the name to show, to be freed; NULL if it is `raw` itself (or memory is short). */
char *demangle_name(const char *raw) MUST_CHECK;

/* Returns whether `raw` is a linkage name of a language that mangles names. */
bool demangle_is_mangled(const char *raw);

#endif
