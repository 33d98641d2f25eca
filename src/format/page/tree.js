// Trees of stacks in typed arrays: parents come before their children, and node 0 is the root.

// Finds or creates children by (parent, function), with open addressing.
class Merger {
	constructor(expected, rootFunc) {
		this.count = 1;
		this.parent = new Int32Array(Math.max(expected, 16));
		this.func = new Int32Array(this.parent.length);
		this.parent[0] = -1;
		this.func[0] = rootFunc;
		this.slots = new Int32Array(64);
		this.reserve(this.parent.length);
	}

	reserve(n) {
		let size = this.slots.length;
		while (size < n * 2)
			size *= 2;
		this.slots = new Int32Array(size);
		for (let id = 1; id < this.count; id++)
			this.slots[this.slot(this.parent[id], this.func[id])] = id;
	}

	slot(parent, func) {
		const mask = this.slots.length - 1;
		let hash = Math.imul(parent + 1, 0x9e3779b1) ^ Math.imul(func + 1, 0x85ebca6b);
		hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
		for (let at = (hash ^ (hash >>> 13)) & mask; ; at = (at + 1) & mask) {
			const id = this.slots[at];
			if (!id || (this.parent[id] === parent && this.func[id] === func))
				return at;
		}
	}

	child(parent, func) {
		let at = this.slot(parent, func);
		if (this.slots[at])
			return this.slots[at];
		const id = this.count++;
		if (id === this.parent.length) {
			const wider = (a) => {
				const fresh = new Int32Array(a.length * 2);
				fresh.set(a);
				return fresh;
			};
			this.parent = wider(this.parent);
			this.func = wider(this.func);
		}
		this.parent[id] = parent;
		this.func[id] = func;
		if (id * 2 >= this.slots.length) {
			this.reserve(id * 2);
			at = this.slot(parent, func);
		}
		this.slots[at] = id;
		return id;
	}
}

// A tree with values. `merged` is the node of Stacks that a node shows, or null.
class Tree {
	constructor(count, parent, func, inlined, merged) {
		this.count = count;
		this.parent = parent;
		this.func = func;
		this.inlined = inlined;
		this.merged = merged;
		this.value = new Float64Array(count); // first the self values, then totals by sumUp
		this.base = null; // the same for the other profile
		this.self = this.baseSelf = null;
		this.weight = this.value; // determines the widths; never negative
		this.childStart = null;
		this.childList = null;
	}

	sumUp() {
		this.self = this.value.slice();
		this.baseSelf = this.base && this.base.slice();
		this.sum(this.value);
		if (this.base)
			this.sum(this.base);
		this.setWeight("new");
	}

	sum(a) {
		for (let i = this.count - 1; i > 0; i--)
			a[this.parent[i]] += a[i];
	}

	// Widths show the profile ("new"), the one it is compared with ("base") or both together.
	setWeight(of) {
		const from = of === "base" && this.base ? this.baseSelf : this.self;
		const both = of === "both" && this.base;
		if (!both && !hasNegative(from)) {
			this.weight = from === this.self ? this.value : this.base;
			return;
		}
		this.weight = from.map(Math.abs);
		if (both) {
			for (let i = 0; i < this.count; i++)
				this.weight[i] += Math.abs(this.baseSelf[i]);
		}
		this.sum(this.weight);
	}

	linkChildren() {
		const start = new Int32Array(this.count + 1), list = new Int32Array(this.count - 1);
		for (let i = 1; i < this.count; i++)
			start[this.parent[i] + 1]++;
		for (let i = 1; i <= this.count; i++)
			start[i] += start[i - 1];
		const next = start.slice();
		for (let i = 1; i < this.count; i++)
			list[next[this.parent[i]]++] = i;
		this.childStart = start;
		this.childList = list;
	}

	depth(node) {
		let depth = 0;
		for (; node > 0; node = this.parent[node])
			depth++;
		return depth;
	}
}

