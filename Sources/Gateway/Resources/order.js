/** The filters and the orders of the images. */

import { verdictAnswer } from "./words.js";

/** Whether a job passes a filter: all, block, review, allow, no_face or failed. */
export function passes({ state, result }, filter) {
    if (filter === "all") return true;
    if (filter === "failed") return state === "failed";
    if (state !== "done") return false;
    // An image without a face has an action, too: a person who reviews must see it.
    return filter === "no_face" ? result.verdict.label === filter : result.verdict.action === filter;
}

/** Returns the number of jobs that pass each filter. */
export function counts(jobs, filters) {
    return Object.fromEntries(filters.map((filter) => [filter, jobs.filter((job) => passes(job, filter)).length]));
}

const ranks = { block: 0, review: 1, failed: 2, allow: 3, waiting: 4 };
const rank = ({ state, result }) => ranks[state === "done" ? result.verdict.action : state] ?? ranks.waiting;
const suspicion = ({ result }) => result?.verdict.ai_probability ?? -1;
const natural = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// Jobs that are equal otherwise stay in the order in which they came.
const orders = {
    flagged: (one, other) =>
        rank(one) - rank(other) || suspicion(other) - suspicion(one) || one.number - other.number,
    newest: (one, other) => other.number - one.number,
    name: (one, other) => natural.compare(one.file.name, other.file.name) || one.number - other.number,
};

/** Returns the jobs that pass a filter, in one of the orders flagged, newest and name. */
export function arranged(jobs, filter, order) {
    return jobs.filter((job) => passes(job, filter)).sort(orders[order]);
}

/** Returns how many images are in which state, in words. */
export function summary(jobs) {
    const labels = jobs.filter((job) => job.state === "done").map((job) => verdictAnswer(job.result.verdict).label);
    const states = jobs.map((job) => job.state);
    const number = (list, value) => list.filter((each) => each === value).length;
    return [
        [number(labels, "real"), "real"],
        [number(labels, "ai_generated"), "AI-generated"],
        [number(labels, "none"), "without a face"],
        [number(states, "failed"), "failed"],
        [number(states, "running"), "running"],
        [number(states, "waiting"), "waiting"],
    ].filter(([many]) => many > 0).map(([many, word]) => `${many} ${word}`).join(" · ");
}
