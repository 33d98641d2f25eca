// Formats numbers for people.

const SCALES = {
	nanoseconds: [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9], ["min", 6e10], ["h", 3.6e12]],
	bytes: [["B", 1], ["KiB", 1024], ["MiB", 1048576], ["GiB", 1073741824], ["TiB", 1099511627776]],
	count: [["", 1], ["k", 1e3], ["M", 1e6], ["G", 1e9]],
};
// Counts with fractions.
const TO_COUNT = { millicount: 1e-3, microcount: 1e-6, nanocount: 1e-9 };
const TO_NANOSECONDS = { microseconds: 1e3, milliseconds: 1e6, seconds: 1e9 };

function threeDigits(x) {
	const size = Math.abs(x);
	return x.toFixed(size >= 100 || Number.isInteger(x) ? 0 : size >= 10 ? 1 : 2);
}

function formatValue(value, unit) {
	if (unit in TO_NANOSECONDS)
		return formatValue(value * TO_NANOSECONDS[unit], "nanoseconds");
	if (unit in TO_COUNT)
		return +(value * TO_COUNT[unit]).toPrecision(6) + "";
	if (!value)
		return "0";
	const scale = Object.hasOwn(SCALES, unit) ? SCALES[unit] : SCALES.count;
	const size = Math.abs(value);
	let [suffix, factor] = scale[0];
	for (const [s, f] of scale) {
		// 999.6 ms is shown as 1.00 s.
		if (size >= f * 0.9995)
			[suffix, factor] = [s, f];
	}
	if (scale === SCALES.count) {
		if (size < 100000)
			[suffix, factor] = ["", 1];
		const word = unit && unit !== "count" ? " " + unit : "";
		return (factor === 1 ? Math.round(value).toLocaleString("en-US")
			: threeDigits(value / factor) + suffix) + word;
	}
	return threeDigits(value / factor) + " " + suffix;
}

function formatDelta(value, unit) {
	return (value > 0 ? "+" : value < 0 ? "−" : "") + formatValue(Math.abs(value), unit);
}

function formatPercent(part, whole) {
	if (!whole)
		return "0 %";
	const percent = 100 * part / whole, size = Math.abs(percent);
	if (size && size < 0.01)
		return percent < 0 ? ">−0.01 %" : "<0.01 %";
	return (percent < 0 ? "−" : "") + size.toFixed(!size || size >= 99.95 ? 0 : size >= 10 ? 1 : 2) + " %";
}

function formatLabelNumber(number, unit) {
	return unit ? formatValue(number, unit) : String(number);
}

function formatTime(nanos) {
	return new Date(nanos / 1e6).toLocaleString(undefined,
		{ dateStyle: "medium", timeStyle: "medium" });
}
