// Whether a change can be chance. A sampled value is a number of samples, and such numbers scatter.

// What one sample stands for in the values of this type; 0 when the profile does not say.
function worthOfSample(type, period) {
	if (type.type === "samples" && type.unit === "count")
		return 1;
	const same = type.type === period.type || type.type.endsWith("_" + period.type);
	return same && type.unit === period.unit && period.value > 0 ? period.value : 0;
}

/*
 * Had the cost stayed the same, then of the n samples in both profiles together those of the one before would be
 * binomial, with a share that follows from what a sample is worth there and here. What happens in one of a hundred
 * such cases is no chance any more: 2.58 deviations (normal approximation, corrected for whole numbers).
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