// All stacks of the profile merged by function, and what is derived from that once.
class Stacks {
	constructor(profile) {
		const { nodes, merged, frames, functions } = profile;
		this.profile = profile;
		this.rootFunc = functions.addGroup("all");
		this.ofNode = merged.of;
		this.count = merged.count;
		this.parent = new Int32Array(this.count);
		this.func = new Int32Array(this.count);
		this.inlined = new Uint8Array(this.count).fill(1);
		this.parent[0] = -1;
		this.func[0] = this.rootFunc;
		this.inlined[0] = 0;
		for (let i = 1; i < nodes.count; i++) {
			const at = merged.of[i], frame = nodes.frame[i];
			this.parent[at] = merged.of[nodes.parent[i]];
			this.func[at] = frames.func[frame];
			this.inlined[at] &= frames.inlined[frame];
		}
		this.groupings = new Map();
		this.lastLinks = null;
	}

	// Nodes without an ancestor of the same function, so sums over them count no stack twice.
	get outermost() {
		if (!this.outermostCache) {
			const seen = new Int32Array(this.profile.functions.real).fill(-1);
			const first = new Uint8Array(this.count), end = new Int32Array(this.count);
			this.visit((i) => {
				const f = this.func[i];
				if (f >= seen.length || seen[f] >= 0)
					return;
				seen[f] = i;
				first[i] = 1;
			}, (i) => {
				if (first[i])
					seen[this.func[i]] = -1;
			}, end);
			this.outermostCache = first;
		}
		return this.outermostCache;
	}

	// Visits depth first without recursion, because stacks may be thousands of frames deep.
	visit(enter, leave, next) {
		const { start, list } = this.links;
		let node = 0;
		next.set(start.subarray(0, this.count));
		enter(0);
		for (;;) {
			if (next[node] < start[node + 1]) {
				node = list[next[node]++];
				enter(node);
				continue;
			}
			leave(node);
			if (!node)
				return;
			node = this.parent[node];
		}
	}

	get links() {
		if (!this.lastLinks) {
			const t = new Tree(this.count, this.parent, this.func, this.inlined, null);
			t.linkChildren();
			this.lastLinks = { start: t.childStart, list: t.childList };
		}
		return this.lastLinks;
	}

	// ---- which samples count ----

	labelKeys() {
		const keys = new Map();
		for (const set of this.profile.labelSets) {
			for (const [key, value] of set) {
				if (!keys.has(key))
					keys.set(key, new Set());
				keys.get(key).add(value);
			}
		}
		return keys;
	}

	get idle() {
		if (!this.idleCache)
			this.idleCache = findIdle(this);
		return this.idleCache;
	}

	// Sums the selected values for each node; `choice` is { type, hideIdle, scale, group }.
	selfOf(samples, choice, scale) {
		const self = new Float64Array(this.count);
		if (!samples)
			return null;
		const values = samples.values[choice.type], { node, set } = samples;
		for (let i = 0; i < samples.count; i++) {
			const at = this.ofNode[node[i]];
			if (!choice.hideIdle || !this.idle.has(at, set[i]))
				self[at] += values[i] * scale;
		}
		return self;
	}

	totalOf(samples, choice) {
		let sum = 0;
		const values = samples.values[choice.type];
		for (let i = 0; i < samples.count; i++) {
			if (!choice.hideIdle || !this.idle.has(this.ofNode[samples.node[i]], samples.set[i]))
				sum += values[i];
		}
		return sum;
	}

	// The factor for values before: what they are per second of recording, or as shares.
	baseScale(choice) {
		const { samples, base, about, baseAbout, types } = this.profile;
		if (!base || choice.scale === "raw")
			return 1;
		if (choice.scale === "second")
			return isLevel(types[choice.type].type) ? 1 : durationRatio(about, baseAbout);
		const old = this.totalOf(base, choice);
		return old ? this.totalOf(samples, choice) / old : 1;
	}

	// Null if nothing is compared, or if the profiles have no counts of samples.
	noiseOf(choice) {
		const { base, types, period, basePeriod } = this.profile, type = types[choice.type];
		const worth = worthOfSample(type, period), before = worthOfSample(type, basePeriod);
		return base && worth && before ? new Noise(worth, before * this.baseScale(choice)) : null;
	}

