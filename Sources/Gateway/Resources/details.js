/** What a result says in detail: its table of networks, and its list of terms. */

import { element } from "./dom.js";
import { degrees, duration, percent, percentOrDash, problemTitle } from "./words.js";

/** Returns the row of a network in the table. */
export function modelRow(model, { label, word }) {
    const name = element("th", { scope: "row" }, model.name, " ", element("small", {}, model.version ?? ""));
    if (model.error) return element("tr", {}, name, element("td", { colspan: 3 }, problemTitle(model.status)));
    return element("tr", {}, name,
        element("td", { "data-label": label }, word),
        element("td", { class: "number" }, percentOrDash(label === "none" ? undefined : model.ai_probability)),
        element("td", { class: "number" }, duration(model.queue_ms + model.compute_ms)));
}

/** Returns the terms and texts of the details. */
export function details(result) {
    const scores = result.models.filter((model) => !model.error);
    // The locator, then the networks. Results that an earlier release stored have no locator.
    const stages = [...(result.locator ? [{ name: "locator", ...result.locator }] : []), ...scores];
    const faces = (result.faces ?? []).map(({ box, turned, ai_probability: probability, models }, index, all) => {
        const each = Object.entries(models).map(([name, score]) => `${name} ${percent(score)}`).join(", ");
        const [left, top, width, height] = box;
        const stands = turned ? `, turned ${degrees(turned)}` : "";
        const number = all.length > 1 ? `${index + 1}: ` : "";
        return `${number}${width} × ${height} at ${left}, ${top}${stands}: AI probability ${percent(probability)} (${each})`;
    });
    const middle = scores.map((model) => `${model.name}: AI probability ${percent(model.ai_probability)}`);
    return [
        ["AI probability", percentOrDash(result.verdict.ai_probability)],
        ["Policy", `${result.verdict.policy}: ${result.verdict.action}`],
        ...evidenceDetails(result.evidence ?? []),
        ["Faces", ...(faces.length > 0 ? faces : [result.faces ? "none found" : "not searched for"])],
        ...(result.verdict.label === "no_face" ? [["Middle of the image", ...middle]] : []),
        ["Time", `${duration(result.total_ms)} in the service`, ...stages.map((stage) =>
            `${stage.name}: waiting ${duration(stage.queue_ms)}, computing ${duration(stage.compute_ms)}`)],
        ["Workers", ...stages.map((stage) => stage.worker)],
        ["Weights", ...stages.map((stage) => `${stage.name} ${stage.version} ${stage.digest}`)],
        ["Image", `sha256:${result.image.sha256}`],
        ["Job", result.id],
    ];
}

/** Returns the terms and texts of the evidence that its sentences leave out. */
function evidenceDetails(evidence) {
    const manifests = evidence.filter((entry) => entry.kind === "provenance" && entry.digest);
    return manifests.length === 0 ? [] : [["Manifest", ...manifests.flatMap(({ source, digest, validation = [] }) =>
        [`${source ?? "c2pa"} sha256:${digest}`, ...validation])]];
}
