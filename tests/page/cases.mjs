// SPDX-License-Identifier: Apache-2.0
// What the page does with the profiles of make_page.c. `open(name, options)` gives a page; faults
// are checked afterwards.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { click, frame, pixel, settle } from "./browser.mjs";
import { movingCost, openingCost } from "./cost.mjs";

const near = (have, want, tolerance = 0.01) => assert.ok(Math.abs(have - want) <= tolerance, `${have} is not ${want}`);
const crumbs = (page) => page.locator(".crumbs button").allTextContents();
const press = async (page, key) => {
	await page.keyboard.press(key);
	await settle(page);
};
const choose = async (page, control, value) => {
	await page.selectOption(`#choose-${control}`, value);
	await settle(page);
};
const search = async (page, text) => {
	await page.fill("#search", text);
	await page.waitForFunction((t) => window.cprofPage.state.query === t, text);
	await settle(page);
	return page.textContent(".search output");
};
const rows = (page) => page.$$eval(".tablewrap tbody tr", (trs) =>
	trs.map((tr) => [...tr.cells].map((c) => c.textContent)));
const save = async (page, item) => {
	await page.click("text=Save");
	const [download] = await Promise.all([page.waitForEvent("download"), page.click(`text=${item}`)]);
	const name = download.suggestedFilename();
	// another process owns the browser's own file
	await download.saveAs(path.resolve("saved", name));
	return { name, bytes: fs.readFileSync(path.resolve("saved", name)) };
};
const total = (page) => page.evaluate(() => window.cprofPage.graph.tree.value[0]);

export async function load(open) {
	const page = await open("cpu");
	assert.equal(await page.title(), "cpu of shop – cprof");
	const head = await page.textContent("header");
	for (const text of ["cpu of shop", "2023", "5 s", "buildbox", "6.18.0", "99 Hz", "1,000", "3 (ring buffer full 3)"])
		assert.ok(head.includes(text), `the header lacks ${text}`);
	assert.ok(await page.isVisible(".facts .warning"), "losses do not stand out");
	near((await frame(page, ["main", "serve"])).share, 0.6);
	near((await frame(page, ["main", "serve", "parse"])).share, 0.4);
	assert.equal((await frame(page, ["main", "serve", "parse"])).self, 10 * 1e7);
	const legend = await page.textContent(".legend");
	for (const kind of ["user code 35.0 %", "inlined 30.0 %", "kernel 30.0 %", "JIT code 5.00 %"])
		assert.ok(legend.includes(kind), `${legend} lacks ${kind}`);
	assert.ok((await page.screenshot()).length > 5000);
	// By module, frames that only call others also have a colour.
	await choose(page, "color", "module");
	assert.deepEqual(await page.$$eval(".legend li", (items) => items.map((item) => item.textContent)),
		["shop 65.0 %", "[kernel.kallsyms] 30.0 %", "perf-7.map 5.00 %", "libc.so.6 0 %", "[stack cut] 0 %"]);
	const write = await frame(page, ["main", "serve", "reply", "write"]);
	const [r, g, b] = await pixel(page, write.x + 90, write.y + 2);
	assert.ok(Math.max(r, g, b) - Math.min(r, g, b) > 30, "a module of some width is grey");
}

// This profile has a million samples in 100,000 stacks.
export async function speed(open) {
	const page = await open("large"), opened = await openingCost(page);
	assert.ok(opened < 1000, `opening takes ${opened} ms of CPU time`);
	for (const what of ["zoom", "pan"]) {
		const { frames, cost } = await movingCost(page, what);
		assert.ok(frames > 3, `${what}: ${frames} frames`);
		assert.ok(cost < 1000 / 30, `${what}: ${cost} ms of CPU time for each of ${frames} frames`);
	}
}

export async function empty(open) {
	const page = await open("empty");
	assert.ok(await page.isVisible("text=No samples of this type."));
	for (const key of ["2", "3", "1"])
		await press(page, key);
}