	plainTree(choice) {
		const { samples, base } = this.profile;
		const t = new Tree(this.count, this.parent, this.func, this.inlined, null);
		t.value = this.selfOf(samples, choice, 1);
		t.base = this.selfOf(base, choice, this.baseScale(choice));
		t.sumUp();
		t.childStart = this.links.start;
		t.childList = this.links.list.slice();
		return t;
	}

	// ---- by label ----

	groupingBy(key) {
		if (!this.groupings.has(key))
			this.groupings.set(key, this.makeGrouping(key));
		return this.groupings.get(key);
	}

	makeGrouping(key) {
		const { labelSets, functions } = this.profile, funcs = new Map();
		return labelSets.map((set) => {
			const name = groupName(key, set);
			if (!funcs.has(name))
				funcs.set(name, functions.addGroup(name));
			return funcs.get(name);
		});
	}

	// Samples that count, by the function that represents their group.
	samplesByGroup(samples, choice, groups) {
		const ofSet = this.groupingBy(choice.group);
		for (let i = 0; samples && i < samples.count; i++) {
			if (choice.hideIdle && this.idle.has(this.ofNode[samples.node[i]], samples.set[i]))
				continue;
			const func = ofSet[samples.set[i]];
			if (!groups.has(func))
				groups.set(func, { samples: [], base: [] });
			groups.get(func)[samples === this.profile.base ? "base" : "samples"].push(i);
		}
	}

	// One group follows the other, so one array can say where a node is in the current one.
	groupedTree(choice) {
		const { samples, base } = this.profile, groups = new Map();
		const parent = [-1], func = [this.rootFunc], merged = [0], path = [];
		const owner = new Int32Array(this.count).fill(-1), at = new Int32Array(this.count);
		const push = (up, f, node) => {
			parent.push(up);
			func.push(f);
			merged.push(node);
			at[node] = parent.length - 1;
			owner[node] = group;
		};
		const place = (node) => {
			for (; owner[node] !== group; node = this.parent[node])
				path.push(node);
			while (path.length) {
				const child = path.pop();
				push(at[node], this.func[child], child);
				node = child;
			}
			return at[node];
		};
		const placed = new Int32Array(samples.count).fill(-1);
		const basePlaced = new Int32Array(base ? base.count : 0).fill(-1);
		let group = 0;
		this.samplesByGroup(samples, choice, groups);
		this.samplesByGroup(base, choice, groups);
		for (const [f, members] of groups) {
			push(0, f, 0);
			for (const i of members.samples)
				placed[i] = place(this.ofNode[samples.node[i]]);
			for (const i of members.base)
				basePlaced[i] = place(this.ofNode[base.node[i]]);
			group++;
		}
		const t = new Tree(parent.length, Int32Array.from(parent), Int32Array.from(func),
			Uint8Array.from(merged, (n) => this.inlined[n]), Int32Array.from(merged));
		addPlaced(t.value, placed, samples.values[choice.type], 1);
		if (base) {
			t.base = new Float64Array(t.count);
			addPlaced(t.base, basePlaced, base.values[choice.type], this.baseScale(choice));
		}
		t.sumUp();
		t.linkChildren();
		return t;
	}

	treeOf(choice) {
		return choice.group ? this.groupedTree(choice) : this.plainTree(choice);
	}

	// ---- from one function ----

	// A stack counts once, at the outermost call of the function; recursion shows below it.
	callees(plain, func) {
		const merger = new Merger(1024, func), to = new Int32Array(this.count);
		const inlined = [this.inlined[0]];
		for (let i = 1; i < this.count; i++) {
			const up = to[this.parent[i]];
			if (up) {
				to[i] = merger.child(up - 1, this.func[i]) + 1;
				inlined[to[i] - 1] = inlined[to[i] - 1] === undefined ? this.inlined[i]
					: inlined[to[i] - 1] & this.inlined[i];
			} else if (this.func[i] === func && (plain.value[i] || (plain.base && plain.base[i]))) {
				to[i] = 1;
			}
		}
		return this.derived(merger, inlined, plain, (t) => {
			for (let i = 1; i < this.count; i++) {
				if (!to[i])
					continue;
				t.value[to[i] - 1] += plain.self[i];
				if (t.base)
					t.base[to[i] - 1] += plain.baseSelf[i];
			}
		});
	}

