// What the profile says about itself: title and facts, from cprof's comments and the fields of any
// pprof file.

function el(tag, attributes, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function")
			element[name] = value;
		else if (value !== null && value !== undefined && value !== false)
			element.setAttribute(name, value === true ? "" : value);
	}
	element.append(...children.filter((c) => c !== null));
	return element;
}

const COMMENTS = [
	[/^cprof \S+: (.*)$/, (found, m) => found.title = m[1]],
	[/^host: (.*?), kernel: (.*)$/, (found, m) => found.facts.push(["Host", m[1]], ["Kernel", m[2]])],
	[/^event: (.*?), rate: (.*?)(?:, mode: (.*))?$/, (found, m) =>
		found.facts.push(["Rate", `${m[2]} (${m[1]})`], ...m[3] ? [["Mode", m[3]]] : [])],
	[/^samples: (\d+), lost: (.*)$/, (found, m) =>
		found.facts.push(["Samples", Number(m[1]).toLocaleString("en-US")], ["Lost", m[2], m[2] !== "0"])],
	[/^late ticks: (.*)$/, (found, m) => found.facts.push(["Late ticks", m[1]])],
];

// For a CPU profile the period gives a rate. A period of 1 means that everything was counted.
function periodFact({ type, unit, value }) {
	if (value <= 1)
		return [];
	if (type === "cpu" && unit === "nanoseconds")
		return [["Rate", `${Math.round(1e9 / value)} Hz`]];
	return [["Rate", `a sample each ${formatValue(value, unit)}${type ? ` of ${type}` : ""}`]];
}

// Returns { title, facts: [[name, text, warning]], notes: [comments of others] }.
function readAbout(about, profile) {
	const found = { title: "", facts: [], notes: [] };
	if (about.time > 0)
		found.facts.push(["Recorded", formatTime(about.time)]);
	if (about.duration > 0)
		found.facts.push(["Duration", formatValue(about.duration, "nanoseconds")]);
	for (const comment of about.comments) {
		const known = COMMENTS.find(([pattern, take]) => {
			const m = pattern.exec(comment);
			if (m)
				take(found, m);
			return m;
		});
		if (!known)
			found.notes.push(comment);
	}
	if (!found.title) {
		const main = profile.modules.find((m) => m.kind === Kind.USER && m.name);
		found.title = `${profile.types[profile.type].type} profile` + (main ? ` of ${main.name}` : "");
	}
	if (!found.facts.some(([name]) => name === "Rate"))
		found.facts.push(...periodFact(profile.period));
	if (!found.facts.some(([name]) => name === "Samples"))
		found.facts.push(["Stacks", profile.samples.count.toLocaleString("en-US")]);
	return found;
}

function aboutView(about) {
	const facts = about.facts.map(([name, text, warning]) =>
		el("div", { class: warning ? "warning" : "" }, el("dt", {}, name), el("dd", {}, text)));
	return el("dl", { class: "facts" }, ...facts);
}