export async function zoom(open) {
	const page = await open("cpu");
	await click(page, ["main", "serve", "parse"]);
	near((await frame(page, ["main", "serve", "parse"])).share, 1);
	near((await frame(page, ["main", "serve", "parse", "scan"])).share, 0.75);
	assert.deepEqual(await crumbs(page), ["all", "main", "serve", "parse"]);
	await page.click(".crumbs button:has-text('main')");
	await settle(page);
	near((await frame(page, ["main"])).share, 1);
	await page.click(".crumbs button:has-text('all')");
	await settle(page);
	near((await frame(page, ["main"])).share, 0.8);
	// The view moves with the wheel at the pointer, and by dragging.
	const f = await frame(page, ["main", "serve"]);
	await page.mouse.move(f.x + 20, f.y + 5);
	await page.keyboard.down("Control");
	await page.mouse.wheel(0, -100);
	await page.keyboard.up("Control");
	await settle(page);
	const wider = await frame(page, ["main", "serve"]);
	assert.ok(wider.share > 0.8, "the wheel does not zoom");
	await page.mouse.move(f.x + 300, f.y + 5);
	await page.mouse.down();
	await page.mouse.move(f.x + 180, f.y + 5, { steps: 3 });
	await page.mouse.up();
	await settle(page);
	near((await frame(page, ["main", "serve"])).x, wider.x - 120, 3);
	assert.deepEqual(await crumbs(page), ["all"], "a drag is no click");
}

export async function find(open) {
	const page = await open("cpu");
	// scan is inlined in parse (30) and called by walk (20); walk within walk counts once.
	assert.match(await search(page, "^scan$"), /^50\.0 % · 500 ms · 1 fn$/);
	assert.match(await search(page, "walk|scan"), /^50\.0 % · 500 ms · 2 fn$/);
	assert.match(await search(page, "SER(V)E"), /^60\.0 %/);
	assert.equal(await search(page, "nowhere"), "no match");
	await search(page, "lost");
	const lost = await frame(page, ["[stack cut: stack deeper than the limit]", "lost"]);
	const [r, , b] = await pixel(page, lost.x + 20, lost.y + 3);
	assert.ok(r > 180 && b > 180, "a match has no colour of its own");
	// This is not a regular expression, so it is taken as text, and the page says so.
	assert.match(await search(page, "[stack cut"), /^5\.00 %/);
	assert.equal(await page.getAttribute("#search", "aria-invalid"), "true");
	// Enter goes to the largest match. Within the zoomed part, the share is of that part.
	await search(page, "^scan$");
	await page.keyboard.press("Enter");
	await settle(page);
	assert.match(await page.textContent(".detail"), /^scan300 ms \(30\.0 %\)/);
	await click(page, ["main", "serve", "parse"]);
	assert.match(await page.textContent(".search output"), /^75\.0 %/);
	await page.focus("#search");
	await press(page, "Escape");
	assert.equal(await page.textContent(".search output"), "");
}

export async function highlight(open) {
	const page = await open("cpu");
	const here = await frame(page, ["main", "serve", "parse", "scan"]);
	const there = await frame(page, ["main", "walk", "walk", "walk", "scan"]);
	const before = await pixel(page, there.x + 30, there.y + 1);
	await page.mouse.move(here.x + 20, here.y + 8);
	await settle(page);
	assert.notDeepEqual(await pixel(page, there.x + 30, there.y + 1), before);
	const tip = await page.textContent("#tip");
	for (const text of ["scan", "/usr/bin/shop", "inlined", "src/shop.cc:10", "300 ms", "30.0 %"])
		assert.ok(tip.includes(text), `${tip} lacks ${text}`);
	// Two lines of one function are one frame, whose tooltip has both.
	const parse = await frame(page, ["main", "serve", "parse"]);
	await page.mouse.move(parse.x + 20, parse.y + 8);
	assert.match(await page.textContent("#tip"), /shop\.cc:40 {2}75\.0 %.*shop\.cc:44 {2}25\.0 %/);
	await page.mouse.move(parse.x + 20, 5);
	assert.ok(await page.isHidden("#tip"));
}

export async function types(open) {
	const page = await open("heap");
	assert.deepEqual(await page.$$eval("#choose-type option", (o) => o.map((x) => x.textContent)),
		["alloc_objects (count)", "alloc_space (bytes)", "inuse_objects (count)", "inuse_space (bytes)"]);
	assert.match(await page.textContent(".detail"), /50\.0 MiB inuse_space/);
	assert.ok((await page.textContent("header")).includes("a sample each 512 KiB of space"));
	near((await frame(page, ["main", "cache"])).share, 52428800 / 52469760);
	await choose(page, "type", "0");
	near((await frame(page, ["main", "parse"])).share, 1000 / 1105);
	assert.match(await page.textContent(".detail"), /1,105 alloc_objects/);
	await press(page, "3");
	assert.deepEqual((await rows(page))[0].slice(0, 2), ["1,000", "90.5 %"]);
	await choose(page, "type", "3");
	assert.deepEqual((await rows(page))[0].slice(0, 2), ["50.0 MiB", "100 %"]);
}