	callers(plain, func) {
		const merger = new Merger(1024, func), inlined = [0], ends = [];
		const outermost = this.outermost;
		for (let i = 1; i < this.count; i++) {
			if (this.func[i] !== func || !outermost[i])
				continue;
			let at = 0;
			for (let up = this.parent[i]; up > 0; up = this.parent[up]) {
				at = merger.child(at, this.func[up]);
				inlined[at] = inlined[at] === undefined ? this.inlined[up]
					: inlined[at] & this.inlined[up];
			}
			ends.push(i, at);
		}
		return this.derived(merger, inlined, plain, (t) => {
			for (let k = 0; k < ends.length; k += 2) {
				t.value[ends[k + 1]] += plain.value[ends[k]];
				if (t.base)
					t.base[ends[k + 1]] += plain.base[ends[k]];
			}
		});
	}

	derived(merger, inlined, plain, fill) {
		const t = new Tree(merger.count, merger.parent.slice(0, merger.count),
			merger.func.slice(0, merger.count), Uint8Array.from(inlined), null);
		if (plain.base)
			t.base = new Float64Array(t.count);
		fill(t);
		t.sumUp();
		t.linkChildren();
		return t;
	}

	// ---- sums per function ----

	table(plain) {
		const n = this.profile.functions.real, outermost = this.outermost;
		const table = {
			self: new Float64Array(n), total: new Float64Array(n),
			baseSelf: plain.base && new Float64Array(n), baseTotal: plain.base && new Float64Array(n),
			inlined: new Uint8Array(n).fill(1), // wherever the function occurs
		};
		for (let i = 1; i < this.count; i++) {
			const f = this.func[i];
			table.inlined[f] &= this.inlined[i];
			table.self[f] += plain.self[i];
			if (plain.base)
				table.baseSelf[f] += plain.baseSelf[i];
			if (!outermost[i])
				continue;
			table.total[f] += plain.value[i];
			if (plain.base)
				table.baseTotal[f] += plain.base[i];
		}
		return table;
	}

	// ---- lines: where in its source a function was, the most frequent first ----

	get linesOfFunctions() {
		if (!this.linesCache) {
			const { frames, functions } = this.profile;
			const start = new Int32Array(functions.real + 1);
			for (let i = 0; i < frames.func.length; i++)
				start[frames.func[i] + 1]++;
			for (let f = 0; f < functions.real; f++)
				start[f + 1] += start[f];
			const list = new Int32Array(frames.func.length), next = start.slice();
			for (let i = 0; i < frames.func.length; i++)
				list[next[frames.func[i]]++] = i;
			this.linesCache = { start, list };
		}
		return this.linesCache;
	}

	// Weights of frames in the whole profile, or below the merged node `merged`.
	lines(func, merged, choice) {
		const { nodes, frames, samples, strings } = this.profile;
		if (func >= this.profile.functions.real)
			return [];
		const weight = this.frameWeights(choice), places = new Map();
		const add = (frame, value) => {
			const line = frames.line[frame], file = strings[frames.file[frame]];
			const place = file && line > 0 ? file + ":" + line : file;
			if (place)
				places.set(place, (places.get(place) || 0) + value);
		};
		if (merged >= 0) {
			const { start, list } = this.nodesOfMerged;
			for (let k = start[merged]; k < start[merged + 1]; k++)
				add(nodes.frame[list[k]], Math.abs(weight.ofNode[list[k]]));
		} else {
			const { start, list } = this.linesOfFunctions;
			for (let k = start[func]; k < start[func + 1]; k++)
				add(list[k], Math.abs(weight.ofFrame[list[k]]));
		}
		return [...places].sort((a, b) => b[1] - a[1]);
	}

