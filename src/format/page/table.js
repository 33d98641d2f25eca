// The functions as a table, sortable and filtered by the search, a page at a time.

const TABLE_PAGE = 200;

function tableColumns(profile, unit) {
	const value = (title, key, of) => ({
		title, key, number: true, get: (row) => row[key],
		text: (row) => formatValue(row[key], unit), share: of && ((row, all) => formatPercent(row[key], all[of])),
	});
	const names = [
		{ title: "Function", key: "name", get: (row) => row.name },
		{ title: "Module", key: "module", get: (row) => row.module },
	];
	if (!profile.base)
		return [value("Self", "self", "value"), value("Total", "total", "value"), ...names];
	const delta = (title, key) => ({
		title, key, number: true, get: (row) => row[key], signed: true,
		text: (row) => (row[key + "Noise"] ? "~ " : "") + formatDelta(row[key], unit), share: (row, all) => formatPercent(row[key], all.value),
	});
	return [
		delta("Self, change", "selfDelta"), delta("Total, change", "delta"),
		value("Self", "self"), value("Total", "total"), value("Total before", "baseTotal"), ...names,
	];
}

class FunctionTable {
	// `on`: pick(func), and sort(text) with a text as order() takes it.
	constructor(host, profile, on) {
		this.host = host;
		this.profile = profile;
		this.on = on;
		this.shown = TABLE_PAGE;
		this.note = el("p", { class: "note" });
		this.wrap = el("div", { class: "tablewrap", tabindex: "0", role: "region", "aria-label": "Functions" });
		host.append(this.note, this.wrap);
		this.buttons = [];
		new ResizeObserver(() => this.fitNames()).observe(this.wrap);
	}

	show(table, unit, all, noise, matches) {
		this.rows = this.makeRows(table, noise);
		this.noise = noise;
		this.unit = unit;
		this.all = all;
		this.filter(matches);
	}

	// The column to sort by, given by its key; "-" before it sorts the largest first.
	order(text) {
		this.sort = { key: text.replace("-", ""), down: text[0] === "-" };
	}

	filter(matches) {
		this.matches = matches;
		this.shown = TABLE_PAGE;
		if (this.rows)
			this.render();
	}

	makeRows(table, noise) {
		const rows = [], { functions } = this.profile;
		for (let f = 0; f < functions.real; f++) {
			const row = {
				func: f, name: functions.name[f], module: functions.moduleName(f),
				self: table.self[f], total: table.total[f], inlined: !!table.inlined[f],
			};
			if (table.baseTotal) {
				row.baseTotal = table.baseTotal[f];
				row.delta = row.total - row.baseTotal;
				row.selfDelta = row.self - table.baseSelf[f];
				row.deltaNoise = row.delta && noise && noise.within(row.total, row.baseTotal);
				row.selfDeltaNoise = row.selfDelta && noise && noise.within(row.self, table.baseSelf[f]);
			}
			if (row.total || row.self || row.baseTotal)
				rows.push(row);
		}
		return rows;
	}

	sorted() {
		const column = this.columns.find((c) => c.key === this.sort.key);
		const rows = this.matches ? this.rows.filter((r) => this.matches[r.func]) : this.rows.slice();
		const by = column.signed ? (row) => Math.abs(row[column.key]) : column.get;
		const sign = this.sort.down ? -1 : 1;
		return rows.sort((a, b) => {
			const x = by(a), y = by(b);
			return x < y ? -sign : x > y ? sign : Math.abs(b.total) - Math.abs(a.total) || a.func - b.func;
		});
	}

	render() {
		this.columns = tableColumns(this.profile, this.unit);
		if (!this.columns.some((c) => c.key === this.sort.key))
			this.order("-" + this.columns[0].key);
		const rows = this.sorted(), page = rows.slice(0, this.shown);
		this.note.textContent = `${rows.length.toLocaleString("en-US")} functions` +
			(this.matches ? ` of ${this.rows.length.toLocaleString("en-US")} match` : "") +
			(this.noise ? "; ~ within sampling noise" : "");
		this.buttons = [];
		const table = el("table", { "aria-rowcount": String(rows.length + 1) },
			el("caption", { class: "unseen" }, "Functions with the values of the chosen sample type"),
			el("thead", {}, el("tr", {}, ...this.columns.flatMap((c) => this.head(c)))),
			el("tbody", {}, ...page.map((row) => this.row(row))));
		this.wrap.replaceChildren(table);
		this.fitNames();
		if (page.length < rows.length) {
			this.wrap.append(el("button", { class: "more", onclick: () => {
				this.shown += 5 * TABLE_PAGE;
				this.render();
			} }, `Show more (${(rows.length - page.length).toLocaleString("en-US")} left)`));
		}
	}

	// Names are shortened like those of frames, because the ends of long ones are what differs.
	fitNames() {
		const [first] = this.buttons, cell = first && first.parentNode;
		if (!cell || !cell.clientWidth)
			return;
		const left = first.getBoundingClientRect().left, { right } = cell.getBoundingClientRect();
		const width = right - left - parseFloat(getComputedStyle(cell).paddingRight) - 4;
		const { fontWeight, fontSize, fontFamily } = getComputedStyle(first);
		const font = `${fontWeight} ${fontSize} ${fontFamily}`;
		if (!this.fitter || this.fitter.font !== font)
			this.fitter = new TextFitter(document.createElement("canvas").getContext("2d"), font);
		const texts = this.fitter.fitAll(this.buttons.map((b) => b.title), Math.max(width, 60));
		this.buttons.forEach((button, i) => {
			button.textContent = texts[i] || button.title;
		});
	}

	head(column) {
		const active = column.key === this.sort.key;
		const order = active ? this.sort.down ? "descending" : "ascending" : "none";
		const cell = el("th", { scope: "col", "aria-sort": order, class: column.number ? "number" : "" },
			el("button", { onclick: () => this.sortBy(column) }, column.title,
				el("span", { class: "arrow", "aria-hidden": "true" }, active ? this.sort.down ? "▾" : "▴" : "")));
		return column.share ? [cell, el("th", { scope: "col", class: "number" }, "%")] : [cell];
	}

	sortBy(column) {
		const down = this.sort.key === column.key ? !this.sort.down : !!column.number;
		this.on.sort((down ? "-" : "") + column.key);
		const buttons = this.wrap.querySelectorAll("th button");
		buttons[this.columns.findIndex((c) => c.key === column.key)].focus();
	}

	row(row) {
		const cells = this.columns.flatMap((c) => {
			if (c.key === "name")
				return [this.nameCell(row)];
			const text = c.text ? c.text(row) : c.get(row);
			const change = c.signed ? row[c.key + "Noise"] ? " noise" : row[c.key] > 0 ? " grew" : row[c.key] < 0 ? " shrank" : "" : "";
			const cell = el("td", { class: (c.number ? "number" : "module") + change }, text);
			return c.share ? [cell, el("td", { class: "number share" + change }, c.share(row, this.all))] : [cell];
		});
		return el("tr", {}, ...cells);
	}

	nameCell(row) {
		const button = el("button", { title: row.name, "aria-label": row.name, onclick: () => this.on.pick(row.func) }, row.name);
		this.buttons.push(button);
		return el("td", { class: "name" }, el("span", { class: "swatch " + this.kindOf(row) }), button);
	}

	// A function is inlined if it was so wherever it occurs, as in cprof report.
	kindOf(row) {
		return KINDS[kindClass(this.profile.functions.kind[row.func], row.inlined)].id;
	}
}
