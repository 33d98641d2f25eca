// SPDX-License-Identifier: Apache-2.0
// bench_page.mjs PAGE... measures how long a page takes to open, and how many frames a second it
// draws while it is zoomed and panned.
import path from "node:path";
import fs from "node:fs";
import { launch, open } from "../page/browser.mjs";
import { moving, opening } from "../page/trace.mjs";

const browser = await launch();
console.log("page              size MB  open ms  nodes   zoom fps  pan fps  hover fps  longest frame ms");
for (const file of process.argv.slice(2)) {
	const size = fs.statSync(file).size / 1e6, opened = [], rates = [];
	const { page, close } = await open(browser, path.resolve(file));
	for (let i = 0; i < 3; i++)
		opened.push(await opening(page));
	const nodes = await page.evaluate(() => window.cprofPage.graph.tree.count);
	let most = 0;
	for (const what of ["zoom", "pan", "hover"]) {
		const { rate, longest } = await moving(page, what);
		rates.push(rate);
		most = Math.max(most, longest);
	}
	await close();
	console.log(`${path.basename(file).padEnd(17)} ${size.toFixed(2).padStart(7)} ` +
		`${opened.sort((a, b) => a - b)[1].toFixed(0).padStart(8)} ${String(nodes).padStart(6)} ` +
		`${rates.map((r) => r.toFixed(0).padStart(9)).join("")}  ${most.toFixed(0).padStart(12)}`);
}
await browser.close();
