// The page: its controls, what they do, and the state that is kept in the address.

const DEFAULTS = {
	view: "graph", type: -1, group: "", color: "", icicle: false, order: "weight", hideIdle: false,
	query: "", func: -1, width: "new", scale: "raw", sort: "",
};

class App {
	constructor(profile) {
		this.profile = profile;
		this.functions = profile.functions;
		this.stacks = new Stacks(profile);
		this.defaults = {
			...DEFAULTS, type: profile.type, color: profile.base ? "diff" : "kind",
			scale: profile.scale, sort: profile.base ? "-delta" : "-self",
		};
		this.state = { ...this.defaults };
		this.path = [];
		this.range = null; // from the address, until it is shown
		this.dark = false;
		this.trees = new Map();
		this.build();
		this.readTheme();
		this.readHash();
		this.update();
	}

	get unit() {
		return this.profile.types[this.state.type].unit;
	}

	// ---- trees; the last few are kept, so that switching back takes no time ----

	choice(group) {
		const { type, hideIdle, scale } = this.state;
		return { type, hideIdle, scale, group };
	}

	tree(group) {
		const choice = this.choice(group), key = JSON.stringify(choice);
		let tree = this.trees.get(key);
		if (!tree) {
			if (this.trees.size > 3)
				this.trees.delete(this.trees.keys().next().value);
			tree = this.stacks.treeOf(choice);
			this.trees.set(key, tree);
		}
		return tree;
	}

	// ---- the page's elements ----

	build() {
		const about = readAbout(this.profile.about, this.profile);
		this.about = about;
		document.title = about.title + " – cprof";
		const page = document.getElementById("page");
		page.replaceChildren(this.buildHeader(about), this.buildTools(), this.buildCrumbs(),
			this.buildMain(), this.buildFooter(), this.buildTip(), this.buildHelp());
		page.classList.remove("loading");
		this.listen();
	}

	buildHeader(about) {
		const parts = [
			el("div", { class: "top" }, el("h1", { title: about.title }, about.title), this.buildSearch(), this.buildMenu(),
				this.themeButton = el("button", { class: "button", onclick: () => this.nextTheme() }),
				el("button", { class: "button", "aria-label": "Help", title: "Keys (?)", onclick: () => this.help.showModal() }, "?")),
			aboutView(about),
		];
		if (this.profile.baseAbout) {
			const base = readAbout(this.profile.baseAbout, this.profile);
			parts.push(el("div", { class: "basefacts" }, el("b", {}, "Compared with "), base.title, aboutView(
				{ facts: base.facts.filter(([name]) => /^(Recorded|Duration|Samples|Lost)$/.test(name)) }),
			this.scaleNote = el("p", { class: "scale", role: "status" })));
		}
		if (about.notes.length) {
			parts.push(el("details", { class: "notes" }, el("summary", {}, `${about.notes.length} more notes`),
				...about.notes.map((note) => el("p", {}, note))));
		}
		return el("header", {}, ...parts);
	}

