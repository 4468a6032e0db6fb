/** The service's last minutes, made of its reports: rates, and quantiles of what happened in a span of time. */

/** How far back the page remembers, in milliseconds. */
const memory = 5 * 60_000;

export class Samples {
    #samples = [];

    /** Takes one report; those of an earlier router's life, or too old ones, are forgotten. */
    add(report, at = Date.now()) {
        const last = this.#samples.at(-1);
        if (last && report.router.uptime_s < last.report.router.uptime_s) this.#samples = [];
        this.#samples.push({ at, report });
        while (this.#samples[0].at < at - memory) this.#samples.shift();
    }

    /** {at, value} for each report: what `read` finds in it. */
    series(read) {
        return this.#samples.map(({ at, report }) => ({ at, value: read(report) }));
    }

    /** The same for a counter: by how much it grew a second, seen over the last few seconds. */
    rates(read, span = 5000) {
        return this.#samples.map(({ at, report }, index) => {
            const { at: from, report: earlier } = this.#before(index, span);
            return { at, value: at > from ? (1000 * (read(report) - read(earlier))) / (at - from) : 0 };
        });
    }

    /** The same for a histogram: a quantile of what came in the last few seconds; 0 if nothing did. */
    quantiles(read, part, span = 10_000) {
        return this.#samples.map(({ at, report }, index) => {
            const recent = difference(read(report), read(this.#before(index, span).report));
            return { at, value: quantile(recent, part) };
        });
    }

    /** What a counter or a histogram grew by since the earliest report that is remembered. */
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

/** A quantile of a cumulative histogram, as if values lay evenly within each bucket; 0 of none. */
export function quantile({ bounds, counts, count }, part) {
    if (count === 0) return 0;
    const rank = part * count;
    const bucket = counts.findIndex((atMost) => atMost >= rank);
    if (bucket < 0) return bounds.at(-1);
    const [from, before] = bucket > 0 ? [bounds[bucket - 1], counts[bucket - 1]] : [0, 0];
    return from + ((bounds[bucket] - from) * (rank - before)) / (counts[bucket] - before || 1);
}
