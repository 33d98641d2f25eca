// SPDX-License-Identifier: Apache-2.0
// run.mjs CASE runs one case of cases.mjs against the pages in the current directory.
import path from "node:path";
import { launch, open } from "./browser.mjs";
import * as cases from "./cases.mjs";

const run = cases[process.argv[2]];
if (!run) {
	console.log(`no case ${process.argv[2]}; there are: ${Object.keys(cases).join(" ")}`);
	process.exit(2);
}
const browser = await launch(), opened = [];
try {
	await run(async (name, options) => {
		const one = await open(browser, path.resolve(name + ".html"), options);
		opened.push(one);
		return one.page;
	});
	for (const { faults } of opened) {
		if (faults.length)
			throw new Error(`the page did what it must not: ${faults.join("; ")}`);
	}
} catch (error) {
	console.log(error.stack);
	process.exitCode = 1;
} finally {
	await browser.close();
}