export async function idle(open) {
	const page = await open("wall");
	assert.equal(await total(page), 1100000000);
	await page.click("#toggle-hideIdle");
	await settle(page);
	// epoll_wait and the join are idle by their names, and take by its label; the mutex and the
	// work stay.
	assert.equal(await total(page), 130000000);
	await page.click("#toggle-hideIdle");
	await settle(page);
	assert.equal(await total(page), 1100000000);
	const cpu = await open("cpu");
	await press(cpu, "h");
	assert.equal(await total(cpu), 85 * 1e7);
	const heap = await open("heap");
	assert.ok(await heap.isHidden("#toggle-hideIdle"));
}

export async function grouping(open) {
	const page = await open("cpu");
	await choose(page, "group", "thread");
	assert.equal((await frame(page, ["thread worker 1"])).value, 45 * 1e7);
	assert.equal((await frame(page, ["thread worker 2", "main", "serve"])).value, 20 * 1e7);
	assert.equal((await frame(page, ["thread idle"])).value, 15 * 1e7);
	await click(page, ["thread worker 2", "main"]);
	assert.deepEqual(await crumbs(page), ["all", "thread worker 2", "main"]);
	await page.reload();
	await settle(page);
	assert.deepEqual(await crumbs(page), ["all", "thread worker 2", "main"]);
	await choose(page, "group", "");
	assert.equal((await frame(page, ["main"])).value, 80 * 1e7);
}

export async function sandwich(open) {
	const page = await open("cpu");
	await click(page, ["main", "serve", "reply"]);
	await page.click(".detail button:has-text('Sandwich')");
	await settle(page);
	assert.equal(await page.inputValue("#chosen"), "reply");
	assert.equal((await frame(page, ["serve", "main"], "callers")).value, 20 * 1e7);
	assert.equal((await frame(page, ["write", "do_syscall"], "callees")).value, 15 * 1e7);
	assert.match(await page.textContent(".chosen"), /total 200 ms \(20\.0 %\), self 0 \(0 %\)/);
	// The function is called from two places, and is recursive.
	await page.fill("#chosen", "scan");
	await page.press("#chosen", "Enter");
	await settle(page);
	assert.equal((await frame(page, ["parse"], "callers")).value, 30 * 1e7);
	assert.equal((await frame(page, ["walk"], "callers")).value, 20 * 1e7);
	await page.fill("#chosen", "walk");
	await page.press("#chosen", "Enter");
	await settle(page);
	assert.equal((await frame(page, [], "callers")).value, 20 * 1e7);
	assert.equal((await frame(page, ["main"], "callers")).value, 20 * 1e7);
	assert.equal((await frame(page, ["walk", "walk", "scan"], "callees")).value, 20 * 1e7);
	const above = await frame(page, ["main"], "callers"), below = await frame(page, ["walk"], "callees");
	const middle = await page.locator("#chosen").boundingBox();
	assert.ok(above.y < middle.y && middle.y < below.y, "callers above, callees below");
}

export async function table(open) {
	const page = await open("cpu");
	await page.click("text=Functions");
	await settle(page);
	const all = await rows(page);
	assert.deepEqual(all[0], ["500 ms", "50.0 %", "500 ms", "50.0 %", "scan", "shop"]);
	assert.equal(all.find((r) => r[4] === "walk")[2], "200 ms", "recursion counts once");
	assert.equal(await page.getAttribute("th >> nth=0", "aria-sort"), "descending");
	await page.click("th button:has-text('Total')");
	assert.equal((await rows(page))[0][4], "main");
	await page.click("th button:has-text('Function')");
	const names = (await rows(page)).map((r) => r[4]);
	assert.deepEqual(names, [...names].sort());
	await search(page, "sys");
	assert.deepEqual((await rows(page)).map((r) => r[4]), ["do_syscall"]);
	// Screen readers need a real table with headers, and views that say what they are.
	assert.equal(await page.getByRole("columnheader").count(), 6);
	assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Functions");
	await page.click("td button:has-text('do_syscall')");
	assert.equal(await page.inputValue("#chosen"), "do_syscall");
}

