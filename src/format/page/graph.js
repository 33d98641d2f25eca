// One flame graph on a canvas: layout on demand, drawing of the visible part, pointer and keys.

const ROW = 19;
const MIN_WIDTH = 0.7; // narrower frames are drawn together
const LABEL_WIDTH = 26;
const FONT = '12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';
const ZOOM_MS = 180;

// Positions of a tree's nodes. The children of a node are sorted and placed when they are first
// needed.
class Layout {
	constructor(tree, functions, order) {
		this.tree = tree;
		this.functions = functions;
		this.order = order;
		this.x = new Float64Array(tree.count);
		this.opened = new Uint8Array(tree.count);
	}

	get total() {
		return this.tree.weight[0];
	}

	open(node) {
		if (this.opened[node])
			return;
		this.opened[node] = 1;
		const { childStart, childList, weight, func } = this.tree, { name } = this.functions;
		const children = childList.subarray(childStart[node], childStart[node + 1]);
		if (children.length > 1 && this.order === "name")
			children.sort((a, b) => name[func[a]] < name[func[b]] ? -1
				: name[func[a]] > name[func[b]] ? 1 : a - b);
		else if (children.length > 1)
			children.sort((a, b) => weight[b] - weight[a] || a - b);
		let x = this.x[node];
		for (const child of children) {
			this.x[child] = x;
			x += weight[child];
		}
	}

	// The ancestors may not have been placed yet.
	place(node) {
		const path = [];
		for (let n = this.tree.parent[node]; n >= 0; n = this.tree.parent[n])
			path.push(n);
		while (path.length)
			this.open(path.pop());
	}

	children(node) {
		this.open(node);
		return this.tree.childList.subarray(this.tree.childStart[node], this.tree.childStart[node + 1]);
	}

	/*
	 * Visits the frames, row by row, that are at least MIN_WIDTH wide in the view from `from`
	 * to `to`. Narrower ones are passed to row() as gaps [x, end, ...]. It ends when row()
	 * returns false.
	 */
	visit(from, to, pixels, row) {
		const { weight, childStart, childList } = this.tree, least = (to - from) / pixels * MIN_WIDTH;
		const sorted = this.order !== "name";
		let nodes = weight[0] > 0 ? [0] : [];
		for (let depth = 0, gaps = []; nodes.length || gaps.length; depth++) {
			if (row(depth, nodes, gaps) === false)
				return;
			const next = [];
			gaps = [];
			const gap = (x, end) => {
				if (end - x < least || end < from || x > to)
					return;
				if (gaps.length && gaps[gaps.length - 1] >= x - least)
					gaps[gaps.length - 1] = end;
				else
					gaps.push(x, end);
			};
			for (const node of nodes) {
				this.open(node);
				const end = childStart[node + 1];
				let hidden = -1, at = this.x[node];
				for (let k = childStart[node]; k < end; k++) {
					const child = childList[k], w = weight[child];
					at = this.x[child] + w;
					if (w < least) {
						if (hidden < 0)
							hidden = this.x[child];
						if (!sorted)
							continue;
						const last = childList[end - 1];
						at = this.x[last] + weight[last];
						break;
					}
					if (hidden >= 0)
						gap(hidden, this.x[child]);
					hidden = -1;
					if (at > from && this.x[child] < to)
						next.push(child);
				}
				if (hidden >= 0)
					gap(hidden, at);
			}
			nodes = next;
		}
	}
}

class FlameGraph {
	// `on`: hover(node, event or null), select(node), focus(node), moved() if given.
	constructor(host, label, on) {
		this.on = on;
		this.canvas = el("canvas", { role: "img", "aria-label": label });
		this.spacer = el("div", {});
		this.scroller = el("div", {
			class: "graph", tabindex: "0", role: "group", "aria-label": label,
			"aria-description": "Arrow keys move from frame to frame, Enter zooms, Backspace zooms out. " +
				"The Functions tab has the same numbers as a table.",
		}, this.canvas, this.spacer);
		host.append(this.scroller);
		this.ctx = this.canvas.getContext("2d", { alpha: false });
		this.fitter = new TextFitter(this.ctx, FONT);
		this.layout = null;
		this.palette = null;
		this.icicle = false;
		this.matches = null;
		this.from = 0;
		this.to = 1;
		this.focus = 0;
		this.selected = -1;
		this.hovered = -1;
		this.rows = [];
		this.depth = 1;
		this.width = this.height = this.contentHeight = this.below = 0;
		this.marked = -1;
		this.pending = 0;
		this.listen();
	}

	// ---- what is shown ----

