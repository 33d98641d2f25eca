// SPDX-License-Identifier: Apache-2.0
// speedscope.mjs SPEEDSCOPE FILE... prints what speedscope itself makes of each file, as JSON
// lines: its title, and total, self and name of each function as its sandwich view prints them.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

// This is how speedscope's own command does it: a script beside the page passes the file on.
function handOver(file, folder) {
	const script = path.join(folder, "load.js");
	const bytes = fs.readFileSync(file).toString("base64");
	fs.writeFileSync(script, `speedscope.loadFileFromBase64(${JSON.stringify(path.basename(file))}, "${bytes}")`);
	return script;
}

// The list draws only the visible rows, so the window is tall.
async function rows(page) {
	await page.keyboard.press("3");
	await page.waitForFunction(() => [...document.querySelectorAll("td")].some((td) => td.innerText.includes("%)")));
	return page.$$eval("tr", (all) => all.map((tr) => [...tr.querySelectorAll("td")].map((td) => td.innerText.trim()))
		.filter((row) => row.length === 3 && row[0].includes("%)")));
}

async function show(browser, index, file, folder) {
	const page = await browser.newPage({ viewport: { width: 1400, height: 4000 } }), faults = [];
	page.on("pageerror", (e) => faults.push(String(e)));
	page.on("console", (m) => m.type() === "error" && faults.push(m.text()));
	await page.goto(`${pathToFileURL(index).href}#localProfilePath=${handOver(file, folder)}`);
	await page.waitForFunction(() => document.title.endsWith(" - speedscope"), null, { timeout: 90000 })
		.catch(() => faults.push("not loaded"));
	const result = { file: path.basename(file), title: await page.title(), faults, rows: faults.length ? [] : await rows(page) };
	await page.close();
	return result;
}

const [root, ...files] = process.argv.slice(2);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "speedscope-"));
const browser = await launch();
try {
	for (const file of files)
		console.log(JSON.stringify(await show(browser, path.join(root, "dist/release/index.html"), file, folder)));
} finally {
	await browser.close();
	fs.rmSync(folder, { recursive: true });
}