export async function diff(open) {
	const page = await open("diff");
	assert.ok((await page.textContent("header")).includes("Compared with cpu of shop, old"));
	const parse = await frame(page, ["main", "serve", "parse"]), write = await frame(page, ["main", "serve", "reply", "write"]);
	assert.equal(parse.base, 20 * 1e7);
	assert.equal(write.base, 25 * 1e7);
	const [r1, , b1] = await pixel(page, parse.x + 90, parse.y + 2), [r2, , b2] = await pixel(page, write.x + 90, write.y + 2);
	assert.ok(r1 > b1 + 20, "what grew is not red");
	assert.ok(b2 > r2 + 20, "what shrank is not blue");
	await page.mouse.move(parse.x + 20, parse.y + 8);
	assert.match(await page.textContent("#tip"), /before200 ms.*change\+200 ms\+100 %$/);
	// 200 samples against 250 are 2.3 deviations.
	const reply = await frame(page, ["main", "serve", "reply"]), [r3, , b3] = await pixel(page, reply.x + 90, reply.y + 2);
	assert.ok(Math.abs(r3 - b3) < 8, "noise has a colour");
	await page.mouse.move(reply.x + 20, reply.y + 8);
	assert.match(await page.textContent("#tip"), /The change is within sampling noise\.$/);
	assert.match(await page.textContent(".legend"), /within sampling noise/);
	// A frame that has disappeared has a width if the widths are the old ones.
	assert.equal((await frame(page, ["main", "gone"])).width, 0);
	await choose(page, "width", "base");
	near((await frame(page, ["main", "gone"])).share, 0.1);
	await choose(page, "width", "both");
	near((await frame(page, ["main", "gone"])).share, 5 / 150);
	await press(page, "2");
	await press(page, "1");
	near((await frame(page, ["main", "gone"])).share, 5 / 150, 1e-6);
	await choose(page, "width", "new");
	await choose(page, "scale", "total");
	assert.equal((await frame(page, ["main", "serve", "parse"])).base, 40 * 1e7);
	assert.match(await page.textContent(".scale"), /multiplied by 2, so that both totals are equal/);
	await choose(page, "scale", "second");
	assert.ok(await page.isHidden(".scale"), "both recordings took the same time");
	await press(page, "3");
	const gone = (await rows(page)).find((row) => row.includes("gone"));
	assert.deepEqual(gone.slice(0, 4), ["−50 ms", "−5.00 %", "−50 ms", "−5.00 %"]);
	const noise = (await rows(page)).filter((row) => row[2].startsWith("~"));
	assert.deepEqual(noise.map((row) => row[2]), ["~ −50 ms"]);
	await press(page, "2");
	assert.ok(await page.isVisible(".chosen"));
}

// The recording before took four times as long.
export async function durations(open) {
	const page = await open("shorter"), parse = ["main", "serve", "parse"];
	assert.match(await page.textContent(".scale"), /per second of recording.*20 s.*5 s.*multiplied by 0\.25/);
	assert.equal((await frame(page, parse)).base, 5 * 1e7);
	await press(page, "3");
	assert.equal((await rows(page)).find((r) => r.includes("gone"))[0], "−12.5 ms");
	await press(page, "1");
	await choose(page, "scale", "raw");
	assert.equal((await frame(page, parse)).base, 20 * 1e7);
	assert.match(await page.textContent(".scale"), /^Compared as recorded, although/);
	assert.match(page.url(), /scale=raw/);
	await choose(page, "scale", "total");
	assert.equal((await frame(page, parse)).base, 40 * 1e7);
}