	show(tree, functions, order) {
		this.layout = new Layout(tree, functions, order);
		this.tree = tree;
		this.functions = functions;
		this.from = 0;
		this.to = this.layout.total || 1;
		this.focus = 0;
		this.selected = this.hovered = this.marked = -1;
		this.animation = null;
		this.measure();
		this.scrollTo(this.icicle ? 0 : this.contentHeight);
		this.redraw();
	}

	set(properties) {
		const turned = "icicle" in properties && properties.icicle !== this.icicle;
		Object.assign(this, properties);
		if (turned && this.layout) {
			this.measure();
			this.scrollTo(this.icicle ? 0 : this.contentHeight);
		}
		this.redraw();
	}

	resize() {
		const width = this.scroller.clientWidth, height = this.scroller.clientHeight;
		if (!width || !height || !this.layout)
			return;
		this.measure();
		this.redraw();
	}

	// Counts the rows in the current view, which limits how far one can scroll.
	measure() {
		this.width = this.scroller.clientWidth;
		this.height = this.scroller.clientHeight;
		this.depth = 1;
		if (this.width)
			this.layout.visit(this.from, this.to, this.width, (depth, nodes, gaps) => {
				this.depth = depth + 1;
			});
		this.contentHeight = Math.max(this.depth * ROW + 2, this.height);
		this.canvas.style.width = this.width + "px";
		this.canvas.style.height = this.height + "px";
		this.spacer.style.height = this.contentHeight - this.height + "px";
		if (!this.icicle)
			this.scrollTo(this.contentHeight - this.height - this.below);
	}

	scrollTo(top) {
		this.scroller.scrollTop = top;
		this.noteScroll();
	}

	// Records what is below the view, because in a flame graph that must stay the same when
	// sizes change.
	noteScroll() {
		const { scroller } = this;
		if (scroller.clientHeight === this.height)
			this.below = Math.max(0, this.contentHeight - this.height - scroller.scrollTop);
	}

	// ---- drawing ----

	redraw() {
		if (!this.pending)
			this.pending = requestAnimationFrame((now) => {
				this.pending = 0;
				this.step(now);
				this.draw();
			});
	}

	rowY(depth) {
		const y = this.icicle ? depth * ROW : this.contentHeight - (depth + 1) * ROW;
		return y - this.scroller.scrollTop;
	}

	draw() {
		const width = this.scroller.clientWidth, height = this.scroller.clientHeight;
		if (!width || !height || !this.layout)
			return;
		const ratio = window.devicePixelRatio || 1, { canvas } = this;
		const w = Math.round(width * ratio), h = Math.round(height * ratio);
		if (canvas.width !== w || canvas.height !== h) {
			canvas.width = w;
			canvas.height = h;
		}
		if (width !== this.width || height !== this.height)
			this.measure();
		this.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
		this.paint(this.ctx, width, height, (depth) => this.rowY(depth));
	}

	paint(ctx, width, height, rowY) {
		const { theme } = this.palette;
		ctx.fillStyle = theme.background;
		ctx.fillRect(0, 0, width, height);
		ctx.font = FONT;
		ctx.textBaseline = "middle";
		this.rows = [];
		this.layout.visit(this.from, this.to, width, (depth, nodes, gaps) => {
			const y = rowY(depth);
			this.rows[depth] = nodes;
			if (y + ROW > 0 && y < height)
				this.paintRow(ctx, width, y, nodes, gaps);
			return this.icicle ? y < height : y + ROW > 0;
		});
	}

	paintRow(ctx, width, y, nodes, gaps) {
		const { theme } = this.palette, { weight, func } = this.tree, { x } = this.layout;
		const scale = width / (this.to - this.from);
		const focusEnd = x[this.focus] + weight[this.focus];
		ctx.fillStyle = theme.filler;
		for (let i = 0; i < gaps.length; i += 2) {
			const left = Math.max(0, (gaps[i] - this.from) * scale);
			const right = Math.min(width, (gaps[i + 1] - this.from) * scale);
			if (right > left)
				ctx.fillRect(left, y, Math.max(right - left - 0.5, 0.5), ROW - 1);
		}
		for (const node of nodes) {
			const left = Math.max(0, (x[node] - this.from) * scale);
			const right = Math.min(width, (x[node] + weight[node] - this.from) * scale);
			const matched = this.matches && this.matches[func[node]];
			const faded = this.matches ? !matched : weight[node] > weight[this.focus] &&
				x[node] <= x[this.focus] && x[node] + weight[node] >= focusEnd && node !== this.focus;
			this.paintFrame(ctx, node, left, y, right - left, matched, faded);
		}
	}

