/** Small charts without axes: a line over the last minutes, and a stacked bar. */

import { element, place } from "./dom.js";

const namespace = "http://www.w3.org/2000/svg";
const [width, height] = [100, 28];
/** The time without a report, in milliseconds, after which a live line is interrupted. */
const liveGap = 4000;

/**
 * Returns a line over time, filled below. It ends with the last value, and begins with the first.
 *
 * @param label the description for screen readers
 * @param gap the time without a value, in milliseconds, after which the line is interrupted
 */
export function sparkline(series, label, gap = liveGap) {
    const svg = document.createElementNS(namespace, "svg");
    const attributes = {
        class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none",
        role: "img", "aria-label": label,
    };
    for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
    const from = series[0].at;
    const span = Math.max(30_000, series.at(-1).at - from);
    const top = Math.max(...series.map(({ value }) => value)) || 1;
    const x = (at) => (width - (width * (series.at(-1).at - at)) / span).toFixed(2);
    const y = (value) => (height - 1 - ((height - 3) * value) / top).toFixed(2);
    for (const run of runs(series, gap)) {
        const line = run.map(({ at, value }) => `${x(at)},${y(value)}`).join("L");
        const [left, right] = [run[0], run.at(-1)].map(({ at }) => `${x(at)},${height}`);
        svg.append(path("fill", `M${left}L${line}L${right}Z`), path("line", `M${line}`));
    }
    return svg;
}

function path(name, data) {
    const made = document.createElementNS(namespace, "path");
    made.setAttribute("class", name);
    made.setAttribute("d", data);
    return made;
}

/** Returns the series, split where values are missing. */
function runs(series, gap) {
    const parts = [];
    series.forEach((sample, index) => {
        if (index === 0 || sample.at - series[index - 1].at > gap) parts.push([]);
        parts.at(-1).push(sample);
    });
    return parts;
}

/** Returns a stacked bar of parts, {name, kind, value} each, with their numbers in a legend. */
export function shares(parts) {
    const total = parts.reduce((sum, { value }) => sum + value, 0);
    let left = 0;
    const segments = parts.map(({ kind, value }) => {
        const segment = element("span", { "data-kind": kind });
        const share = total > 0 ? (100 * value) / total : 0;
        place(segment, { left, width: share });
        left += share;
        return segment;
    });
    const legend = parts.map(({ name, kind, value }) =>
        element("li", { "data-kind": kind }, `${name} `, element("b", {}, value.toLocaleString("en"))));
    return element("div", { class: "shares" },
        element("div", { class: "stack", "aria-hidden": "true" }, ...segments), element("ul", {}, ...legend));
}