export async function distinct(open) {
	for (const width of [1280, 700]) {
		const page = await open("names", { hash: "#view=table", width });
		const shown = await page.$$eval("td.name button", (all) => all.map((b) => ({
			text: b.textContent, whole: b.title, cut: b.scrollWidth > b.clientWidth + 1,
		})));
		assert.equal(new Set(shown.map((s) => s.text)).size, shown.length, "two functions look equal");
		assert.deepEqual(shown.filter((s) => s.cut), [], "a name is wider than its column");
		const text = (part) => shown.find((s) => s.whole.includes(part)).text;
		assert.ok(shown.find((s) => s.whole.includes("Second")).whole.length > 250, "the tooltip is not whole");
		assert.match(text("Second"), /hint_unique.*Second/);
		assert.match(text("vector"), /^std::map.*::operator\[\]$/);
		const kinds = await page.$$eval("td.name", (all) => all.map((td) => [td.textContent, td.firstChild.className]));
		assert.deepEqual(kinds.filter(([name]) => /inlined|^main$/.test(name)).sort(),
			[["always_inlined", "swatch inlined"], ["main", "swatch user"]]);
	}
}

// diff.txt is what `cprof diff` prints for the same profiles.
export async function chance(open) {
	const page = await open("compared", { hash: "#view=table" });
	const have = (await rows(page)).map((row) => [row[7], row[2].startsWith("~")]), want = [];
	for (const line of fs.readFileSync("diff.txt", "utf8").split("\n")) {
		const m = /^ *\S+ +\S+ +[+-]\S+ +(?:\S+%|new|gone) (~| ) {2}(.*?)(?: \(\S+\))?$/.exec(line);
		if (m)
			want.push([m[2], m[1] === "~"]);
	}
	assert.deepEqual(have.sort(), want.sort());
}

export async function resizing(open) {
	const page = await open("cpu", { height: 250 });
	const root = () => page.evaluate(() => {
		const { graph } = window.cprofPage;
		return graph.height - graph.rowY(0);
	});
	// The root stays at the bottom, whatever changes around it.
	for (const height of [250, 330, 240, 700, 260]) {
		await page.setViewportSize({ width: 700, height });
		await page.waitForTimeout(100);
		await settle(page);
		assert.equal(await root(), 19, `at a height of ${height}`);
	}
	await search(page, "main");
	await choose(page, "color", "module");
	assert.equal(await root(), 19);
	// After scrolling away by hand, the view stays there.
	await page.evaluate(() => window.cprofPage.graph.scroller.scrollTop = 0);
	await page.waitForTimeout(100);
	assert.ok(await root() < 0);
}

export async function theme(open) {
	const light = await open("cpu", { context: { colorScheme: "light" } });
	const back = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const corner = async (page) => (await pixel(page, 40, 200)).reduce((a, b) => a + b, 0);
	assert.equal(await back(light), "rgb(255, 255, 255)");
	assert.ok(await corner(light) > 700);
	await press(light, "t");
	assert.ok(await corner(light) < 150, "the canvas stays light");
	assert.notEqual(await back(light), "rgb(255, 255, 255)");
	await light.reload();
	await settle(light);
	assert.ok(await corner(light) < 150, "the choice is forgotten");
	const dark = await open("cpu", { context: { colorScheme: "dark" } });
	assert.ok(await corner(dark) < 150, "the system's choice is not followed");
	await dark.emulateMedia({ colorScheme: "light" });
	await dark.waitForFunction(() => !window.cprofPage.dark);
	await settle(dark);
	assert.ok(await corner(dark) > 700);
}

export async function keyboard(open) {
	const page = await open("cpu");
	await page.focus(".graph");
	await press(page, "ArrowUp");
	await press(page, "ArrowUp");
	assert.match(await page.textContent("#status"), /^main: 800 ms \(80\.0 %\)/);
	await press(page, "ArrowUp");
	await press(page, "ArrowRight");
	assert.match(await page.textContent("#status"), /^walk: 200 ms/);
	await press(page, "Enter");
	assert.deepEqual(await crumbs(page), ["all", "main", "walk"]);
	await press(page, "Backspace");
	assert.deepEqual(await crumbs(page), ["all", "main"]);
	await press(page, "0");
	assert.deepEqual(await crumbs(page), ["all"]);
	await press(page, "s");
	assert.equal(await page.inputValue("#chosen"), "walk");
	await press(page, "1");
	const before = await frame(page, ["main"]);
	await press(page, "i");
	assert.ok((await frame(page, ["main"])).y < before.y - 100, "an icicle hangs from the top");
	await press(page, "/");
	assert.equal(await page.evaluate(() => document.activeElement.id), "search");
	await press(page, "Escape");
	await press(page, "?");
	assert.ok(await page.isVisible("dialog"));
	await press(page, "Escape");
	assert.ok(await page.isHidden("dialog"));
	await press(page, "3");
	assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Functions");
	await page.getByRole("tab", { selected: true }).focus();
	await press(page, "ArrowLeft");
	assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Sandwich");
}