	buildMenu() {
		const item = (text, run) => el("button", { role: "menuitem", onclick: () => {
			list.hidden = true;
			opener.setAttribute("aria-expanded", "false");
			run();
		} }, text);
		const list = el("div", { role: "menu", hidden: true }, item("PNG picture", () => this.savePng()),
			item("SVG picture", () => this.saveSvg()), item("Print…", () => window.print()));
		const opener = el("button", { class: "button", "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => {
			list.hidden = !list.hidden;
			opener.setAttribute("aria-expanded", String(!list.hidden));
		} }, "Save ▾");
		document.addEventListener("click", (e) => {
			if (!menu.contains(e.target))
				list.hidden = true;
		});
		const menu = el("div", { class: "menu", onkeydown: (e) => {
			if (e.key === "Escape") {
				list.hidden = true;
				opener.focus();
			}
		} }, opener, list);
		return menu;
	}

	buildTools() {
		const { profile } = this, keys = this.stacks.labelKeys();
		const types = profile.types.map((t, i) => [String(i), `${t.type} (${t.unit})`]);
		const groups = [["", "nothing"], ...[...keys].filter(([, values]) => values.size <= 5000)
			.map(([key]) => [key, key])];
		const colors = [["kind", "kind of code"], ["module", "module"], ["name", "function"]];
		if (profile.base)
			colors.unshift(["diff", "change"]);
		this.controls = {
			type: this.choose("Values", "type", types),
			group: this.choose("Group by", "group", groups),
			color: this.choose("Colours", "color", colors),
			order: this.choose("Order", "order", [["weight", "largest first"], ["name", "by name"]]),
			width: this.choose("Widths", "width", [["new", "new"], ["base", "before"], ["both", "both"]]),
			icicle: this.toggle("Icicle", "icicle", "The root at the top (i)"),
			hideIdle: this.toggle("Hide idle", "hideIdle", "Leave out stacks that only wait for work"),
			scale: this.choose("Compare", "scale", [["second", "per second"], ["raw", "as recorded"], ["total", "equal totals"]]),
		};
		this.controls.group.parentNode.hidden = groups.length < 2;
		this.controls.width.parentNode.hidden = this.controls.scale.parentNode.hidden = !profile.base;
		this.controls.hideIdle.hidden = !this.stacks.idle.any;
		return el("div", { class: "tools", role: "toolbar", "aria-label": "View" }, this.buildTabs(),
			...["type", "group", "color", "order", "width", "scale"].map((c) => this.controls[c].parentNode),
			this.controls.icicle, this.controls.hideIdle);
	}

	buildTabs() {
		const tab = (view, text) => el("button", {
			role: "tab", id: "tab-" + view, "aria-controls": "view-" + view, onclick: () => this.change({ view }, true),
		}, text);
		this.tabs = {
			graph: tab("graph", "Flame graph"), sandwich: tab("sandwich", "Sandwich"), table: tab("table", "Functions"),
		};
		return el("div", { class: "tabs", role: "tablist", "aria-label": "Views", onkeydown: (e) => {
			const names = Object.keys(this.tabs), at = names.indexOf(this.state.view);
			const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? names.length - 1 : 0;
			if (step) {
				this.change({ view: names[(at + step) % names.length] }, true);
				this.tabs[this.state.view].focus();
			}
		} }, ...Object.values(this.tabs));
	}

	choose(text, key, options) {
		const select = el("select", { id: "choose-" + key, onchange: () =>
			this.change({ [key]: key === "type" ? Number(select.value) : select.value }) },
		...options.map(([value, title]) => el("option", { value }, title)));
		el("label", { class: "field" }, text, select);
		return select;
	}

	toggle(text, key, title) {
		return el("button", { class: "button", id: "toggle-" + key, title, "aria-pressed": "false",
			onclick: () => this.change({ [key]: !this.state[key] }) }, text);
	}

	buildSearch() {
		let timer = 0;
		this.search = el("input", {
			type: "search", id: "search", placeholder: "Search (regex)  /", "aria-label": "Search functions, a regular expression",
			spellcheck: "false", autocomplete: "off", oninput: () => {
				clearTimeout(timer);
				timer = setTimeout(() => this.change({ query: this.search.value }), 120);
			},
			onkeydown: (e) => {
				if (e.key === "Enter")
					this.nextMatch(e.shiftKey ? -1 : 1);
				if (e.key === "Escape") {
					this.search.value = "";
					this.change({ query: "" });
					this.search.blur();
				}
			},
		});
		this.found = el("output", { for: "search" });
		return el("div", { class: "search", role: "search" }, this.found, this.search);
	}

	buildCrumbs() {
		this.crumbs = el("ol", {});
		return this.crumbBar = el("nav", { class: "crumbs", "aria-label": "Zoom" }, this.crumbs);
	}

	buildMain() {
		const on = {
			hover: (graph) => (node, event) => this.showTip(graph(), node, event),
			select: (graph) => (node) => this.showDetail(graph(), node),
		};
		const panel = (view) => el("section", {
			id: "view-" + view, role: "tabpanel", "aria-labelledby": "tab-" + view, hidden: true,
		});
		this.panels = { graph: panel("graph"), sandwich: panel("sandwich"), table: panel("table") };
		this.empty = el("p", { class: "empty", hidden: true });
		this.panels.graph.append(this.empty);
		this.graph = new FlameGraph(this.panels.graph, "Flame graph", {
			hover: on.hover(() => this.graph), select: on.select(() => this.graph), focus: (node) => this.zoom(node, true),
			moved: () => this.noteMove(),
		});
		this.buildSandwich(on);
		this.table = new FunctionTable(this.panels.table, this.profile, {
			pick: (func) => this.change({ view: "sandwich", func }, true), sort: (sort) => this.change({ sort }),
		});
		return el("main", {}, ...Object.values(this.panels));
	}

	buildSandwich(on) {
		const pane = (title) => el("div", { class: "pane" }, el("div", { class: "panetitle" }, el("h2", {}, title)));
		const above = pane("Callers"), below = pane("Callees");
		this.chosen = el("input", {
			type: "text", id: "chosen", list: "functions", "aria-label": "Function of the sandwich view", spellcheck: "false",
			onchange: () => this.chooseFunction(this.chosen.value),
		});
		this.chosenValue = el("span", {});
		this.functionList = el("datalist", { id: "functions" });
		this.panels.sandwich.append(above, el("div", { class: "chosen" }, el("label", { for: "chosen" }, "Function"),
			this.chosen, this.functionList, this.chosenValue), below);
		this.callers = new FlameGraph(above, "Callers", {
			hover: on.hover(() => this.callers), select: on.select(() => this.callers),
			focus: (node) => this.callers.zoomTo(node, true),
		});
		this.callees = new FlameGraph(below, "Callees", {
			hover: on.hover(() => this.callees), select: on.select(() => this.callees),
			focus: (node) => this.callees.zoomTo(node, true),
		});
		this.callees.icicle = true;
	}

	buildFooter() {
		this.detail = el("div", { class: "detail" });
		this.legend = el("ul", { class: "legend", "aria-label": "Colours" });
		return el("footer", {}, this.detail, this.legend);
	}

	buildTip() {
		return this.tip = el("div", { id: "tip", hidden: true });
	}

	buildHelp() {
		const keys = [
			["Click", "zoom to a frame"], ["Ctrl + wheel, + −", "zoom at the pointer"], ["Drag, Shift + wheel", "move"],
			["← → ↑ ↓", "from frame to frame"], ["Enter", "zoom to the frame"], ["Backspace", "zoom out by one"],
			["0, Esc", "show everything"], ["/", "search; Enter and Shift + Enter: next, previous"],
			["s", "sandwich view of the frame's function"], ["1 2 3", "flame graph, sandwich, functions"],
			["i", "icicle or flame graph"], ["h", "hide idle stacks"], ["t", "light, dark, as the system"], ["?", "this list"],
		];
		return this.help = el("dialog", { "aria-label": "Help" }, el("h2", {}, "Keys"),
			el("dl", {}, ...keys.flatMap(([key, text]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)])),
			el("p", { class: "note" }, `Made by ${this.profile.madeBy}. The address keeps the view: share the file and the link. Nothing is loaded from anywhere.`),
			el("button", { class: "button", onclick: () => this.help.close() }, "Close"));
	}

	// ---- state ----

	change(changes, step) {
		Object.assign(this.state, changes);
		this.update(changes);
		this.writeHash(step);
	}

	update() {
		const { state } = this;
		this.graph.set({ icicle: state.icicle });
		this.showControls();
		this.noise = this.stacks.noiseOf(this.choice(""));
		this.palette = new Palette(this.profile, state.color, this.dark, state.color === "module" ? this.moduleOrder : [], this.noise);
		for (const graph of [this.graph, this.callers, this.callees])
			graph.palette = this.palette;
		this.findMatches();
		if (state.view === "table")
			this.showTable();
		else if (state.view === "sandwich")
			this.showSandwich();
		this.showGraph();
		this.showFound();
		this.showLegend();
	}

	showControls() {
		const { state, controls } = this;
		for (const key of ["type", "group", "color", "order", "width", "scale"])
			controls[key].value = String(state[key]);
		for (const key of ["icicle", "hideIdle"])
			controls[key].setAttribute("aria-pressed", String(state[key]));
		for (const [view, tab] of Object.entries(this.tabs)) {
			const active = view === state.view;
			tab.setAttribute("aria-selected", String(active));
			tab.tabIndex = active ? 0 : -1;
			this.panels[view].hidden = !active;
		}
		if (document.activeElement !== this.search)
			this.search.value = state.query;
		this.showScale();
		this.crumbBar.hidden = state.view !== "graph";
		controls.group.disabled = controls.icicle.disabled = state.view !== "graph";
		controls.order.disabled = state.view === "table";
		this.hideTip();
	}

	// Says how the profile before was scaled, so that nobody takes a short recording for a fast
	// program.
	showScale() {
		if (!this.profile.base)
			return;
		const { scale, type } = this.state, { about, baseAbout, types } = this.profile;
		const factor = this.stacks.baseScale(this.choice("")), times = Number(factor.toPrecision(4));
		const took = `the recording before took ${formatValue(baseAbout.duration, "nanoseconds")}, this one ${formatValue(about.duration, "nanoseconds")}`;
		const differ = durationRatio(about, baseAbout) !== 1 && !isLevel(types[type].type);
		this.scaleNote.textContent = factor !== 1 && scale === "second" ? `Compared per second of recording: ${took}, so values before are multiplied by ${times}.`
			: factor !== 1 ? `Values before are multiplied by ${times}, so that both totals are equal.`
				: differ ? `Compared as recorded, although ${took}.` : "";
		this.scaleNote.hidden = !this.scaleNote.textContent;
	}

	showGraph() {
		const { state } = this, tree = this.tree(state.group);
		const key = JSON.stringify([this.choice(state.group), state.order, state.width]);
		this.graph.matches = this.matches;
		if (this.graphKey !== key) {
			this.graphKey = key;
			tree.setWeight(state.width);
			this.graph.show(tree, this.functions, state.order);
			const node = this.nodeOfPath(this.path);
			if (node > 0)
				this.graph.zoomTo(node, false);
			if (this.range)
				this.graph.moveTo(...this.range.map((part) => part * tree.weight[0]), false);
			this.range = null;
			this.showDetail(this.graph, -1);
		}
		const nothing = !tree.weight[0];
		this.empty.hidden = !nothing;
		this.graph.scroller.hidden = nothing;
		this.empty.textContent = state.hideIdle ? "Nothing but idle stacks." : "No samples of this type." +
			(this.profile.samples.count ? " There are other values to choose above." : "");
		this.graph.redraw();
		this.showCrumbs();
	}

	showTable() {
		const plain = this.tree(""), all = { value: Math.abs(plain.value[0]) };
		const key = JSON.stringify(this.choice(""));
		this.table.order(this.state.sort);
		if (this.tableKey === key) {
			this.table.filter(this.matches);
			return;
		}
		this.tableKey = key;
		this.table.show(this.stacks.table(plain), this.unit, all, this.noise, this.matches);
	}

	showSandwich() {
		const plain = this.tree("");
		const sums = this.stacks.table(plain);
		if (this.state.func < 0)
			this.state.func = this.largest(sums.self);
		const { func, order, width } = this.state, all = plain.value[0];
		if (func < 0)
			return;
		this.fillFunctionList(sums);
		this.chosen.value = this.functions.name[func];
		this.chosenValue.textContent = `total ${formatValue(sums.total[func], this.unit)} (${formatPercent(sums.total[func], all)}), ` +
			`self ${formatValue(sums.self[func], this.unit)} (${formatPercent(sums.self[func], all)})`;
		this.callers.matches = this.callees.matches = this.matches;
		const key = JSON.stringify([this.choice(""), func, order, width]);
		if (this.sandwichKey === key) {
			this.callers.redraw();
			this.callees.redraw();
			return;
		}
		this.sandwichKey = key;
		this.whole = { value: all, base: plain.base ? plain.base[0] : 0 };
		const callers = this.stacks.callers(plain, func), callees = this.stacks.callees(plain, func);
		callers.setWeight(width);
		callees.setWeight(width);
		this.callers.show(callers, this.functions, order);
		this.callees.show(callees, this.functions, order);
		this.showDetail(this.callees, -1);
	}

	largest(values) {
		let best = -1;
		for (let f = 0; f < values.length; f++) {
			if (values[f] && (best < 0 || Math.abs(values[f]) > Math.abs(values[best])))
				best = f;
		}
		return best;
	}

	fillFunctionList(sums) {
		if (this.listed)
			return;
		this.listed = true;
		const order = Array.from(sums.total.keys()).filter((f) => sums.total[f])
			.sort((a, b) => Math.abs(sums.total[b]) - Math.abs(sums.total[a])).slice(0, 500);
		this.functionList.append(...order.map((f) => el("option", { value: this.functions.name[f] })));
	}

	chooseFunction(name) {
		let func = this.functions.name.indexOf(name);
		if (func < 0 || func >= this.functions.real)
			func = this.functions.name.findIndex((n, f) => f < this.functions.real && n.includes(name));
		if (func >= 0)
			this.change({ func }, true);
		else
			this.say(`No function is called ${name}`);
	}

	// ---- zoom ----

	zoom(node, animate) {
		this.path = this.pathOf(node);
		this.graph.zoomTo(node, animate);
		this.showCrumbs();
		this.showFound();
		this.writeHash(true);
	}

	// Records the view after moving by wheel or dragging, once no input comes for a moment.
	noteMove() {
		clearTimeout(this.moveTimer);
		this.moveTimer = setTimeout(() => this.writeHash(false), 200);
	}

	// The visible part of the whole, if it is not just the frame that was zoomed to.
	freeRange() {
		const { graph } = this, { from, to } = graph.target, whole = graph.layout.total;
		graph.layout.place(graph.focus);
		const x = graph.layout.x[graph.focus], end = x + graph.tree.weight[graph.focus];
		const near = (a, b) => Math.abs(a - b) <= (to - from) * 1e-3;
		return !whole || (near(from, x) && near(to, end)) ? null : [from / whole, to / whole];
	}

	pathOf(node) {
		const path = [], { tree } = this.graph;
		for (; node > 0; node = tree.parent[node])
			path.unshift(tree.func[node]);
		return path;
	}

	// Follows the path as far as it exists in this tree; after a change of type or grouping it
	// may end early.
	nodeOfPath(path) {
		const { tree } = this.graph;
		let node = 0;
		for (const func of path) {
			const { childStart, childList, weight } = tree;
			let next = -1;
			for (let k = childStart[node]; k < childStart[node + 1] && next < 0; k++) {
				if (tree.func[childList[k]] === func && weight[childList[k]] > 0)
					next = childList[k];
			}
			if (next < 0)
				break;
			node = next;
		}
		return node;
	}

	showCrumbs() {
		const { tree, focus } = this.graph, nodes = [];
		for (let n = focus; n >= 0; n = tree.parent[n])
			nodes.unshift(n);
		const shown = nodes.length > 8 ? [nodes[0], nodes[1], -1, ...nodes.slice(-5)] : nodes;
		this.crumbs.replaceChildren(...shown.map((n) => {
			if (n < 0)
				return el("li", {}, `… ${nodes.length - 7} more …`);
			const name = this.functions.name[tree.func[n]];
			return el("li", {}, el("button", { title: name, "aria-current": n === focus ? "true" : null,
				onclick: () => this.zoom(n, true) }, n ? this.shortName(name) : "all"));
		}));
	}

	shortName(name) {
		const forms = nameForms(name);
		return forms.find((f) => f.length <= 32) || forms[forms.length - 1];
	}

	// ---- search ----

	findMatches() {
		const { query } = this.state;
		if (this.matchedQuery === query && (!query || this.matches.length === this.functions.name.length))
			return;
		this.matchedQuery = query;
		this.matches = null;
		this.search.classList.remove("invalid");
		this.search.removeAttribute("aria-invalid");
		if (!query)
			return;
		let test;
		try {
			const pattern = new RegExp(query, "i");
			test = (text) => pattern.test(text);
		} catch {
			this.search.classList.add("invalid");
			this.search.setAttribute("aria-invalid", "true");
			const wanted = query.toLowerCase();
			test = (text) => text.toLowerCase().includes(wanted);
		}
		this.matches = Uint8Array.from(this.functions.name, (name, f) =>
			f !== this.stacks.rootFunc && test(name) ? 1 : 0);
	}

	// Values below the outermost matching frames in the zoomed part, and the number of
	// functions that match.
	matchedShare() {
		const { tree, focus } = this.graph, { matches } = this, inside = new Uint8Array(tree.count);
		let sum = 0;
		for (let i = 0; i < tree.count; i++) {
			const up = i ? inside[tree.parent[i]] : 0;
			const zoomed = i === focus || (up & 1);
			const hit = (up & 2) || matches[tree.func[i]];
			if (zoomed && hit && (!(up & 2) || i === focus))
				sum += tree.weight[i];
			inside[i] = (zoomed ? 1 : 0) | (hit ? 2 : 0);
		}
		return { sum, whole: tree.weight[focus] };
	}

	showFound() {
		if (!this.matches) {
			this.found.textContent = "";
			return;
		}
		const { sum, whole } = this.matchedShare();
		let functions = 0;
		for (let f = 0; f < this.functions.real; f++)
			functions += this.matches[f];
		this.found.textContent = functions ? `${formatPercent(sum, whole)} · ${formatValue(sum, this.unit)} · ${functions.toLocaleString("en-US")} fn`
			: "no match";
	}

	nextMatch(step) {
		const { tree, layout } = this.graph;
		if (!this.matches || this.state.view !== "graph")
			return;
		if (this.orderedKey !== this.graphKey + this.state.query) {
			this.orderedKey = this.graphKey + this.state.query;
			const hits = [], inside = new Uint8Array(tree.count);
			for (let i = 1; i < tree.count; i++) {
				const hit = this.matches[tree.func[i]] && tree.weight[i] > 0;
				if (hit && !inside[tree.parent[i]])
					hits.push(i);
				inside[i] = hit || inside[tree.parent[i]] ? 1 : 0;
			}
			this.ordered = hits.sort((a, b) => tree.weight[b] - tree.weight[a]).slice(0, 1000);
			this.orderedAt = step > 0 ? -1 : 0;
		}
		if (!this.ordered.length)
			return;
		this.orderedAt = (this.orderedAt + step + this.ordered.length) % this.ordered.length;
		this.graph.bring(this.ordered[this.orderedAt]);
		this.graph.select(this.ordered[this.orderedAt]);
	}

	// ---- facts about a frame ----

	wholeOf(graph) {
		return graph === this.graph ? { value: graph.tree.value[0], base: graph.tree.base ? graph.tree.base[0] : 0 }
			: this.whole;
	}

	describe(graph, node) {
		const { tree } = graph, value = tree.value[node], whole = this.wholeOf(graph);
		let text = `${this.functions.name[tree.func[node]]}: ${formatValue(value, this.unit)} (${formatPercent(value, whole.value)})`;
		if (tree.base)
			text += `, ${formatDelta(value - tree.base[node], this.unit)} against ${formatValue(tree.base[node], this.unit)}${this.noiseNote(tree, node)}`;
		return text;
	}

	noiseNote(tree, node) {
		const changed = tree.base && tree.value[node] !== tree.base[node];
		return changed && this.noise && this.noise.within(tree.value[node], tree.base[node]) ? ", within sampling noise" : "";
	}

	places(graph, node, most) {
		const { tree } = graph, plain = graph === this.graph;
		const merged = plain ? tree.merged ? tree.merged[node] || -1 : node : -1;
		const lines = this.stacks.lines(tree.func[node], merged, this.choice(""));
		const sum = lines.reduce((s, [, v]) => s + v, 0);
		return lines.slice(0, most).map(([place, v]) =>
			lines.length > 1 && sum ? `${place}  ${formatPercent(v, sum)}` : place);
	}

	showTip(graph, node, event) {
		if (node < 0 || !event) {
			this.hideTip();
			return;
		}
		if (this.tipNode !== node || this.tipGraph !== graph) {
			this.tipNode = node;
			this.tipGraph = graph;
			this.fillTip(graph, node);
		}
		this.tip.hidden = false;
		const { width, height } = this.tip.getBoundingClientRect();
		const left = event.clientX + 14 + width > innerWidth ? Math.max(4, event.clientX - width - 10) : event.clientX + 14;
		const top = event.clientY + 18 + height > innerHeight ? Math.max(4, event.clientY - height - 10) : event.clientY + 18;
		this.tip.style.left = left + "px";
		this.tip.style.top = top + "px";
	}

	fillTip(graph, node) {
		const { tree } = graph, func = tree.func[node], { unit } = this, whole = this.wholeOf(graph);
		const row = (name, value) => el("tr", {}, el("td", {}, name), el("td", {}, formatValue(value, unit)),
			el("td", {}, formatPercent(value, whole.value)));
		const kind = KINDS[this.palette.kindClass(func, tree.inlined[node])].title;
		const module = this.functions.modulePath(func);
		const rows = [row("total", tree.value[node]), row("self", tree.self[node])];
		if (tree.base) {
			const delta = tree.value[node] - tree.base[node];
			rows.push(row("before", tree.base[node]), el("tr", {}, el("td", {}, "change"), el("td", {}, formatDelta(delta, unit)),
				el("td", {}, tree.base[node] ? (delta > 0 ? "+" : "") + formatPercent(delta, Math.abs(tree.base[node])) : "new")));
		}
		const parent = tree.parent[node];
		if (parent > 0 && !tree.base)
			rows.push(el("tr", {}, el("td", {}, "of its caller"), el("td", {}, ""),
				el("td", {}, formatPercent(tree.value[node], tree.value[parent]))));
		this.tip.replaceChildren(el("b", {}, this.functions.name[func]),
			...(module ? [el("div", { class: "where" }, `${module} · ${kind}`)] : []),
			...this.places(graph, node, 3).map((place) => el("div", { class: "where" }, place)),
			el("table", {}, ...rows),
			...(this.noiseNote(tree, node) ? [el("div", { class: "where" }, "The change is within sampling noise.")] : []));
	}

	hideTip() {
		this.tip.hidden = true;
		this.tipNode = -1;
	}

	showDetail(graph, node) {
		if (node < 0) {
			this.detail.replaceChildren(el("span", { class: "values" },
				`${this.about.title} · ${formatValue(this.tree(this.state.group).value[0], this.unit)} ${this.profile.types[this.state.type].type}`));
			return;
		}
		const { tree } = graph, func = tree.func[node], name = this.functions.name[func];
		const text = this.describe(graph, node), real = func < this.functions.real;
		this.selection = { graph, node, func };
		this.detail.replaceChildren(el("span", { class: "what", title: text }, name),
			el("span", { class: "values" }, text.slice(name.length + 2)),
			...(real ? [
				el("button", { class: "button", title: "Callers and callees (s)", onclick: () => this.change({ view: "sandwich", func }, true) }, "Sandwich"),
				el("button", { class: "button", title: "Mark it everywhere", onclick: () => this.change({ query: `^${escapeRegex(name)}$` }) }, "Find all"),
			] : []));
		this.say(text);
	}

	// For screen readers.
	say(text) {
		document.getElementById("status").textContent = text;
	}

	showLegend() {
		const { state, palette } = this;
		const swatch = (color) => {
			const s = el("span", { class: "swatch" });
			s.style.background = color;
			return s;
		};
		let items = [];
		if (state.color === "kind") {
			items = this.kindShares().filter(([, part]) => part > 0).map(([k, part]) =>
				el("li", {}, el("span", { class: "swatch " + KINDS[k].id }), `${KINDS[k].title} ${formatPercent(part, 1)}`));
		} else if (state.color === "module") {
			items = this.moduleShares().map(([m, part]) => el("li", {}, swatch(palette.moduleShades(m)[2]),
				`${m < 0 ? "others" : this.profile.modules[m].name || "[unknown]"} ${formatPercent(part, 1)}`));
		} else if (state.color === "diff") {
			const ramp = el("span", { class: "ramp", "aria-hidden": "true" });
			for (let i = -4; i <= 4; i++) {
				const step = el("i", {});
				step.style.background = palette.changeColor(i / 4);
				ramp.append(step);
			}
			items = [el("li", {}, "less", ramp, "more than before"),
				...(this.noise ? [el("li", {}, swatch(palette.changeColor(0)), "within sampling noise")] : [])];
		}
		this.legend.replaceChildren(...items);
	}

	// Shares of self time by the kind of code of the innermost frames.
	kindShares() {
		const tree = this.tree(""), sums = new Float64Array(KINDS.length);
		let all = 0;
		for (let i = 1; i < tree.count; i++) {
			const self = Math.abs(tree.self[i]);
			sums[this.palette.kindClass(tree.func[i], tree.inlined[i])] += self;
			all += self;
		}
		return [...sums].map((sum, k) => [k, all ? sum / all : 0]);
	}

	// Modules by the area that they cover. It does not depend on what is shown, so a module
	// keeps its colour.
	get moduleOrder() {
		if (!this.moduleOrderCache) {
			const { type } = this.defaults;
			const tree = this.stacks.plainTree({ type, hideIdle: false, scale: "raw" });
			this.moduleOrderCache = [...this.sumByModule(tree, tree.value)].sort((a, b) => b[1] - a[1]).map(([m]) => m);
		}
		return this.moduleOrderCache;
	}

	// Shares of self values of the modules that have colours, and of all others as module -1.
	moduleShares() {
		const tree = this.tree(""), sums = this.sumByModule(tree, tree.self);
		let all = 0, rest = 0;
		for (const sum of sums.values())
			all += sum;
		const shares = this.palette.colored.filter((m) => sums.has(m)).map((m) => [m, sums.get(m) / (all || 1)]);
		rest = shares.reduce((left, [, part]) => left - part, 1);
		shares.sort((a, b) => b[1] - a[1]);
		return all && rest > 1e-4 ? [...shares, [-1, rest]] : shares;
	}

	sumByModule(tree, values) {
		const sums = new Map();
		for (let i = 1; i < tree.count; i++) {
			const module = this.functions.module[tree.func[i]];
			sums.set(module, (sums.get(module) || 0) + Math.abs(values[i]));
		}
		return sums;
	}

	// ---- keys of the whole page ----

	listen() {
		document.addEventListener("keydown", (e) => {
			if (e.ctrlKey || e.metaKey || e.altKey || this.help.open || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName))
				return;
			const key = this.keys()[e.key];
			if (key) {
				e.preventDefault();
				key();
			}
		});
		addEventListener("hashchange", () => {
			if (location.hash !== this.written) {
				this.readHash();
				this.update();
			}
		});
		addEventListener("beforeprint", () => this.beforePrint());
		addEventListener("afterprint", () => this.afterPrint());
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.applyTheme());
	}

	keys() {
		return {
			"/": () => {
				this.search.focus();
				this.search.select();
			},
			"0": () => this.showAll(), Escape: () => this.showAll(),
			"1": () => this.change({ view: "graph" }, true),
			"2": () => this.change({ view: "sandwich" }, true),
			"3": () => this.change({ view: "table" }, true),
			"i": () => this.change({ icicle: !this.state.icicle }),
			"h": () => !this.controls.hideIdle.hidden && this.change({ hideIdle: !this.state.hideIdle }),
			"t": () => this.nextTheme(), "?": () => this.help.showModal(),
			"s": () => this.selection && this.selection.func < this.functions.real &&
				this.change({ view: "sandwich", func: this.selection.func }, true),
		};
	}

	showAll() {
		if (this.state.view === "graph")
			this.zoom(0, true);
		else
			[this.callers, this.callees].forEach((g) => g.layout && g.zoomTo(0, true));
	}

	// ---- light and dark ----

	readTheme() {
		try {
			this.theme = localStorage.getItem("cprof-theme") || "auto";
		} catch {
			this.theme = "auto";
		}
		this.applyTheme();
	}

	nextTheme() {
		this.theme = { auto: this.dark ? "light" : "dark", light: "dark", dark: "auto" }[this.theme] || "auto";
		if (this.theme !== "auto" && (this.theme === "dark") === this.dark)
			this.theme = "auto";
		try {
			localStorage.setItem("cprof-theme", this.theme);
		} catch {
			// Without storage the choice is kept as long as the page.
		}
		this.applyTheme();
	}

	applyTheme() {
		this.dark = this.theme === "dark" ||
			(this.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
		document.documentElement.classList.toggle("dark", this.dark);
		this.themeButton.textContent = { auto: "◐", light: "☀", dark: "☾" }[this.theme];
		this.themeButton.title = `Colours: ${{ auto: "as the system", light: "light", dark: "dark" }[this.theme]} (t)`;
		this.themeButton.setAttribute("aria-label", this.themeButton.title);
		if (this.palette)
			this.update();
	}

	// ---- the address ----

	writeHash(step) {
		const { state, defaults, profile } = this, hash = new URLSearchParams();
		const put = (key, name, value) => {
			if (state[key] !== defaults[key])
				hash.set(name, value === undefined ? String(state[key]) : value);
		};
		put("view", "view");
		put("type", "type", profile.types[state.type].type);
		for (const key of ["group", "color", "order", "width", "scale", "query", "sort"])
			put(key, key);
		for (const key of ["icicle", "hideIdle"])
			put(key, key, state[key] ? "1" : "0");
		if (state.view === "sandwich" && state.func >= 0)
			hash.set("func", state.func.toString(36));
		if (this.path.length)
			hash.set("zoom", this.path.map((f) => this.functionToText(f)).join("."));
		const range = state.view === "graph" && this.freeRange();
		if (range)
			hash.set("range", range.map((part) => String(Number(part.toPrecision(12)))).join("_"));
		this.written = [...hash.keys()].length ? "#" + hash : "";
		if (this.written === location.hash)
			return;
		try {
			history[step ? "pushState" : "replaceState"](null, "", this.written || location.pathname + location.search);
		} catch {
			location.replace(this.written || "#");
		}
	}

	// Numbers of groups depend on the previous groupings, but their names do not.
	functionToText(func) {
		return func < this.functions.real ? func.toString(36)
			: "~" + encodeURIComponent(this.functions.name[func]).replace(/\./g, "%2E");
	}

	functionOfText(text) {
		if (text[0] !== "~")
			return parseInt(text, 36);
		try {
			return this.functions.name.indexOf(decodeURIComponent(text.slice(1)), this.functions.real);
		} catch {
			return -1;
		}
	}

	readHash() {
		const hash = new URLSearchParams(location.hash.slice(1)), { defaults, profile, controls } = this;
		const state = { ...defaults };
		for (const key of ["group", "color", "order", "width", "scale"]) {
			const value = hash.get(key);
			if (value !== null && [...controls[key].options].some((o) => o.value === value))
				state[key] = value;
		}
		if (Object.hasOwn(this.tabs, hash.get("view") || ""))
			state.view = hash.get("view");
		const type = profile.types.findIndex((t) => t.type === hash.get("type"));
		if (type >= 0)
			state.type = type;
		for (const key of ["icicle", "hideIdle"]) {
			if (hash.has(key))
				state[key] = hash.get(key) === "1";
		}
		state.query = hash.get("query") || "";
		if (/^-?\w+$/.test(hash.get("sort") || ""))
			state.sort = hash.get("sort");
		const func = parseInt(hash.get("func"), 36);
		if (func >= 0 && func < this.functions.real)
			state.func = func;
		// The groups must exist before the path is read.
		if (state.group)
			this.stacks.groupingBy(state.group);
		this.path = (hash.get("zoom") || "").split(".").map((text) => this.functionOfText(text))
			.filter((f) => f >= 0);
		const range = (hash.get("range") || "").split("_").map(Number);
		this.range = range.length === 2 && range[0] < range[1] ? range : null;
		this.state = state;
		this.written = location.hash;
		this.graphKey = null;
	}

	// ---- pictures ----

	shownGraphs() {
		return this.state.view === "sandwich" ? [this.callers, this.callees] : [this.graph];
	}

	caption() {
		const total = this.tree("").value[0];
		return `${this.about.title} · ${this.profile.types[this.state.type].type} ${formatValue(total, this.unit)}` +
			(this.profile.about.time > 0 ? ` · ${formatTime(this.profile.about.time)}` : "");
	}

	pictureWidth() {
		return this.shownGraphs()[0].scroller.clientWidth || 1200;
	}

	fileName(suffix) {
		return "cprof-" + this.about.title.replace(/[^\w.-]+/g, "-").slice(0, 60) + suffix;
	}

	savePng() {
		const graphs = this.shownGraphs();
		if (graphs[0].layout)
			paintPicture(graphs, this.pictureWidth(), this.caption(), 2)
				.toBlob((blob) => blob && download(this.fileName(".png"), "image/png", blob));
	}

	saveSvg() {
		const graphs = this.shownGraphs();
		if (graphs[0].layout)
			download(this.fileName(".svg"), "image/svg+xml", svgPicture(graphs, this.pictureWidth(), this.caption(),
				(graph, node) => this.describe(graph, node)));
	}

	// Paper is white and does not scroll, so a light picture of the whole graph replaces the
	// canvas.
	beforePrint() {
		const graphs = this.shownGraphs();
		document.documentElement.classList.remove("dark");
		if (this.state.view === "table" || !graphs[0].layout)
			return;
		const palette = new Palette(this.profile, this.state.color, false, this.palette.modules, this.noise);
		for (const graph of graphs) {
			const own = graph.palette;
			graph.palette = palette;
			const picture = paintPicture([graph], this.pictureWidth(), this.caption(), 2);
			graph.palette = own;
			picture.className = "printed";
			graph.scroller.before(picture);
		}
	}

	afterPrint() {
		document.querySelectorAll(".printed").forEach((picture) => picture.remove());
		this.applyTheme();
	}
}

function escapeRegex(text) {
	return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function start() {
	const data = document.getElementById("profile");
	const app = new App(readProfile(data.textContent));
	data.remove();
	window.cprofPage = app; // for tests and for the curious
}

start();
