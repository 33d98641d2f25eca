// SPDX-License-Identifier: Apache-2.0
// screenshot.mjs PAGE OUT.png saves the flame graph with the tooltip of a frame in the middle.
import path from "node:path";
import { launch, open, settle } from "./browser.mjs";

const [, , file, out] = process.argv, browser = await launch();
const { page } = await open(browser, path.resolve(file), { width: 1200, height: 600 });
await page.addStyleTag({ content: ".facts div:nth-child(3), .facts div:nth-child(4) { display: none; }" });
// A frame of some width, high up, whose name says something.
const place = await page.evaluate(() => {
	const { graph } = window.cprofPage, { tree, functions } = graph, box = graph.canvas.getBoundingClientRect();
	let best = -1;
	for (let i = 1; i < tree.count; i++) {
		const r = graph.rectOf(i);
		if (r.width > 90 && r.width < 400 && /^shop::/.test(functions.name[tree.func[i]]) &&
		    (best < 0 || tree.depth(i) > tree.depth(best)))
			best = i;
	}
	const r = graph.rectOf(Math.max(best, 1));
	return [box.left + r.x + 40, box.top + r.y + r.height / 2];
});
await page.mouse.move(...place);
await settle(page);
await page.waitForTimeout(200);
await page.screenshot({ path: out });
await browser.close();
