// SPDX-License-Identifier: Apache-2.0
// Measures how fast a page is under real input, by Chromium's own record (trace) of the frames that
// it drew.
import { settle } from "./browser.mjs";

const CATEGORIES = ["-*", "blink.user_timing", "disabled-by-default-devtools.timeline.frame"];
const ACTION_MS = 1000;

async function traced(page, work) {
	const browser = page.context().browser();
	await browser.startTracing(page, { categories: CATEGORIES });
	await work();
	return JSON.parse((await browser.stopTracing()).toString()).traceEvents.sort((a, b) => a.ts - b.ts);
}

// Returns when frames were drawn, in ms, by the process that this event is from.
function framesAfter(events, first) {
	return events.filter((e) => e.name === "DrawFrame" && e.pid === first.pid && e.ts > first.ts)
		.map((e) => e.ts / 1000);
}

// Runs in the page from its first moment.
function markFirstGraph() {
	const look = () => {
		if (window.cprofPage && window.cprofPage.graph.rows.length)
			performance.mark("drawn");
		else
			requestAnimationFrame(look);
	};
	requestAnimationFrame(look);
}

// Returns the milliseconds from the beginning of the navigation until the graph was on the screen.
// It opens the page once more.
export async function opening(page) {
	await page.addInitScript(markFirstGraph);
	const events = await traced(page, async () => {
		await page.reload();
		await page.waitForFunction(() => performance.getEntriesByName("drawn").length);
		await settle(page);
		await page.waitForTimeout(50);
	});
	const drawn = events.find((e) => e.name === "drawn");
	const began = events.filter((e) => e.name === "navigationStart" && e.ts < drawn.ts).pop();
	return framesAfter(events, drawn)[0] - began.ts / 1000;
}

const ACTIONS = {
	// The response to a turn of the wheel takes two frames and is not waited for.
	async zoom(page, x, y, i) {
		page.mouse.wheel(0, i % 40 < 20 ? -40 : 40);
		await page.waitForTimeout(12);
	},
	async pan(page, x, y, i) {
		await page.mouse.move(x + 200 * Math.sin(i / 8), y + 20 * Math.sin(i / 20));
	},
	async hover(page, x, y, i) {
		await page.mouse.move(x - 400 + i * 13 % 800, y - i % 150);
	},
};

// The key that is pressed meanwhile.
async function holding(page, what, press) {
	if (what === "pan")
		await page.mouse[press ? "down" : "up"]();
	if (what === "zoom")
		await page.keyboard[press ? "down" : "up"]("Control");
}

// Does it for a second, with the pointer where most of the flame graph is.
export async function act(page, what, marks = { begin() {}, end() {} }) {
	const box = await page.locator("#view-graph canvas").boundingBox();
	const x = box.x + box.width / 2, y = box.y + box.height - 60;
	await page.mouse.move(x, y);
	await holding(page, what, true);
	await marks.begin();
	const until = performance.now() + ACTION_MS;
	for (let i = 0; performance.now() < until; i++)
		await ACTIONS[what](page, x, y, i);
	await marks.end();
	await holding(page, what, false);
}

// Returns { rate: frames a second, longest: ms between two } of "zoom", "pan" or "hover" in the
// flame graph.
export async function moving(page, what) {
	const mark = (name) => page.evaluate((text) => performance.mark(text), name);
	const events = await traced(page, () => act(page, what, { begin: () => mark("begin"), end: () => mark("end") }));
	const begin = events.find((e) => e.name === "begin"), end = events.find((e) => e.name === "end").ts / 1000;
	const frames = framesAfter(events, begin).filter((ts) => ts < end);
	const gaps = [...frames, end].map((ts, i) => ts - (i ? frames[i - 1] : begin.ts / 1000));
	return { rate: frames.length * 1000 / (end - begin.ts / 1000), longest: Math.max(...gaps) };
}
