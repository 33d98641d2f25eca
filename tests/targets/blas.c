/* SPDX-License-Identifier: Apache-2.0 */
/* Multiplies matrices with OpenBLAS, whose inner functions are assembly. It ends at once if the
 * library is not installed. */
#include "target.h"

#include <dlfcn.h>
#include <stdint.h>

#define N 200

typedef void multiply_fn(const char *, const char *, const int *, const int *, const int *,
			 const double *, const double *, const int *, const double *, const int *,
			 const double *, double *, const int *);

static double a[N * N], b[N * N], c[N * N];

static NOINLINE void multiply(multiply_fn *dgemm)
{
	const double one = 1, none = 0;
	const int n = N;

	dgemm("N", "N", &n, &n, &n, &one, a, &n, b, &n, &none, c, &n);
	NO_TAIL_CALL();
}

int main(void)
{
	multiply_fn *dgemm;
	void *library;

	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	library = dlopen("libopenblas.so.0", RTLD_NOW);
	if (!library) {
		printf("skipped\n");
		return 0;
	}
	dgemm = (multiply_fn *)(uintptr_t)dlsym(library, "dgemm_");
	if (!dgemm)
		return 1;
	for (int i = 0; i < N * N; i++)
		a[i] = b[i] = i % 7;
	target_ready();
	while (!target_stop)
		multiply(dgemm);
	return 0;
}
