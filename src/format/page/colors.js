// Colours of frames, for light and dark, by kind of code, module, function or change.

const SHADES = 5;
// These are hue, saturation and lightness, for light and for dark. Text on them has a contrast of
// at least 4.5.
const KINDS = [
	{ id: "user", title: "user code", light: [24, 88, 74], dark: [18, 46, 37] },
	{ id: "inlined", title: "inlined", light: [46, 88, 74], dark: [41, 48, 31] },
	{ id: "library", title: "library", light: [162, 40, 71], dark: [168, 40, 26] },
	{ id: "kernel", title: "kernel", light: [213, 68, 79], dark: [216, 38, 40] },
	{ id: "jit", title: "JIT code", light: [322, 55, 83], dark: [322, 28, 39] },
	{ id: "mark", title: "mark", light: [40, 4, 80], dark: [40, 3, 33] },
	{ id: "group", title: "group", light: [220, 12, 88], dark: [220, 9, 27] },
];
const KIND_CLASS = [0, 2, 3, 4, 5, 6];
const INLINED_CLASS = 1;
const MODULE_HUES = [24, 162, 213, 282, 46, 340, 95, 190, 255, 0];

// Returns the index in KINDS.
function kindClass(kind, inlined) {
	return inlined && kind !== Kind.GROUP && kind !== Kind.MARK ? INLINED_CLASS : KIND_CLASS[kind];
}

function hashOf(text) {
	let hash = 0x811c9dc5;
	for (let i = 0; i < text.length; i++)
		hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
	return (hash ^ (hash >>> 15)) >>> 0;
}

function hsl([h, s, l], shade) {
	return `hsl(${h} ${s}% ${l + (shade - (SHADES - 1) / 2) * 1.5}%)`;
}

function shadesOf(color) {
	return Array.from({ length: SHADES }, (_, i) => hsl(color, i));
}

const THEMES = {
	light: {
		text: "#1c1917", dim: "#78716c", background: "#ffffff", filler: "#d6d3d1",
		match: "#e879f9", matchText: "#1c1917", outline: "#1c1917", row: "#f5f5f4",
	},
	dark: {
		text: "#f5f5f4", dim: "#a8a29e", background: "#1c1b1a", filler: "#44403c",
		match: "#a21caf", matchText: "#ffffff", outline: "#ffffff", row: "#262524",
	},
};

class Palette {
	// `modules`: the first ones get their own colours, as many as there are hues. `noise`:
	// tells which changes are noise, or null.
	constructor(profile, mode, dark, modules, noise) {
		this.functions = profile.functions;
		this.theme = dark ? THEMES.dark : THEMES.light;
		this.dark = dark;
		this.mode = mode;
		this.noise = noise;
		this.kinds = KINDS.map((k) => shadesOf(dark ? k.dark : k.light));
		this.hues = MODULE_HUES.map((h) => shadesOf(dark ? [h, 38, 30] : [h, 60, 78]));
		this.hashes = [];
		this.modules = modules;
		this.colored = modules.slice(0, MODULE_HUES.length);
		this.moduleHues = new Map(this.colored.map((m, i) => [m, i]));
	}

	hash(func) {
		let hash = this.hashes[func];
		if (hash === undefined)
			hash = this.hashes[func] = hashOf(this.functions.name[func]);
		return hash;
	}

	kindClass(func, inlined) {
		return kindClass(this.functions.kind[func], inlined);
	}

	moduleShades(module) {
		const hue = this.moduleHues.get(module);
		return hue === undefined ? this.kinds[KIND_CLASS[Kind.MARK]] : this.hues[hue];
	}

	fill(tree, node) {
		const func = tree.func[node];
		if (this.mode === "diff" && tree.base)
			return this.change(tree.value[node], tree.base[node], tree);
		const shade = this.hash(func) % SHADES;
		if (this.functions.kind[func] === Kind.GROUP || this.mode === "kind" || this.mode === "diff")
			return this.kinds[this.kindClass(func, tree.inlined[node])][shade];
		if (this.mode === "module")
			return this.moduleShades(this.functions.module[func])[shade];
		return this.hues[(this.hash(func) >>> 8) % MODULE_HUES.length][shade];
	}

	// Red means growth and blue means shrinking; the colour is full at a tenth of the total.
	change(value, before, tree) {
		if (this.noise && this.noise.within(value, before))
			return this.changeColor(0);
		const delta = value - before;
		const all = Math.max(Math.abs(tree.value[0]), Math.abs(tree.base[0])) || 1;
		return this.changeColor(Math.sign(delta) * Math.min(1, Math.sqrt(Math.abs(delta) / all * 10)));
	}

	changeColor(t) {
		const size = Math.round(Math.abs(t) * 16) / 16, hue = t > 0 ? 8 : 214;
		return this.dark ? `hsl(${hue} ${Math.round(4 + size * 56)}% ${Math.round(28 + size * 12)}%)`
			: `hsl(${hue} ${Math.round(5 + size * 80)}% ${Math.round(88 - size * 16)}%)`;
	}
}