export async function pictures(open) {
	const page = await open("cpu");
	const svg = await save(page, "SVG picture"), text = svg.bytes.toString();
	assert.match(svg.name, /^cprof-cpu-of-shop\.svg$/);
	assert.match(text, /<title>scan: 300 ms \(30\.0 %\)<\/title>/);
	assert.equal(text.match(/<rect /g).length, 1 + await page.evaluate(() =>
		window.cprofPage.graph.tree.weight.filter((w) => w > 0).length));
	const png = await save(page, "PNG picture");
	assert.equal(png.bytes.subarray(1, 4).toString(), "PNG");
	assert.equal(png.bytes.readUInt32BE(16), 2 * (1280 - 32));
	const evil = await open("evil");
	const bad = (await save(evil, "SVG picture")).bytes.toString();
	assert.ok(!/<script|<img/.test(bad));
	const errors = await evil.evaluate((svg) => {
		const doc = new DOMParser().parseFromString(svg, "image/svg+xml");
		return [doc.querySelectorAll("parsererror").length, doc.querySelectorAll("title").length];
	}, bad);
	assert.deepEqual(errors, [0, 11]);
	// On paper the whole graph is there, in light colours, and it is gone again afterwards.
	await page.emulateMedia({ media: "print" });
	await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
	assert.equal(await page.locator(".printed").count(), 1);
	assert.ok((await page.pdf()).length > 5000);
	await page.evaluate(() => dispatchEvent(new Event("afterprint")));
	assert.equal(await page.locator(".printed").count(), 0);
}

export async function address(open) {
	const page = await open("cpu");
	await choose(page, "type", "0");
	await choose(page, "color", "module");
	await page.click("#toggle-icicle");
	await click(page, ["main", "serve", "parse"]);
	await search(page, "sc.n & <x>");
	const hash = await page.evaluate(() => location.hash);
	const again = await open("cpu", { hash });
	assert.deepEqual(await crumbs(again), ["all", "main", "serve", "parse"]);
	assert.equal(await again.inputValue("#search"), "sc.n & <x>");
	assert.equal(await again.inputValue("#choose-type"), "0");
	assert.equal(await again.inputValue("#choose-color"), "module");
	assert.equal(await again.getAttribute("#toggle-icicle", "aria-pressed"), "true");
	near((await frame(again, ["main", "serve", "parse"])).share, 1);
	// A position between frames is kept as well, once no input comes, and so is the order of
	// the table.
	await again.focus(".graph");
	await press(again, "-");
	const wide = await frame(again, ["main", "serve", "parse"]);
	assert.ok(wide.share < 0.99);
	await again.waitForFunction(() => location.hash.includes("range="));
	await press(again, "3");
	await again.click("th button:has-text('Module')");
	const moved = await open("cpu", { hash: await again.evaluate(() => location.hash) });
	assert.equal(await moved.getAttribute("th:has-text('Module')", "aria-sort"), "ascending");
	await press(again, "1");
	await again.waitForFunction(() => location.hash.includes("range="));
	const beside = await open("cpu", { hash: await again.evaluate(() => location.hash) });
	near((await frame(beside, ["main", "serve", "parse"])).x, wide.x, 0.5);
	near((await frame(beside, ["main", "serve", "parse"])).width, wide.width, 0.5);
	// Back undoes the zoom, and nonsense is ignored.
	await page.goBack();
	await page.waitForFunction(() => window.cprofPage.graph.focus === 0);
	await settle(page);
	const odd = await open("cpu", { hash: "#view=__proto__&type=none&group=x&zoom=~%25.zz9.-1&func=zzzzz&width=z&range=1_0&sort=-x" });
	assert.deepEqual(await crumbs(odd), ["all"]);
}

