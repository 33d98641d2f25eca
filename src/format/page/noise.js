// Decides whether a change may be chance. A sampled value is a number of samples, and such numbers
// vary.

// What one sample represents in the values of this type; 0 if the profile does not say.
function worthOfSample(type, period) {
	if (type.type === "samples" && type.unit === "count")
		return 1;
	const same = type.type === period.type || type.type.endsWith("_" + period.type);
	return same && type.unit === period.unit && period.value > 0 ? period.value : 0;
}

/*
 * If the cost stayed the same, then among the n samples of both profiles those of the older one are
 * binomial, with a share that follows from what a sample is worth in each. A result that occurs in
 * less than one of a hundred such cases does not count as chance: that is 2.58 deviations (normal
 * approximation, corrected for whole numbers).
 */
class Noise {
	constructor(worth, baseWorth) {
		this.worth = worth;
		this.baseWorth = baseWorth;
		this.share = worth / (worth + baseWorth);
	}

	within(value, before) {
		const n0 = Math.abs(before) / this.baseWorth, n = n0 + Math.abs(value) / this.worth;
		return Math.abs(n0 - n * this.share) - 0.5 <= 2.58 * Math.sqrt(n * this.share * (1 - this.share));
	}
}

// What there is at the end of a recording does not depend on how long it took (view/compare.c).
function isLevel(type) {
	return /^(inuse|peak)_|^(objects|space|goroutine|threadcreate|thread)$/.test(type);
}

// How much longer the recording took than the one before; 1 if it is about the same, or unknown.
function durationRatio(about, before) {
	const ratio = about.duration > 0 && before.duration > 0 ? about.duration / before.duration : 1;
	return Math.abs(ratio - 1) > 0.01 ? ratio : 1;
}
