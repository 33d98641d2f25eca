/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the names that a Java agent writes after its samples, whose addresses are only numbers. */
#ifndef CPROF_FORMAT_JAVA_TEXT_H
#define CPROF_FORMAT_JAVA_TEXT_H

#include "format/address_samples.h"

/* Takes all lines like `0x0000003 com.example.work (source.java:17)` off the text. */
int java_names_read(struct address_samples *a, struct cursor *text) MUST_CHECK;

#endif