	paintFrame(ctx, node, left, y, w, matched, faded) {
		const { theme } = this.palette, { func } = this.tree;
		const shown = w > 3 ? w - 1 : Math.max(w, 0.5);
		ctx.fillStyle = matched ? theme.match : this.palette.fill(this.tree, node);
		if (faded)
			ctx.globalAlpha = 0.4;
		ctx.fillRect(left, y, shown, ROW - 1);
		ctx.globalAlpha = 1;
		if (w >= LABEL_WIDTH) {
			const text = this.fitter.fit(this.functions.name[func[node]], w - 8);
			ctx.fillStyle = faded ? theme.dim : matched ? theme.matchText : theme.text;
			if (text)
				ctx.fillText(text, left + 4, y + ROW / 2);
		}
		const same = this.hovered >= 0 && func[node] === func[this.hovered] && func[node] < this.functions.real;
		if (node === this.selected || node === this.hovered || same || func[node] === this.marked) {
			ctx.strokeStyle = theme.outline;
			ctx.lineWidth = node === this.selected || node === this.hovered ? 2 : 1;
			ctx.strokeRect(left + 1, y + 1, Math.max(shown - 2, 0.5), ROW - 3);
		}
	}

	// ---- positions ----

	nodeAt(px, py) {
		const top = py + this.scroller.scrollTop;
		const depth = Math.floor((this.icicle ? top : this.contentHeight - top) / ROW);
		const row = this.rows[depth], { x } = this.layout, { weight } = this.tree;
		if (!row)
			return -1;
		const at = this.from + px * (this.to - this.from) / this.width;
		let low = 0, high = row.length - 1;
		while (low < high) {
			const middle = (low + high + 1) >> 1;
			if (x[row[middle]] <= at)
				low = middle;
			else
				high = middle - 1;
		}
		const node = row[low];
		return node !== undefined && x[node] <= at && at < x[node] + weight[node] ? node : -1;
	}

	// The position in pixels of the canvas, which is where tests click.
	rectOf(node) {
		this.layout.place(node);
		const scale = this.width / (this.to - this.from);
		return {
			x: (this.layout.x[node] - this.from) * scale, y: this.rowY(this.tree.depth(node)),
			width: this.tree.weight[node] * scale, height: ROW - 1,
		};
	}

	// ---- zoom ----

	// What is shown, or will be after the animation.
	get target() {
		const a = this.animation;
		return a ? { from: a.nextFrom, to: a.nextTo } : { from: this.from, to: this.to };
	}

	zoomTo(node, animate) {
		this.layout.place(node);
		this.focus = node;
		this.moveTo(this.layout.x[node], this.layout.x[node] + this.tree.weight[node], animate);
	}

	moveTo(from, to, animate) {
		const total = this.layout.total || 1, least = total * 1e-9;
		const size = Math.min(Math.max(to - from, least), total);
		from = Math.min(Math.max(from, 0), total - size);
		if (animate && !reducedMotion()) {
			this.animation = {
				began: performance.now(), from: this.from, to: this.to, nextFrom: from, nextTo: from + size,
			};
		} else {
			this.animation = null;
			this.from = from;
			this.to = from + size;
			this.measure();
			this.reveal(this.focus);
		}
		if (this.on.moved)
			this.on.moved();
		this.redraw();
	}

	step(now) {
		const a = this.animation;
		if (!a)
			return;
		const t = Math.min(1, Math.max(0, (now - a.began) / ZOOM_MS)), eased = 1 - (1 - t) ** 3;
		this.from = a.from + (a.nextFrom - a.from) * eased;
		this.to = a.to + (a.nextTo - a.to) * eased;
		if (t < 1) {
			this.redraw();
			return;
		}
		this.animation = null;
		this.from = a.nextFrom;
		this.to = a.nextTo;
		this.measure();
		this.reveal(this.focus);
	}

	zoomBy(factor, px) {
		const at = this.from + (this.to - this.from) * px / this.width;
		this.moveTo(at - (at - this.from) * factor, at + (this.to - at) * factor, false);
	}

	panBy(px) {
		const by = px * (this.to - this.from) / this.width;
		this.moveTo(this.from + by, this.to + by, false);
	}

	// Scrolls so that the row of `node` is visible.
	reveal(node) {
		if (node < 0)
			return;
		const y = this.rowY(this.tree.depth(node));
		if (y < 0)
			this.scrollTo(this.scroller.scrollTop + y - ROW);
		else if (y + ROW > this.height)
			this.scrollTo(this.scroller.scrollTop + y + 2 * ROW - this.height);
	}

	// ---- pointer ----

