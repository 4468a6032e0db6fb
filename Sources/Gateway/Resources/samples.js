/** The service's reports of the last minutes, with rates and quantiles over a span of time. */

/** How long samples are kept, in milliseconds. */
const memory = 5 * 60_000;

export class Samples {
    #samples = [];

    /** Adds a report. Drops reports from before the router's restart, and those that are too old. */
    add(report, at = Date.now()) {
        const last = this.#samples.at(-1);
        if (last && report.router.uptime_s < last.report.router.uptime_s) this.#samples = [];
        this.#samples.push({ at, report });
        while (this.#samples[0].at < at - memory) this.#samples.shift();
    }

    /** Returns {at, value} for each report, with the value that `read` takes from it. */
    series(read) {
        return this.#samples.map(({ at, report }) => ({ at, value: read(report) }));
    }

    /** Returns {at, value} for each report, with the growth of a counter per second over the last `span` ms. */
    rates(read, span = 5000) {
        return this.#samples.map(({ at, report }, index) => {
            const { at: from, report: earlier } = this.#before(index, span);
            return { at, value: at > from ? (1000 * (read(report) - read(earlier))) / (at - from) : 0 };
        });
    }

    /** Returns {at, value} for each report, with a quantile of a histogram over the last `span` ms; 0 if empty. */
    quantiles(read, part, span = 10_000) {
        return this.#samples.map(({ at, report }, index) => {
            const recent = difference(read(report), read(this.#before(index, span).report));
            return { at, value: quantile(recent, part) };
        });
    }

    /** Returns the growth of a counter or histogram since the earliest report that is kept. */
    growth(read) {
        const [first, last] = [this.#samples[0], this.#samples.at(-1)].map(({ report }) => read(report));
        return typeof last === "number" ? last - first : difference(last, first);
    }

    #before(index, span) {
        const { at } = this.#samples[index];
        let earlier = index;
        while (earlier > 0 && this.#samples[earlier].at > at - span) earlier--;
        return this.#samples[earlier];
    }
}

function difference(later, earlier) {
    return {
        bounds: later.bounds,
        counts: later.counts.map((count, index) => count - earlier.counts[index]),
        count: later.count - earlier.count,
        sum: later.sum - earlier.sum,
    };
}

/** Returns a quantile of a cumulative histogram, interpolated within its bucket; 0 without values. */
export function quantile({ bounds, counts, count }, part) {
    if (count === 0) return 0;
    const rank = part * count;
    const bucket = counts.findIndex((atMost) => atMost >= rank);
    if (bucket < 0) return bounds.at(-1);
    const [from, before] = bucket > 0 ? [bounds[bucket - 1], counts[bucket - 1]] : [0, 0];
    return from + ((bounds[bucket] - from) * (rank - before)) / (counts[bucket] - before || 1);
}
