/** How the images and scores of the last day differ from those of the calibration. */

import { Problem, drift } from "./api.js";
import { byId, element } from "./dom.js";
import { count, percentOrDash } from "./words.js";

/** The time between two requests, in milliseconds. */
const pace = 60_000;
/** The usual thresholds of the population stability index: from the first on look, from the second on act. */
const [some, much] = [0.1, 0.25];
let asked = -Infinity;

/** Draws the charts again if they are a minute old. */
export async function draw() {
    if (performance.now() - asked < pace) return;
    asked = performance.now();
    let report;
    try {
        report = await drift();
    } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        // The router is of an earlier release, or gone: what was drawn stays.
        return;
    }
    byId("drift").hidden = report.models.length + report.images.length === 0;
    byId("drift-models").replaceChildren(...report.models.map((model) => row(model, report.minimum_faces)));
    byId("drift-images").replaceChildren(...report.images.map((entry) => images(entry, report.reviews ?? [])));
}

const nameOf = ({ tenant }) => tenant ?? "no name";
const number = (text) => element("td", { class: "number" }, text);

function row(model, minimum) {
    const { psi } = model;
    const chart = psi === undefined ? element("small", {}, `from ${count(minimum, "face")} on`)
        : element("meter", {
            min: 0, low: some, high: much, max: 2 * much, optimum: 0, value: psi,
            "aria-label": `Stability index of ${model.model}, ${nameOf(model)}`,
        });
    const word = psi === undefined ? "" : psi >= much ? " much" : psi >= some ? " some" : " little";
    return element("tr", {}, element("th", { scope: "row" }, `${model.model} ${model.version}`),
        element("td", {}, nameOf(model)), number(model.faces.toLocaleString("en")),
        element("td", {}, chart, psi === undefined ? "" : element("small", {}, ` ${psi.toFixed(2)},${word}`)));
}

function images({ count: all, without_face: faceless, formats, ...entry }, reviews) {
    const reviewed = reviews.find(({ tenant }) => tenant === entry.tenant);
    const shares = Object.entries(formats).filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a)
        .map(([name, value]) => `${name} ${percentOrDash(value / all)}`);
    return element("tr", {}, element("th", { scope: "row" }, nameOf(entry)), number(all.toLocaleString("en")),
        number(percentOrDash(faceless / all)), element("td", {}, shares.join(", ")),
        number(reviewed ? `${percentOrDash(reviewed.agreed / reviewed.count)} of ${reviewed.count}` : "–"));
}
