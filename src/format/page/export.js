// Pictures of what is shown: PNG from a canvas, SVG as text.

function download(name, type, content) {
	const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
	const link = el("a", { href: url, download: name });
	document.body.append(link);
	link.click();
	link.remove();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}

const CAPTION = 26;

// Paints the whole height of one or two graphs, and not only the part that is scrolled into view.
function paintPicture(graphs, width, caption, ratio) {
	const heights = graphs.map((g) => Math.min(g.depth * ROW + 2, 8000));
	const height = CAPTION + heights.reduce((a, b) => a + b + 4, 0);
	const canvas = el("canvas", { width: String(Math.round(width * ratio)), height: String(Math.round(height * ratio)) });
	const ctx = canvas.getContext("2d", { alpha: false });
	ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
	const { theme } = graphs[0].palette;
	ctx.fillStyle = theme.background;
	ctx.fillRect(0, 0, width, height);
	ctx.fillStyle = theme.text;
	ctx.font = FONT;
	ctx.textBaseline = "middle";
	ctx.fillText(caption, 4, CAPTION / 2);
	let top = CAPTION;
	graphs.forEach((g, i) => {
		ctx.save();
		ctx.translate(0, top);
		g.paint(ctx, width, heights[i], (depth) => g.icicle ? depth * ROW : heights[i] - (depth + 1) * ROW);
		ctx.restore();
		top += heights[i] + 4;
	});
	graphs.forEach((g) => g.redraw());
	return canvas;
}

function escapeXml(text) {
	return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
		.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function svgFrames(graph, width, top, height, describe) {
	const { tree, layout, functions, palette, fitter } = graph, out = [];
	const scale = width / (graph.to - graph.from);
	layout.visit(graph.from, graph.to, width, (depth, nodes) => {
		const y = top + (graph.icicle ? depth * ROW : height - (depth + 1) * ROW);
		for (const node of nodes) {
			const left = Math.max(0, (layout.x[node] - graph.from) * scale);
			const right = Math.min(width, (layout.x[node] + tree.weight[node] - graph.from) * scale);
			const matched = graph.matches && graph.matches[tree.func[node]];
			const fill = matched ? palette.theme.match : palette.fill(tree, node);
			const text = right - left >= LABEL_WIDTH ? fitter.fit(functions.name[tree.func[node]], right - left - 8) : "";
			out.push(`<g><title>${escapeXml(describe(graph, node))}</title>` +
				`<rect x="${left.toFixed(1)}" y="${y}" width="${Math.max(right - left - 0.5, 0.3).toFixed(1)}" ` +
				`height="${ROW - 1}" fill="${fill}"/>` +
				(text ? `<text x="${(left + 4).toFixed(1)}" y="${y + 13}">${escapeXml(text)}</text>` : "") + "</g>");
		}
		return out.length < 100000;
	});
	return out.join("\n");
}

function svgPicture(graphs, width, caption, describe) {
	const { theme } = graphs[0].palette, parts = [];
	let top = CAPTION;
	for (const g of graphs) {
		const height = g.depth * ROW + 2;
		parts.push(svgFrames(g, width, top, height, describe));
		top += height + 4;
	}
	return `<?xml version="1.0" encoding="UTF-8"?>\n` +
		`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}" ` +
		`font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12" fill="${theme.text}">\n` +
		`<rect width="100%" height="100%" fill="${theme.background}"/>\n` +
		`<text x="4" y="17">${escapeXml(caption)}</text>\n${parts.join("\n")}\n</svg>\n`;
}
