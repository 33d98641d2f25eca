// SPDX-License-Identifier: Apache-2.0
// Starts a headless Chromium that opens pages of the tests and records what they must not do.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";
import fs from "node:fs";

// PLAYWRIGHT is the directory with node_modules (tests/page/setup.sh).
const require = createRequire(path.join(process.env.PLAYWRIGHT, "x.js"));
const { chromium } = require("playwright-core");

const CHROMIUM = {
	executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
		.find((file) => fs.existsSync(file)),
	args: ["--no-sandbox", "--disable-gpu"],
};
// A busy machine delays everything.
const PATIENCE_MS = 90000;

export const serve = () => chromium.launchServer(CHROMIUM);

// BROWSER_AT is the address of a browser that already runs (serve.mjs).
export async function launch(options = {}) {
	const at = process.env.BROWSER_AT;
	return at ? chromium.connect(at) : chromium.launch({ ...CHROMIUM, timeout: PATIENCE_MS, ...options });
}

// Opens FILE. `faults` collects console errors, exceptions, dialogs and requests that leave the
// page.
export async function open(browser, file, { hash = "", context = {}, script = null, width = 1280, height = 760 } = {}) {
	const ctx = await browser.newContext({ viewport: { width, height }, acceptDownloads: true, ...context });
	ctx.setDefaultTimeout(PATIENCE_MS);
	const page = await ctx.newPage(), faults = [], own = pathToFileURL(file).href;
	page.on("console", (m) => ["error", "warning"].includes(m.type()) && faults.push(`console: ${m.text()}`));
	page.on("pageerror", (e) => faults.push(`exception: ${e.stack}`));
	page.on("dialog", (d) => {
		faults.push(`dialog: ${d.message()}`);
		d.dismiss();
	});
	page.on("request", (r) => {
		if (r.url().split("#")[0] !== own && !/^(data|blob):/.test(r.url()))
			faults.push(`request: ${r.url()}`);
	});
	if (script)
		await page.addInitScript(script);
	await page.goto(own + hash);
	await page.waitForFunction(() => window.cprofPage && !document.querySelector(".loading"));
	await settle(page);
	return { page, faults, close: () => ctx.close() };
}

// Waits until the requested view has been drawn.
export async function settle(page) {
	await page.waitForFunction(() => {
		const { graph, callers, callees } = window.cprofPage;
		return [graph, callers, callees].every((g) => !g.pending && !g.animation);
	});
}

// Returns where on the page the frame of a path of names is ("main", "serve"), in the graph of that
// name.
export async function frame(page, names, graph = "graph") {
	return page.evaluate(([names, which]) => {
		const g = window.cprofPage[which], { tree, functions } = g;
		let node = 0;
		for (const name of names) {
			node = [...g.layout.children(node)].find((c) => functions.name[tree.func[c]] === name);
			if (node === undefined)
				return null;
		}
		const box = g.canvas.getBoundingClientRect(), r = g.rectOf(node);
		return {
			node, x: box.left + r.x, y: box.top + r.y, width: r.width, height: r.height, value: tree.value[node],
			self: tree.self[node], base: tree.base && tree.base[node], share: r.width / g.width,
		};
	}, [names, graph]);
}

export async function click(page, names, graph) {
	const f = await frame(page, names, graph);
	await page.mouse.click(f.x + Math.min(f.width, 1200) / 2, f.y + f.height / 2);
	await settle(page);
}

// Returns the colour of the picture's pixel at a position of the page.
export async function pixel(page, x, y) {
	return page.evaluate(([x, y]) => {
		const { canvas } = window.cprofPage.graph, box = canvas.getBoundingClientRect();
		const ratio = canvas.width / box.width, copy = document.createElement("canvas").getContext("2d");
		copy.drawImage(canvas, (box.left - x) * ratio, (box.top - y) * ratio);
		return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3);
	}, [x, y]);
}
