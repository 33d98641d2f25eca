// The profile as typed arrays, unpacked from what html.c packed.

const Kind = { USER: 0, LIBRARY: 1, KERNEL: 2, JIT: 3, MARK: 4, GROUP: 5 };

function bytesOfText(text) {
	const bytes = new Uint8Array(text.length);
	for (let i = 0; i < text.length; i++)
		bytes[i] = text.charCodeAt(i);
	return bytes;
}

class Packed {
	constructor(base64) {
		this.bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(base64) : bytesOfText(atob(base64));
		this.at = 0;
	}

	get more() {
		return this.at < this.bytes.length;
	}

	// The sum is a double, because values have up to 63 bits and shifts only 32.
	next() {
		let byte = this.bytes[this.at++];
		if (byte < 128)
			return byte;
		let value = byte & 127, scale = 128;
		do {
			byte = this.bytes[this.at++];
			value += (byte & 127) * scale;
			scale *= 128;
		} while (byte >= 128);
		return value;
	}

	signed() {
		const value = this.next();
		return value % 2 ? -(value + 1) / 2 : value / 2;
	}

	// Counts the numbers that are left; each ends in its only byte below 128.
	count() {
		let n = 0;
		for (let i = this.at; i < this.bytes.length; i++)
			n += this.bytes[i] < 128;
		return n;
	}
}

function readLabelSets(base64, strings) {
	const packed = new Packed(base64), sets = [];
	while (packed.more) {
		const set = new Map();
		for (let left = packed.next(); left > 0; left--) {
			const key = strings[packed.next()], text = packed.next();
			const number = packed.signed(), unit = strings[packed.next()];
			set.set(key, text ? strings[text] : formatLabelNumber(number, unit));
		}
		sets.push(set);
	}
	return sets;
}

function readSamples(base64, types) {
	const packed = new Packed(base64), n = packed.count() / (2 + types.length);
	const samples = {
		count: n, node: new Int32Array(n), set: new Int32Array(n),
		values: types.map(() => new Float64Array(n)),
	};
	let node = 0;
	for (let i = 0; i < n; i++) {
		node += packed.signed();
		samples.node[i] = node;
		samples.set[i] = packed.next();
		for (let t = 0; t < types.length; t++)
			samples.values[t][i] = packed.signed() * types[t].scale;
	}
	return samples;
}

// Gives each node the number it has when lines are left out; numbers are in the order of the nodes.
function readMerged(base64, nodes) {
	const packed = new Packed(base64), merged = new Int32Array(nodes);
	let known = 1;
	for (let i = 1; ; i++) {
		for (let run = packed.next(); run > 0; run--)
			merged[i++] = known++;
		if (!packed.more)
			return { of: merged, count: known };
		merged[i] = packed.next();
	}
}

function readNodes(base64) {
	const packed = new Packed(base64), n = packed.count() / 2 + 1;
	const parent = new Int32Array(n), frame = new Int32Array(n);
	parent[0] = frame[0] = -1;
	for (let i = 1; i < n; i++) {
		parent[i] = i - packed.next();
		frame[i] = packed.next();
	}
	return { count: n, parent, frame };
}

function readModules(base64, strings) {
	const packed = new Packed(base64), modules = [];
	while (packed.more) {
		const path = strings[packed.next()], buildId = strings[packed.next()];
		modules.push({ path, buildId, kind: packed.next(), name: path.replace(/^.*\//, "") });
	}
	return modules;
}

// Functions; those behind the profile's own stand for the root and for groups (addGroup).
class Functions {
	constructor(base64, strings, modules) {
		const packed = new Packed(base64);
		this.modules = modules;
		this.name = [];
		this.module = [];
		this.kind = [];
		while (packed.more) {
			this.name.push(strings[packed.next()]);
			const module = packed.next();
			this.module.push(module);
			this.kind.push(modules[module].kind);
		}
		this.real = this.name.length;
	}

	addGroup(name) {
		this.name.push(name);
		this.module.push(-1);
		this.kind.push(Kind.GROUP);
		return this.name.length - 1;
	}

	moduleName(f) {
		return this.module[f] < 0 ? "" : this.modules[this.module[f]].name;
	}

	modulePath(f) {
		return this.module[f] < 0 ? "" : this.modules[this.module[f]].path;
	}
}

function readFrames(base64) {
	const packed = new Packed(base64), n = packed.count() / 3;
	const frames = {
		func: new Int32Array(n), file: new Int32Array(n), inlined: new Uint8Array(n),
		line: new Float64Array(n),
	};
	for (let i = 0; i < n; i++) {
		frames.func[i] = packed.next();
		const place = packed.next();
		frames.file[i] = Math.floor(place / 2);
		frames.inlined[i] = place % 2;
		frames.line[i] = packed.signed();
	}
	return frames;
}

function readPeriod([type, unit, value]) {
	return { type, unit, value };
}

function readProfile(json) {
	const raw = JSON.parse(json);
	const types = raw.types.map(([type, unit, scale]) => ({ type, unit, scale }));
	const modules = readModules(raw.modules, raw.strings), nodes = readNodes(raw.nodes);
	return {
		types, modules, nodes,
		merged: readMerged(raw.merged, nodes.count),
		type: raw.type,
		madeBy: raw.made_by,
		about: raw.about,
		baseAbout: raw.base_about || null,
		scale: raw.scale || "raw",
		period: readPeriod(raw.period),
		basePeriod: readPeriod(raw.base_period || raw.period),
		strings: raw.strings,
		functions: new Functions(raw.functions, raw.strings, modules),
		frames: readFrames(raw.frames),
		labelSets: readLabelSets(raw.labels, raw.strings),
		samples: readSamples(raw.samples, types),
		base: raw.base === undefined ? null : readSamples(raw.base, types),
	};
}
