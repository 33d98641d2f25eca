/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `locks-cxx SECONDS` waits on the locks of C++20, measures that from inside, and prints
 * "SITE_waits N" and "SITE_delay NANOSECONDS" for each.
 */
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <semaphore>
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
Site semaphore_site, latch_site, barrier_site;
std::mutex lock, idle;
std::shared_mutex shared;
std::condition_variable condition;
std::atomic<int> word{0};
std::counting_semaphore<8> tokens{0};
std::barrier meeting{2};
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

SITE want_semaphore()
{
	long began = now();
	tokens.acquire();
	note(semaphore_site, began);
}

SITE want_barrier()
{
	long began = now();
	meeting.arrive_and_wait();
	note(barrier_site, began);
}

SITE want_latch()
{
	std::latch gate{1};
	std::thread opener([&] {
		std::this_thread::sleep_for(80ms);
		gate.count_down();
	});
	long began = now();
	gate.wait();
	note(latch_site, began);
	opener.join();
}

template <class F> std::thread forever(F turn)
{
	return std::thread([turn] {
		while (!over)
			turn();
	});
}

static void print(const char *name, const Site &site)
{
	std::printf("%s_waits %ld\n%s_delay %ld\n", name, site.waits, name, site.delay);
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

	/* These wait for each other, so there is no order in which they could be told to end. */
	forever(want_semaphore).detach();
	forever(want_barrier).detach();
	forever(want_latch).detach();
	forever([] {
		std::this_thread::sleep_for(80ms);
		tokens.release();
	}).detach();
	forever([] {
		std::this_thread::sleep_for(80ms);
		meeting.arrive_and_wait();
	}).detach();
	alarm(60);
	std::this_thread::sleep_for(std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 2));
	over = true;
	for (auto &t : waiters)
		t.join();
	for (auto &t : holders)
		t.join();
	print("want_mutex", mutex_site);
	print("want_condition", condition_site);
	print("want_atomic", atomic_site);
	print("want_shared", shared_site);
	print("want_semaphore", semaphore_site);
	print("want_barrier", barrier_site);
	print("want_latch", latch_site);
	std::fflush(stdout);
	std::_Exit(0);
}
