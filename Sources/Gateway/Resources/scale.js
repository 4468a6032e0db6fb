/** The scale of the AI probability: the verdict, each network's score, and the policy's thresholds. */

import { element, place } from "./dom.js";
import { percent } from "./words.js";

/** The log-odds at both ends: about 0.1 and 99.9 per cent. */
const end = 7;
/** The width that a zone needs to show its name, in per cent of the scale. */
const narrowest = 9;

// Linear in log-odds, so that distances correspond to evidence: 99 and 99.9 per cent are as far apart as 50 and 90.
function position(probability) {
    const odds = Math.log(probability / (1 - probability));
    return 50 + (50 * Math.max(-end, Math.min(end, odds))) / end;
}

function at(probability, attributes, ...children) {
    const mark = element("span", attributes, ...children);
    place(mark, { left: position(probability) });
    return mark;
}

/** @param policy the verdict's policy as the service describes it; undefined if unknown */
export function drawScale(container, result, policy) {
    const limits = [0, policy?.review ?? 1, policy?.block ?? 1, 1].map(position);
    const zones = ["allow", "review", "block"].map((action, index) => {
        const width = Math.max(0, limits[index + 1] - limits[index]);
        const zone = element("span", { class: "zone", "data-action": action });
        if (policy && width > narrowest) zone.append(element("b", {}, action));
        place(zone, { left: limits[index], width });
        return zone;
    });
    const scores = result.models.filter((model) => model.ai_probability !== undefined);
    const { ai_probability: probability } = result.verdict;
    container.replaceChildren(
        element("div", { class: "track" }, ...zones,
            ...scores.map((model) => at(model.ai_probability, { class: "score" })),
            at(probability, { class: "pointer" })),
        element("div", { class: "ticks" },
            ...[0.01, 0.1, 0.5, 0.9, 0.99].map((tick) => at(tick, {}, `${Math.round(tick * 100)} %`))));
    container.setAttribute("aria-label", `AI probability ${percent(probability)}, `
        + scores.map((model) => `${model.name} ${percent(model.ai_probability)}`).join(", ")
        + (policy ? `; review from ${percent(policy.review)}, block from ${percent(policy.block)}` : ""));
}
