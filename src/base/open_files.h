/* SPDX-License-Identifier: Apache-2.0 */
/* How many files may be open: modules and perf events are held by the hundred. */
#ifndef CPROF_BASE_OPEN_FILES_H
#define CPROF_BASE_OPEN_FILES_H

/* Raises this process' soft limit, usually 1024, to the hard one; children inherit it. */
void open_files_raise(void);

#endif
