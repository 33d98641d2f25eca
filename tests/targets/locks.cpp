/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `locks-cxx SECONDS` waits on the locks of C++20, measures that from inside, and prints
 * "SITE_waits N" and "SITE_delay NANOSECONDS" for each.
 */
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

namespace
{

struct Site {
	long waits = 0, delay = 0;
};

Site mutex_site, condition_site, atomic_site, shared_site;
std::mutex lock, idle;
std::shared_mutex shared;
std::condition_variable condition;
std::atomic<int> word{0};
std::atomic<bool> over{false};

long now()
{
	return std::chrono::steady_clock::now().time_since_epoch().count();
}

void note(Site &site, long began)
{
	long took = now() - began;

	if (took < 200000)
		return;
	site.waits++;
	site.delay += took;
}

} // namespace

#define SITE extern "C" __attribute__((noinline, noipa)) void

SITE want_mutex()
{
	long began = now();
	lock.lock();
	note(mutex_site, began);
	lock.unlock();
	std::this_thread::sleep_for(200us);
}

SITE want_condition()
{
	std::unique_lock<std::mutex> held(idle);
	long began = now();
	condition.wait_for(held, 5ms);
	note(condition_site, began);
}

SITE want_atomic()
{
	int seen = word;
	long began = now();
	word.wait(seen);
	note(atomic_site, began);
}

SITE want_shared()
{
	long began = now();
	shared.lock_shared();
	note(shared_site, began);
	shared.unlock_shared();
	std::this_thread::sleep_for(200us);
}

template <class F> std::thread forever(F turn)
{
	return std::thread([turn] {
		while (!over)
			turn();
	});
}

int main(int argc, char **argv)
{
	std::thread holders[] = {
		forever([] {
			{
				std::lock_guard<std::mutex> held(lock);
				std::this_thread::sleep_for(5ms);
			}
			std::this_thread::sleep_for(5ms);
		}),
		forever([] {
			{
				std::unique_lock<std::shared_mutex> held(shared);
				std::this_thread::sleep_for(5ms);
			}
			std::this_thread::sleep_for(5ms);
		}),
		forever([] {
			/* This is long, because atomic::wait yields a few times before it
			 * sleeps. */
			std::this_thread::sleep_for(80ms);
			word++;
			word.notify_all();
		}),
	};
	std::thread waiters[] = {forever(want_mutex), forever(want_condition), forever(want_atomic),
				 forever(want_shared)};

	alarm(60);
	std::this_thread::sleep_for(std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 2));
	over = true;
	for (auto &t : waiters)
		t.join();
	for (auto &t : holders)
		t.join();
	std::printf("want_mutex_waits %ld\nwant_mutex_delay %ld\n", mutex_site.waits,
		    mutex_site.delay);
	std::printf("want_condition_waits %ld\nwant_condition_delay %ld\n", condition_site.waits,
		    condition_site.delay);
	std::printf("want_atomic_waits %ld\nwant_atomic_delay %ld\n", atomic_site.waits,
		    atomic_site.delay);
	std::printf("want_shared_waits %ld\nwant_shared_delay %ld\n", shared_site.waits,
		    shared_site.delay);
	return 0;
}
