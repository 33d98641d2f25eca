// Shortens long C++ and Rust names so that the distinctive part remains.

// Removes everything between `open` and `close`, nested. Operators (operator<, operator(), ->)
// stay.
function withoutBrackets(name, open, close) {
	let depth = 0, out = "";
	for (let i = 0; i < name.length; i++) {
		const c = name[i];
		if (c === open && !/operator[<(]?$/.test(name.slice(Math.max(0, i - 10), i)))
			depth++;
		else if (c === close && depth && name[i - 1] !== "-")
			depth--;
		else if (!depth)
			out += c;
	}
	return depth ? name : out;
}

// Returns what a frame may show, longest first.
function nameForms(name) {
	const forms = [name];
	const add = (form) => {
		if (form && form.length < forms[forms.length - 1].length)
			forms.push(form);
	};
	if (name[0] === "[" || name.length < 8)
		return forms;
	// Go's receivers stay: profile.(*Sample).key becomes profile.Sample.key.
	const anonymous = name.replace(/\(anonymous namespace\)/g, "{anon}").replace(/\.\(\*([^()*]+)\)/g, ".$1");
	const plain = withoutBrackets(anonymous, "(", ")").replace(/ const$| \[.*\]$/, "");
	add(plain);
	const bare = withoutBrackets(plain, "<", ">").replace(/::::/g, "::").replace(/^::/, "").trim();
	add(bare);
	// Go's packages contain slashes, and return types of templates are before a space.
	add(bare.replace(/^.*\//, "").replace(/^.* (?=\S+::)/, ""));
	const last = bare.match(/[^:\s/]+$/);
	if (last)
		add(last[0]);
	return forms;
}

// Widths of characters are measured once, because text is fitted a thousand times per picture.
class TextFitter {
	constructor(ctx, font) {
		ctx.font = font;
		this.ctx = ctx;
		this.font = font;
		this.ascii = new Float32Array(128);
		for (let i = 32; i < 127; i++)
			this.ascii[i] = ctx.measureText(String.fromCharCode(i)).width;
		this.other = new Map();
		this.forms = new Map();
		this.ellipsis = this.widthOfChar("…");
	}

	widthOfChar(c) {
		let width = this.other.get(c);
		if (width === undefined) {
			this.ctx.font = this.font;
			width = this.ctx.measureText(c).width;
			this.other.set(c, width);
		}
		return width;
	}

	charWidth(text, i) {
		const code = text.charCodeAt(i);
		return code < 128 ? this.ascii[code] : this.widthOfChar(text[i]);
	}

	width(text) {
		let sum = 0;
		for (let i = 0; i < text.length; i++)
			sum += this.charWidth(text, i);
		return sum;
	}

	formsOf(name) {
		let forms = this.forms.get(name);
		if (!forms) {
			forms = nameForms(name.length > 600 ? name.slice(0, 600) + "…" : name)
				.map((text) => ({ text, width: this.width(text) }));
			this.forms.set(name, forms);
		}
		return forms;
	}

	cut(text, width) {
		let sum = this.ellipsis, i = 0;
		while (i < text.length && sum + this.charWidth(text, i) <= width)
			sum += this.charWidth(text, i++);
		return i < 2 ? "" : text.slice(0, i) + "…";
	}

	// Returns the longest form that fits into `width` pixels, or "" if none does.
	fit(name, width) {
		const forms = this.formsOf(name);
		for (const form of forms) {
			if (form.width <= width)
				return form.text;
		}
		return this.cut(forms[forms.length - 1].text, width);
	}

	// Cuts out the middle, and keeps more of the end, which is a function's own name.
	cutMiddle(text, width) {
		let left = width - this.ellipsis, head = 0, tail = text.length;
		if (this.width(text) <= width)
			return text;
		for (; head < tail; left -= this.charWidth(text, head++)) {
			if (this.charWidth(text, head) > left - width * 2 / 3)
				break;
		}
		for (; tail > head && this.charWidth(text, tail - 1) <= left; tail--)
			left -= this.charWidth(text, tail - 1);
		return text.slice(0, head) + "…" + text.slice(tail);
	}

	// Fits names that are shown one below the other. Those that would look equal also show where
	// they begin to differ.
	fitAll(names, width) {
		const fitted = names.map((name) => this.fit(name, width)), same = new Map();
		fitted.forEach((text, i) => {
			if (text !== names[i])
				same.set(text, [...(same.get(text) || []), i]);
		});
		for (const [text, members] of same) {
			members.sort((a, b) => names[a] < names[b] ? -1 : 1);
			members.forEach((i, k) => {
				const [before, after] = [names[members[k - 1]], names[members[k + 1]]];
				const start = Math.max(commonStart(names[i], before), commonStart(names[i], after));
				if (start < 0)
					return;
				const own = " …" + this.cut(names[i].slice(startOfWord(names[i], start)), width / 3);
				fitted[i] = this.cutMiddle(text, width - this.width(own)) + own;
			});
		}
		return fitted;
	}
}

// The length of what two different names have in common; -1 without a different one.
function commonStart(a, b) {
	let n = 0;
	if (b === undefined || a === b)
		return -1;
	while (n < a.length && a[n] === b[n])
		n++;
	return n;
}

function startOfWord(name, at) {
	while (at > 0 && /\w/.test(name[at - 1]))
		at--;
	return at;
}