export async function escaping(open) {
	const page = await open("evil");
	for (const view of ["#view=table", "#view=sandwich", "#group=thread"]) {
		await page.evaluate((hash) => location.hash = hash, view);
		await page.waitForFunction((hash) => window.cprofPage.written === hash, view);
		await settle(page);
		assert.equal(await page.evaluate(() => window.stolen), undefined);
	}
	const shown = await page.evaluate(() => window.cprofPage.functions.name);
	for (const name of ["<script>window.stolen=1</script>", "</script><img src=x onerror=window.stolen=1>", "__proto__",
		"constructor", "\\u2028line\\u2029 \u{1f525} \\u003c \\", "tab\\there\\nnewline", "operator<< <char>&&(\"a\", 'b')"])
		assert.ok(shown.includes(name), `${name} is not among ${shown}`);
	assert.equal(await page.locator("img, script").count(), 1, "elements out of names");
	await press(page, "3");
	assert.ok((await rows(page)).some((r) => r[4] === "<script>window.stolen=1</script>"));
	await click(await open("evil"), ["main", "</script><img src=x onerror=window.stolen=1>"]);
}

// Every string of these, including units and label keys, is markup that would run a script
// (tests/e2e/hostile.py).
export async function strangers(open) {
	const ran = () => [document.documentElement.id, document.querySelectorAll("img, script:not([type])").length];
	for (const name of ["hostile", "hostile-diff"]) {
		const page = await open(name);
		for (const view of ["#view=table", "#view=sandwich", "#group=thread", ""]) {
			await page.evaluate((hash) => location.hash = hash, view);
			await settle(page);
		}
		await page.mouse.move(300, 300);
		await settle(page);
		assert.deepEqual(await page.evaluate(ran), ["", 1]);
	}
	const picture = await (await open("hostile")).context().newPage();
	await picture.goto(pathToFileURL(path.resolve("hostile.svg")).href);
	assert.deepEqual(await picture.evaluate(ran), ["", 0]);
	assert.ok(await picture.evaluate(() => document.querySelectorAll("rect").length > 2));
	assert.ok(await picture.evaluate(() => document.documentElement.textContent.includes("<script>")));
}

// The distinctive part of names remains when there is little space.
export async function names(open) {
	const page = await open("cpu");
	const shortened = {
		"main": "main",
		"std::map<std::basic_string<char>, std::less<int> >::operator[](std::basic_string<char> const&)": "std::map::operator[]",
		"void shop::(anonymous namespace)::sort<int, bool>(int*, bool (*)(int)) [clone .cold]": "void shop::{anon}::sort",
		"std::ostream& std::operator<< <std::char_traits<char> >(std::ostream&, char)": "std::ostream& std::operator<<",
		"cmd/vendor/github.com/google/pprof/profile.(*Sample).key": "profile.Sample.key",
		"<alloc::vec::Vec<T,A> as core::iter::traits::collect::Extend<T>>::extend": "extend",
		"[stack cut: stack deeper than the limit]": "[stack cut: stack deeper than the limit]",
	};
	for (const [name, short] of Object.entries(shortened))
		assert.equal(await page.evaluate((text) => window.cprofPage.shortName(text), name), short);
}

// top.txt is what go tool pprof -top prints for the same profile.
export async function numbers(open) {
	const page = await open("many");
	const have = await page.evaluate(() => {
		const { stacks, functions } = window.cprofPage, sums = stacks.table(window.cprofPage.tree(""));
		return functions.name.slice(0, functions.real).map((name, f) => [name, sums.self[f], sums.total[f]]);
	});
	// pprof leaves out what is in brackets; the names end in numbers.
	const want = new Map(), number = (name) => name.match(/function_\d+/)[0];
	for (const line of fs.readFileSync("top.txt", "utf8").split("\n")) {
		const m = /^ *([\d.]+)(?:ns)? +\S+ +\S+ +([\d.]+)(?:ns)? +\S+ {2}(.*)$/.exec(line);
		if (m)
			want.set(number(m[3]), [Number(m[1]), Number(m[2])]);
	}
	assert.ok(want.size > 500, `only ${want.size} functions in top.txt`);
	for (const [name, self, total] of have)
		assert.deepEqual([self, total], want.get(number(name)) || [0, 0], name);
}

export async function real(open) {
	const page = await open("real");
	assert.ok(await page.evaluate(() => window.cprofPage.graph.tree.value[0]) > 0);
	for (const key of ["2", "3", "1", "i"])
		await press(page, key);
}
