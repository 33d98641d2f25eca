// SPDX-License-Identifier: Apache-2.0
// bench_page.mjs PAGE...: how long a page takes to open, and frames a second while it is zoomed and panned.
import path from "node:path";
import fs from "node:fs";
import { launch, open } from "../page/browser.mjs";

// Runs in the page from its first moment: when was the first graph on the screen?
function watch() {
	const look = () => {
		if (window.cprofPage && window.cprofPage.graph.rows.length)
			requestAnimationFrame(() => window.drawnAt = performance.now());
		else
			requestAnimationFrame(look);
	};
	requestAnimationFrame(look);
}

// Frames of `ms` milliseconds in which `move(graph, t)` is called before each: [rate, longest].
async function frames([ms, what]) {
	const { graph } = window.cprofPage, moves = {
		zoom: (t) => graph.zoomBy(Math.sin(t / 300) > 0 ? 0.93 : 1 / 0.93, graph.width * 0.3),
		pan: (t) => graph.panBy(Math.sin(t / 400) * 25),
		hover: (t) => graph.hover(graph.nodeAt((t * 0.7) % graph.width, graph.height - 30 - (t / 9) % 200), null),
	};
	if (what === "pan")
		graph.moveTo(graph.layout.total * 0.3, graph.layout.total * 0.5, false);
	const began = performance.now();
	let last = began, n = 0, longest = 0;
	for (;;) {
		const now = await new Promise(requestAnimationFrame);
		longest = Math.max(longest, now - last);
		last = now;
		if (now - began > ms)
			break;
		moves[what](now - began);
		n++;
	}
	return [n * 1000 / (last - began), longest];
}

const browser = await launch();
console.log("page              size MB  open ms  nodes   zoom fps  pan fps  hover fps  longest frame ms");
for (const file of process.argv.slice(2)) {
	const size = fs.statSync(file).size / 1e6, opened = [];
	let page, close;
	for (let i = 0; i < 3; i++) {
		if (close)
			await close();
		({ page, close } = await open(browser, path.resolve(file), { script: watch }));
		await page.waitForFunction(() => window.drawnAt);
		opened.push(await page.evaluate(() => window.drawnAt));
	}
	const rates = [], nodes = await page.evaluate(() => window.cprofPage.graph.tree.count);
	let longest = 0;
	for (const what of ["zoom", "pan", "hover"]) {
		const [rate, most] = await page.evaluate(frames, [2000, what]);
		rates.push(rate);
		longest = Math.max(longest, most);
	}
	await close();
	console.log(`${path.basename(file).padEnd(17)} ${size.toFixed(2).padStart(7)} ` +
		`${opened.sort((a, b) => a - b)[1].toFixed(0).padStart(8)} ${String(nodes).padStart(6)} ` +
		`${rates.map((r) => r.toFixed(0).padStart(9)).join("")}  ${longest.toFixed(0).padStart(12)}`);
}
await browser.close();
