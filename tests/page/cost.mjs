// SPDX-License-Identifier: Apache-2.0
// Measures what a page costs its thread, in milliseconds of CPU time. That is the same on a busy
// machine as on an idle one, where trace.mjs sees fewer frames.
import { act } from "./trace.mjs";

async function threadTime(session) {
	const { metrics } = await session.send("Performance.getMetrics");
	return metrics.find(({ name }) => name === "ThreadTime").value * 1000;
}

async function metering(page) {
	const session = await page.context().newCDPSession(page);
	await session.send("Performance.enable", { timeDomain: "threadTicks" });
	return session;
}

// From the beginning of the navigation until the graph has been drawn. It opens the page once more.
export async function openingCost(page) {
	const session = await metering(page);
	await page.reload(); // restarts the count
	await page.waitForFunction(() => window.cprofPage && window.cprofPage.graph.rows.length);
	return threadTime(session);
}

// Returns { frames, cost: of each } of "zoom" or "pan" in the flame graph.
export async function movingCost(page, what) {
	const session = await metering(page);
	await page.evaluate(() => {
		const { graph } = window.cprofPage, draw = Object.getPrototypeOf(graph).draw;
		window.drawn = 0;
		graph.draw = function () {
			window.drawn++;
			return draw.call(this);
		};
	});
	const before = await threadTime(session);
	await act(page, what);
	const cost = await threadTime(session) - before, frames = await page.evaluate(() => window.drawn);
	return { frames, cost: cost / frames };
}