	listen() {
		const { canvas, scroller } = this;
		let press = null;
		const at = (e) => {
			const box = canvas.getBoundingClientRect();
			return [e.clientX - box.left, e.clientY - box.top];
		};
		canvas.addEventListener("pointerdown", (e) => {
			if (e.button === 0)
				press = { x: e.clientX, y: e.clientY, moved: false, id: e.pointerId };
		});
		canvas.addEventListener("pointermove", (e) => {
			if (!press) {
				this.hover(this.nodeAt(...at(e)), e);
				return;
			}
			if (!press.moved && Math.abs(e.clientX - press.x) + Math.abs(e.clientY - press.y) < 5)
				return;
			if (!press.moved) {
				press.moved = true;
				canvas.setPointerCapture(press.id);
				this.hover(-1, null);
			}
			this.panBy(press.x - e.clientX);
			this.scrollTo(scroller.scrollTop + press.y - e.clientY);
			press.x = e.clientX;
			press.y = e.clientY;
		});
		canvas.addEventListener("pointerup", (e) => {
			const click = press && !press.moved;
			press = null;
			if (click)
				this.clicked(this.nodeAt(...at(e)));
		});
		canvas.addEventListener("pointercancel", () => press = null);
		canvas.addEventListener("pointerleave", () => this.hover(-1, null));
		canvas.addEventListener("wheel", (e) => this.wheel(e, at(e)), { passive: false });
		scroller.addEventListener("scroll", () => {
			this.noteScroll();
			this.redraw();
		});
		scroller.addEventListener("keydown", (e) => this.key(e));
		new ResizeObserver(() => this.resize()).observe(scroller);
	}

	wheel(e, [px]) {
		if (e.ctrlKey || e.metaKey || e.altKey) {
			e.preventDefault();
			this.zoomBy(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 120), px);
		} else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
			e.preventDefault();
			this.panBy(e.deltaX || e.deltaY);
		}
	}

	hover(node, event) {
		if (node !== this.hovered) {
			this.hovered = node;
			this.canvas.style.cursor = node >= 0 ? "pointer" : "default";
			this.redraw();
		}
		this.on.hover(node, event);
	}

	clicked(node) {
		this.scroller.focus({ preventScroll: true });
		if (node < 0)
			return;
		this.select(node);
		this.on.focus(node);
	}

	// Highlights the node's function everywhere.
	select(node) {
		const func = this.tree.func[node];
		this.selected = node;
		this.marked = func < this.functions.real ? func : -1;
		this.redraw();
		this.on.select(node);
	}

	// ---- keys ----

	key(e) {
		if (e.ctrlKey || e.metaKey || e.altKey)
			return;
		const moves = {
			ArrowUp: () => this.icicle ? this.toParent() : this.toChild(),
			ArrowDown: () => this.icicle ? this.toChild() : this.toParent(),
			ArrowLeft: () => this.toSibling(-1),
			ArrowRight: () => this.toSibling(1),
			Home: () => 0,
		};
		if (moves[e.key]) {
			const node = this.selected < 0 ? this.focus : moves[e.key]();
			if (node >= 0) {
				this.bring(node);
				this.select(node);
			}
		} else if (e.key === "Enter" && this.selected >= 0) {
			this.on.focus(this.selected);
		} else if (e.key === "Backspace" && this.focus > 0) {
			this.on.focus(this.tree.parent[this.focus]);
		} else if (e.key === "+" || e.key === "=") {
			this.zoomBy(0.7, this.middle());
		} else if (e.key === "-") {
			this.zoomBy(1 / 0.7, this.middle());
		} else {
			return;
		}
		e.preventDefault();
		e.stopPropagation();
	}

	middle() {
		if (this.selected < 0)
			return this.width / 2;
		const r = this.rectOf(this.selected);
		return Math.min(Math.max(r.x + r.width / 2, 0), this.width);
	}

	// Scrolls and zooms so that the node is visible and wide enough to see.
	bring(node) {
		this.layout.place(node);
		const x = this.layout.x[node], end = x + this.tree.weight[node];
		if (end <= this.from || x >= this.to || (end - x) / (this.to - this.from) * this.width < 3)
			this.moveTo(x - (end - x) * 2, end + (end - x) * 2, false);
		this.reveal(node);
	}

	toParent() {
		return this.tree.parent[this.selected];
	}

	toChild() {
		const child = this.layout.children(this.selected).find((c) => this.tree.weight[c] > 0);
		return child === undefined ? -1 : child;
	}

	toSibling(step) {
		const parent = this.tree.parent[this.selected];
		if (parent < 0)
			return -1;
		const siblings = this.layout.children(parent).filter((c) => this.tree.weight[c] > 0);
		const next = siblings[siblings.indexOf(this.selected) + step];
		return next === undefined ? -1 : next;
	}
}

function reducedMotion() {
	return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