	get nodesOfMerged() {
		if (!this.mergedCache) {
			const n = this.profile.nodes.count, start = new Int32Array(this.count + 1);
			for (let i = 1; i < n; i++)
				start[this.ofNode[i] + 1]++;
			for (let i = 0; i < this.count; i++)
				start[i + 1] += start[i];
			const list = new Int32Array(n), next = start.slice();
			for (let i = 1; i < n; i++)
				list[next[this.ofNode[i]]++] = i;
			this.mergedCache = { start, list };
		}
		return this.mergedCache;
	}

	frameWeights(choice) {
		const key = choice.type + "/" + choice.hideIdle;
		if (this.weightsKey === key)
			return this.weightsCache;
		const { nodes, frames, samples } = this.profile;
		const ofNode = new Float64Array(nodes.count), ofFrame = new Float64Array(frames.func.length);
		const values = samples.values[choice.type];
		for (let i = 0; i < samples.count; i++) {
			if (!choice.hideIdle || !this.idle.has(this.ofNode[samples.node[i]], samples.set[i]))
				ofNode[samples.node[i]] += values[i];
		}
		for (let i = nodes.count - 1; i > 0; i--) {
			ofNode[nodes.parent[i]] += ofNode[i];
			ofFrame[nodes.frame[i]] += ofNode[i];
		}
		this.weightsKey = key;
		return this.weightsCache = { ofNode, ofFrame };
	}
}

function hasNegative(values) {
	for (let i = 0; i < values.length; i++) {
		if (values[i] < 0)
			return true;
	}
	return false;
}

function addPlaced(sums, placed, values, scale) {
	for (let i = 0; i < placed.length; i++) {
		if (placed[i] >= 0)
			sums[placed[i]] += values[i] * scale;
	}
}

// A thread's number alone says little, so its name is shown with it.
function groupName(key, set) {
	const value = set.get(key);
	if (value === undefined)
		return `(no ${key})`;
	const of = key === "tid" ? set.get("thread") : key === "pid" ? set.get("comm") : undefined;
	return of === undefined || of === value ? `${key} ${value}` : `${of} (${key} ${value})`;
}

// ---- idleness
// -------------------------------------------------------------------------------------

const IDLE_CPU = /^(cpu_startup_entry|do_idle|cpuidle_enter\w*|default_idle\w*|intel_idle\w*|acpi_idle\w*|acpi_safe_halt|mwait_idle\w*|(pv_)?native_safe_halt|swapper(\/\d+)?|\[idle\])$/;
const IDLE_WAIT = /^(_*(libc_)?(epoll_p?wait2?|poll|ppoll|select|pselect(64)?|accept4?|nanosleep|clock_nanosleep|sigwait(info)?|sigtimedwait|sigsuspend|rt_sigsuspend|pause|io_getevents|wait4|waitpid|waitid)(@.*)?|do_epoll_wait|do_sys_poll|do_select|core_sys_select|hrtimer_nanosleep|inet_csk_accept|do_wait|_*pthread_cond_(timed|clock)?wait.*|_*pthread_(timed|clock)?join.*|runtime\.(gopark|findRunnable|mPark|stopm))$/;
const WAITING_TYPES = /^(delay|blocked|wall|off-?cpu|waiting|total|runnable)$/;

// Waiting functions are idle only if the profile measures waiting; in a CPU profile epoll_wait does
// work.
function findIdle(stacks) {
	const { functions, labelSets, types } = stacks.profile;
	const waits = types.some((t) => WAITING_TYPES.test(t.type));
	const idleFunc = functions.name.map((name, f) => f < functions.real &&
		(IDLE_CPU.test(name) || (waits && IDLE_WAIT.test(name))));
	const node = new Uint8Array(stacks.count);
	let any = false;
	for (let i = 1; i < stacks.count; i++) {
		node[i] = idleFunc[stacks.func[i]] || node[stacks.parent[i]] ? 1 : 0;
		any = any || !!node[i];
	}
	const set = labelSets.map((s) => ["cause", "state", "reason"].some((k) => s.get(k) === "idle") ||
		(waits && s.get("kind") === "condvar"));
	return { any: any || set.includes(true), has: (n, s) => node[n] === 1 || set[s] };
}
