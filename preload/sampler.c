/* SPDX-License-Identifier: Apache-2.0 */
/* Computes the draws and weights of the sampled allocations. It has its own versions of two libm
 * functions, because no library is linked. */
#include "sampler.h"

#include <stdatomic.h>
#include <time.h>

#define LN_2 0.69314718055994530942

uint64_t sampler_rate(const char *text)
{
	uint64_t rate = 0;

	if (!text || !*text)
		return SAMPLER_RATE_DEFAULT;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return SAMPLER_RATE_DEFAULT;
		rate = rate * 10 + (uint64_t)(*text - '0');
		if (rate > SAMPLER_RATE_MAX)
			return SAMPLER_RATE_DEFAULT;
	}
	return rate;
}

/* This is SplitMix64 of Steele, Lea and Flood (OOPSLA 2014). Any state is valid, and equal states
 * do not stay equal. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void sampler_seed(struct sampler *s)
{
	static _Atomic uint64_t threads;
	struct timespec now = {0};
	uint64_t state;

	clock_gettime(CLOCK_MONOTONIC, &now);
	state = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	state ^= (uint64_t)(uintptr_t)s << 20;
	state += atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) << 56;
	s->random = next_random(&state) | 1;
}

/* Returns -ln(u) for u in (0, 1] with an error below 1e-9, from the exponent and the series of
 * atanh for the rest. */
static double minus_ln(double u)
{
	union {
		double value;
		uint64_t bits;
	} m = {u};
	int exponent = (int)(m.bits >> 52) - 1023;
	double t, square, sum = 0;

	m.bits = (m.bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1023) << 52);
	t = (m.value - 1) / (m.value + 1);
	square = t * t;
	for (int power = 17; power > 0; power -= 2)
		sum = sum * square + 1.0 / power;
	return -(exponent * LN_2 + 2 * t * sum);
}

/* Returns 1 - exp(-x) for x >= 0, exact to 1e-12 even for tiny x; x is halved until the series is
 * short. */
static double one_minus_exp(double x)
{
	double sum = 0;
	int halvings = 0;

	if (x > 40)
		return 1;
	for (; x > 1.0 / 16; halvings++)
		x /= 2;
	for (int power = 10; power > 0; power--)
		sum = x / power * (1 - sum);
	for (; halvings > 0; halvings--)
		sum = sum * (2 - sum);
	return sum;
}

uint64_t sampler_draw(struct sampler *s, uint64_t rate)
{
	double u;

	if (rate == 0)
		return SAMPLER_NEVER;
	if (rate == 1)
		return 0;
	u = (double)((next_random(&s->random) >> 11) + 1) * 0x1p-53;
	return (uint64_t)(minus_ln(u) * (double)rate) + 1;
}

uint64_t sampler_weight(uint64_t size, uint64_t rate)
{
	if (rate <= 1 || size == 0)
		return size;
	return (uint64_t)((double)size / one_minus_exp((double)size / (double)rate) + 0.5);
}
