/** The line about the service at the top of the page, and the service's policies. */

import { Problem, models } from "./api.js";
import { byId } from "./dom.js";
import { askForToken } from "./token.js";
import { count } from "./words.js";

const interval = 5000;
let policies = [];

/** Returns a policy as the service describes it; undefined if unknown. */
export const policy = (name) => policies.find((each) => each.name === name);

/** Checks the service now and every few seconds. @param goOn called after a token is entered */
export function watch(goOn) {
    setInterval(() => document.hidden || check(goOn), interval);
    check(goOn);
}

export async function check(goOn) {
    try {
        const report = await models();
        policies = report.policies;
        // The locator comes first: the networks depend on it.
        const missing = [report.locator, ...report.models].filter((model) => model?.workers === 0)
            .map((model) => model.name);
        if (missing.length === 0) tell("good", `${count(report.models.length, "network")} ready`);
        else tell("bad", `Unavailable: ${missing.join(" and ")}`);
    } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (problem.status === 401) askForToken(goOn);
        tell("bad", { 0: "No gateway", 401: "A token is needed" }[problem.status] ?? "No router answers");
    }
}

function tell(tone, text) {
    const line = byId("service");
    line.dataset.tone = tone;
    // Setting the same text again would make screen readers repeat it.
    if (line.textContent !== text) line.textContent = text;
}
