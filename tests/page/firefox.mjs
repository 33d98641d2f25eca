// SPDX-License-Identifier: Apache-2.0
// firefox.mjs PAGE DIR opens the page in a headless Firefox with its profile in DIR, through
// Marionette, which is Firefox's own remote control: lines of JSON after their length, over TCP.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , file, dir] = process.argv;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function start() {
	fs.mkdirSync(dir, { recursive: true });
	fs.writeFileSync(path.join(dir, "user.js"), 'user_pref("marionette.port", 0);\n');
	// Reading the console requires access to the system.
	return spawn("firefox-esr", ["--headless", "--no-remote", "--marionette", "--remote-allow-system-access",
		"--profile", dir, "--width=1200", "--height=600"], { stdio: "ignore" });
}

// Waits until WHAT is true; a busy machine delays everything.
async function soon(what, why) {
	for (let tries = 0; tries < 2000; tries++) {
		if (await what())
			return;
		await wait(50);
	}
	assert.fail(why);
}

// Firefox chooses a free port and writes it to a file.
async function connect() {
	const note = path.join(dir, "MarionetteActivePort");
	await soon(() => fs.existsSync(note) && fs.readFileSync(note, "utf8").trim(), "Firefox does not start");
	return net.connect(Number(fs.readFileSync(note, "utf8")), "127.0.0.1");
}

class Marionette {
	constructor(socket) {
		this.socket = socket;
		this.waiting = new Map();
		this.rest = Buffer.alloc(0);
		this.last = 0;
		socket.on("data", (data) => this.take(data));
	}

	take(data) {
		this.rest = Buffer.concat([this.rest, data]);
		for (;;) {
			const colon = this.rest.indexOf(":"), end = colon + 1 + Number(this.rest.subarray(0, colon));
			if (colon < 0 || this.rest.length < end)
				return;
			const message = JSON.parse(this.rest.subarray(colon + 1, end).toString());
			this.rest = this.rest.subarray(end);
			// Before all answers it sends a greeting, which is not a list.
			if (Array.isArray(message))
				this.waiting.get(message[1])(message);
		}
	}

	async call(command, parameters = {}) {
		const text = JSON.stringify([0, ++this.last, command, parameters]);
		const answer = new Promise((done) => this.waiting.set(this.last, done));
		this.socket.write(`${Buffer.byteLength(text)}:${text}`);
		const [, , error, result] = await answer;
		assert.ok(!error, `${command}: ${JSON.stringify(error)}`);
		return result && "value" in result ? result.value : result;
	}

	run(script, ...args) {
		return this.call("WebDriver:ExecuteScript", { script, args });
	}

	async key(text) {
		const actions = [...text].flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }]);
		await this.call("WebDriver:PerformActions", { actions: [{ type: "key", id: "keys", actions }] });
		await this.settle();
	}

	async click(x, y) {
		await this.call("WebDriver:PerformActions", { actions: [{ type: "pointer", id: "mouse", actions: [
			{ type: "pointerMove", x: Math.round(x), y: Math.round(y) }, { type: "pointerDown", button: 0 },
			{ type: "pointerUp", button: 0 }] }] });
		await this.settle();
	}

	async settle() {
		const still = "const { graph } = window.cprofPage; return !graph.pending && !graph.animation;";
		await soon(() => this.run(still), "the page does not come to rest");
	}
}

const share = (name) => `
	const { graph, functions } = window.cprofPage, { tree } = graph;
	let node = 1;
	while (functions.name[tree.func[node]] !== ${JSON.stringify(name)})
		node++;
	const r = graph.rectOf(node), box = graph.canvas.getBoundingClientRect();
	return [r.width / graph.width, box.left + r.x + 30, box.top + r.y + 8];`;

async function check(firefox) {
	await firefox.call("WebDriver:NewSession", {});
	await firefox.call("WebDriver:Navigate", { url: pathToFileURL(path.resolve(file)).href });
	await firefox.settle();
	const [part, x, y] = await firefox.run(share("parse"));
	assert.ok(Math.abs(part - 0.4) < 0.01, `${part} is not 0.4`);
	const [, ...pixel] = await firefox.run(`const { canvas } = window.cprofPage.graph;
		return [0, ...canvas.getContext("2d").getImageData(60, canvas.height - 10, 1, 1).data];`);
	assert.notDeepEqual(pixel.slice(0, 3), [255, 255, 255], "nothing is drawn");
	await firefox.click(x, y);
	assert.ok((await firefox.run(share("parse")))[0] > 0.99, "a click does not zoom");
	await firefox.key("0");
	await firefox.key("3");
	assert.match(await firefox.run('return document.querySelector("tbody tr").textContent;'), /^500 ms50\.0 %.*scan/);
	await firefox.key("2");
	assert.equal(await firefox.run('return document.querySelector("#chosen").value;'), "scan");
	await firefox.key("1/");
	await firefox.key("sc.n");
	await soon(async () => /^50\.0 % · 500 ms/.test(
		await firefox.run('return document.querySelector(".search output").textContent;')), "nothing is found");
	await soon(async () => /query=sc\.n/.test(await firefox.run("return location.hash;")), "the address is not kept");
	await firefox.call("Marionette:SetContext", { value: "chrome" });
	const said = await firefox.run(`return Services.console.getMessageArray().map(String)
		.filter((message) => message.includes("file://"));`);
	assert.deepEqual(said, [], "the page did what it must not");
}

const child = start();
try {
	await check(new Marionette(await connect()));
} catch (error) {
	console.log(error.stack);
	process.exitCode = 1;
} finally {
	const gone = new Promise((done) => child.once("exit", done));
	child.kill();
	await gone;
}
process.exit();
