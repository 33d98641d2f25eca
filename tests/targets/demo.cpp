/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample of `make demo`: a small service that parses orders, prices them and writes a report.
 * It has three threads, inlined templates, library calls and some time in the kernel.
 */
#include "target.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <pthread.h>

namespace shop
{

struct Order {
	std::string customer;
	double amount;
	int items;
};

template <typename T> static inline __attribute__((always_inline)) T discount(T amount, int items)
{
	return items > 5 ? amount * T(0.93) : amount;
}

static inline __attribute__((always_inline)) double price(const Order &order)
{
	double sum = discount(order.amount, order.items);

	for (int i = 1; i <= order.items; i++)
		sum += std::sqrt(sum) / i;
	return sum;
}

class Parser
{
      public:
	NOINLINE std::vector<Order> parse(const std::string &text)
	{
		std::vector<Order> orders;

		for (size_t at = 0; at < text.size();) {
			size_t end = text.find('\n', at);

			orders.push_back(parse_line(text.substr(at, end - at)));
			at = end + 1;
		}
		return orders;
	}

      private:
	NOINLINE Order parse_line(const std::string &line)
	{
		size_t first = line.find(','), second = line.find(',', first + 1);

		return Order{line.substr(0, first), std::stod(line.substr(first + 1)),
			     std::stoi(line.substr(second + 1))};
	}
};

NOINLINE static std::string receive(std::mt19937 &random)
{
	std::string text;

	for (int i = 0; i < 500; i++)
		text += "customer" + std::to_string(random() % 97) + "," +
			std::to_string(random() % 10000) + "," + std::to_string(random() % 40) +
			"\n";
	return text;
}

NOINLINE static std::map<std::string, double> total(std::vector<Order> &orders)
{
	std::map<std::string, double> sums;

	std::sort(orders.begin(), orders.end(),
		  [](const Order &a, const Order &b) { return a.customer < b.customer; });
	for (const Order &order : orders)
		sums[order.customer] += price(order);
	return sums;
}

NOINLINE static void report(const std::map<std::string, double> &sums)
{
	int fd = open("/dev/null", O_WRONLY);

	for (const auto &entry : sums) {
		std::string line = entry.first + " " + std::to_string(entry.second) + "\n";

		if (write(fd, line.data(), line.size()) < 0)
			break;
	}
	close(fd);
}

NOINLINE static void serve(int number)
{
	std::mt19937 random(number);
	Parser parser;

	pthread_setname_np(pthread_self(), ("server-" + std::to_string(number)).c_str());
	while (!target_stop) {
		std::vector<Order> orders = parser.parse(receive(random));

		report(total(orders));
	}
}

} // namespace shop

int main()
{
	std::vector<std::thread> servers;

	target_ready();
	for (int i = 1; i <= 3; i++)
		servers.emplace_back(shop::serve, i);
	for (std::thread &server : servers)
		server.join();
	return 0;
}
