/* SPDX-License-Identifier: Apache-2.0 */
/* Raises the number of files that may be open, because cprof holds hundreds of modules and perf
 * events. */
#ifndef CPROF_BASE_OPEN_FILES_H
#define CPROF_BASE_OPEN_FILES_H

/* Raises this process' soft limit, which is usually 1024, to the hard one. Children inherit it. */
void open_files_raise(void);

#endif
