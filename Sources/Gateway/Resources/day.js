/** Charts of the last 24 hours, from the history that the router keeps. */

import { Problem, history } from "./api.js";
import { sparkline } from "./chart.js";
import { byId, element } from "./dom.js";
import { duration } from "./words.js";

/** The time between two requests for the history, in milliseconds. */
const pace = 60_000;
/** The longest time between two values of one line, in milliseconds. */
const gap = 90_000;
let asked = -Infinity;

/** Draws the charts again if they are a minute old. */
export async function draw() {
    if (performance.now() - asked < pace) return;
    asked = performance.now();
    let report;
    try {
        report = await history();
    } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        // The router is of an earlier release, or gone: what was drawn stays.
        return;
    }
    byId("day").hidden = false;
    byId("day-tiles").replaceChildren(...tiles(report));
}

const whole = (value) => value.toLocaleString("en");
const total = (values) => values.reduce((sum, value) => sum + value, 0);
const sums = (columns) => Object.values(columns).reduce((sum, column) => column.map((value, at) => value + sum[at]));

function tiles({ from_ms: from, interval_s: interval, ...report }) {
    const series = (values) => values.map((value, index) => ({ at: from + 1000 * interval * index, value }))
        .filter(({ value }) => value !== null);
    const tile = (name, values, unit, note) => {
        const points = series(values);
        if (points.length === 0) points.push({ at: from, value: 0 });
        // A value holds to the end of its minute; otherwise the first minute would have no line.
        points.push({ at: points.at(-1).at + 1000 * interval, value: points.at(-1).value });
        const most = unit(Math.max(...points.map(({ value }) => value)));
        return element("div", { class: "tile" }, element("h3", {}, name),
            sparkline(points, `${name} over the last 24 hours: maximum ${most}`, gap),
            element("p", { class: "note" }, note ?? `max ${most}`));
    };
    const named = (columns) => Object.entries(columns).map(([name, values]) => `${name} ${whole(total(values))}`)
        .join(", ");
    return [
        tile("Verdicts per minute", sums(report.actions), whole, named(report.actions)),
        tile("Refusals and errors per minute", sums(report.errors), whole, named(report.errors)),
        tile("Latency by the minute, p50", report.p50_ms, duration),
        tile("Latency by the minute, p99", report.p99_ms, duration),
        tile("Most pending jobs", report.queue_jobs, whole),
        ...Object.entries(report.workers).map(([name, values]) =>
            tile(`Fewest workers: ${name}`, values, whole, `min ${Math.min(...values)}, max ${Math.max(...values)}`)),
    ];
}
