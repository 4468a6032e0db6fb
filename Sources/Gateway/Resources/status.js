/** The status page: the router's report once a second, its events, and its history. */

import { Problem, events } from "./api.js";
import { shares, sparkline } from "./chart.js";
import * as day from "./day.js";
import { byId, element } from "./dom.js";
import * as drift from "./drift.js";
import * as log from "./events.js";
import { Samples, quantile } from "./samples.js";
import { askForToken } from "./token.js";
import { count, duration, sentence, size } from "./words.js";

/** The share of jobs that may spend their whole budgets: beyond it, the 99th percentile is over the budgets. */
const mostOverBudget = 0.01;
/** The time without an event, in milliseconds, after which the page reconnects. */
const silence = 5000;
/** The locator's name; the report lists it after the networks. */
const locatorName = "locator";
/** The kinds of evidence; the report lists those of the ensemble after the locator. */
const evidenceKinds = ["provenance", "known"];
const samples = new Samples();
let lastReport;

// Listening

async function listen() {
    for (;;) {
        try {
            await follow();
            showDown("The gateway does not answer", "It ended the connection.");
        } catch (problem) {
            if (!(problem instanceof Problem)) throw problem;
            if (problem.status === 401) {
                showDown("A token is needed", "The report requires a token.");
                await new Promise((resolve) => askForToken(resolve));
                continue;
            }
            showDown("The gateway does not answer", problem.message);
        }
        await new Promise((resolve) => setTimeout(resolve, 1000));
    }
}

/** Shows events until the connection ends or no event has arrived for too long. */
async function follow() {
    const controller = new AbortController();
    const giveUp = () => controller.abort();
    let timer = setTimeout(giveUp, silence);
    try {
        for await (const { name, data } of events(controller.signal, log.lastID())) {
            clearTimeout(timer);
            timer = setTimeout(giveUp, silence);
            if (name === "status") show(data);
            else if (name === "down") showDown("No router answers", data.error);
            else if (data.kind) log.add(data);
        }
    } finally {
        clearTimeout(timer);
        controller.abort();
    }
}

// The state in words

function tell(tone, headline, subline, connection) {
    const line = byId("connection");
    line.dataset.tone = tone;
    byId("headline").dataset.tone = tone;
    // Setting the same text again would make screen readers repeat it.
    for (const [target, text] of [[byId("headline"), headline], [byId("subline"), subline], [line, connection]]) {
        if (target.textContent !== text) target.textContent = text;
    }
}

function showDown(headline, reason) {
    const last = lastReport ? ` The report below is from ${lastReport.toLocaleTimeString("en-GB")}.` : "";
    tell("bad", headline, `${sentence(reason)}${last} This page keeps trying.`, "Down");
    byId("report").classList.add("stale");
}

function showState(report) {
    const { router, queue, workers } = report;
    const networks = report.models.filter(({ name }) => name !== locatorName && !evidenceKinds.includes(name));
    const unseen = report.models.filter(({ name, workers }) => evidenceKinds.includes(name) && workers === 0);
    const without = networks.filter((model) => model.workers === 0).map((model) => model.name);
    const isBlind = report.models.some((model) => model.name === locatorName && model.workers === 0);
    const isRefusing = samples.rates(({ counters }) => counters.rejected, 60_000).at(-1).value > 0;
    const perSecond = (read) => samples.rates(read, 60_000).at(-1).value;
    const late = perSecond(({ counters }) => counters.over_budget ?? 0)
        / (perSecond((sample) => sample.latency_histogram_ms.count) || 1);
    const facts = `${count(workers.length, "worker")} for ${count(networks.length, "network")} and the locator. `
        + `Router ${router.version}, up for ${duration(router.uptime_s * 1000)}.`;
    const bad = (headline, what, state) => tell("bad", headline, `${what} ${facts}`, state);
    if (router.draining) bad("Draining", `No new jobs are accepted; ${count(queue.jobs, "job")} left.`, "Draining");
    else if (without.length === networks.length) bad("No workers", "No network has a worker.", "No workers");
    else if (isBlind) bad("Locator unavailable", "No worker can decode images and find faces.", "No locator");
    else if (without.length > 0) bad(`Unavailable: ${without.join(" and ")}`, "The others still answer.", "Degraded");
    else if (isRefusing) bad("Refusing jobs", "The load exceeds the limits.", "Busy");
    else if (late > mostOverBudget) {
        bad("Too slow", `${Math.ceil(100 * late)} % of the jobs of the last minute spent their whole budgets.`, "Slow");
    } else if (unseen.length > 0) {
        const kinds = unseen.map((model) => model.name).join(" and ");
        tell("good", `No evidence of ${kinds}`, `Images are judged without it. ${facts}`, "Live");
    } else tell("good", "All is well", facts, "Live");
}

// The report

function show(report) {
    lastReport = new Date();
    samples.add(report);
    byId("report").classList.remove("stale");
    byId("report").hidden = false;
    day.draw();
    drift.draw();
    showState(report);
    byId("tiles").replaceChildren(...tiles(report));
    showVerdicts(report);
    byId("replies").replaceChildren(replies(report));
    byId("models").replaceChildren(...report.models.map((model) => network(model, report)));
    byId("workers").replaceChildren(...[...report.workers].sort((a, b) => a.name.localeCompare(b.name)).map(workerRow));
    byId("trouble").replaceChildren(...trouble(report.counters));
}

function tile(name, value, series, unit, note) {
    const most = unit(Math.max(...series.map((sample) => sample.value)));
    return element("div", { class: "tile" },
        element("h3", {}, name), element("p", { class: "value" }, value),
        sparkline(series, `${name} over the last minutes: now ${value}, maximum ${most}`),
        element("p", { class: "note" }, note ?? `max ${most}`));
}

function tiles({ queue, router }) {
    const rate = (value) => (value >= 0.05 && value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en"));
    const latency = ({ latency_histogram_ms: histogram }) => histogram;
    const p50 = samples.quantiles(latency, 0.5).at(-1).value;
    const p99 = samples.quantiles(latency, 0.99);
    const time = (milliseconds) => (milliseconds > 0 ? duration(milliseconds) : "–");
    const refused = samples.rates(({ counters }) => counters.rejected);
    const bytes = samples.rates(({ counters }) => counters.bytes_received);
    return [
        tile("Answers per second", rate(router.answers_per_second),
            samples.series((report) => report.router.answers_per_second), rate),
        tile("Pending jobs", queue.jobs.toLocaleString("en"), samples.series((report) => report.queue.jobs),
            (value) => value.toLocaleString("en"), `of ${queue.max_jobs.toLocaleString("en")}, ${size(queue.bytes)}`),
        tile("Crops in memory", size(queue.crop_bytes), samples.series((report) => report.queue.crop_bytes), size,
            `of ${size(queue.max_crop_bytes)}`),
        tile("Oldest job", time(queue.oldest_ms ?? 0), samples.series((report) => report.queue.oldest_ms ?? 0), time),
        tile("Latency, p99", time(p99.at(-1).value), p99, time, `p50 ${time(p50)}, of the last 10 s`),
        tile("Refused per second", rate(refused.at(-1).value), refused, rate),
        tile("Received per second", size(Math.round(bytes.at(-1).value)), bytes, (value) => size(Math.round(value))),
    ];
}

function showVerdicts({ verdicts }) {
    const labels = [
        ["Real", "real", "real"], ["AI-generated", "ai_generated", "ai_generated"], ["No face", "none", "no_face"],
    ];
    const actions = [["Allow", "allow", "allow"], ["Review", "review", "review"], ["Block", "block", "block"]];
    const recent = (group, key) => samples.growth((report) => report.verdicts[group][key] ?? 0);
    const total = (group, key) => verdicts[group][key] ?? 0;
    const bars = (read) => [["by_label", labels], ["by_action", actions]].map(([group, parts]) =>
        shares(parts.map(([name, kind, key]) => ({ name, kind, value: read(group, key) }))));
    byId("verdicts").replaceChildren(
        element("h3", {}, "Last five minutes"), ...bars(recent),
        element("h3", {}, "Since the router started"), ...bars(total));
}

const meanings = {
    200: "answered", 202: "journalled", 206: "answered in part", 400: "malformed", 404: "unknown",
    408: "timed out", 413: "too large", 415: "not an image", 422: "damaged image", 429: "refused",
    503: "unavailable",
};

const number = (value) => element("td", { class: "number" }, value.toLocaleString("en"));

function replies({ counters }) {
    const rows = Object.entries(counters.replies_by_status).sort().map(([status, total]) => {
        const recent = samples.growth((report) => report.counters.replies_by_status[status] ?? 0);
        const meaning = element("small", {}, meanings[status] ?? "");
        return element("tr", {}, element("th", { scope: "row" }, status, " ", meaning), number(recent), number(total));
    });
    return element("table", {},
        element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Status"),
            element("th", { scope: "col", class: "number" }, "Last five minutes"),
            element("th", { scope: "col", class: "number" }, "Total"))),
        element("tbody", {}, ...rows));
}

function network(model, { workers }) {
    const read = (report) => report.models.find(({ name }) => name === model.name);
    const recently = (name) => samples.growth((report) => read(report)[name]);
    // Batches since the page was opened or, if there were none, since the router started.
    const of = recently("batch").count > 0 ? recently : (name) => model[name];
    const [compute, batch] = [of("compute_ms"), of("batch")];
    const time = (part) => (compute.count > 0 ? duration(quantile(compute, part)) : "–");
    const mine = workers.filter((worker) => worker.model === model.name);
    const weights = new Map(mine.map(({ digest, version, metrics }) => [digest, { version, metrics }]));
    const facts = [
        ["Workers", model.workers],
        ["Waiting", model.waiting],
        ["In flight", model.in_flight],
        ["Compute, p50", time(0.5)],
        ["p99", time(0.99)],
        ["Batch, mean", batch.count > 0 ? (batch.sum / batch.count).toFixed(1) : "–"],
    ];
    const load = samples.series((report) => read(report).waiting + read(report).in_flight);
    return element("article", { class: "network", ...(model.workers === 0 ? { "data-tone": "bad" } : {}) },
        element("h3", {}, model.name),
        sparkline(load, `Jobs waiting or in flight at ${model.name} over the last minutes`),
        element("dl", {}, ...facts.map(([name, value]) => fact(name, String(value)))),
        ...[...weights].map(([digest, { version, metrics }]) => element("p", { class: "weights" }, `${version} `,
            element("code", { title: digest }, shortened(digest)),
            metrics.roc_auc ? ` ROC AUC ${metrics.roc_auc.toFixed(3)}` : "")),
        ...(model.workers === 0 ? [element("p", { class: "weights" }, "No worker serves it.")] : []));
}

function fact(name, value, attributes = {}) {
    return element("div", attributes, element("dt", {}, name), element("dd", {}, value));
}

const shortened = (digest) => digest.replace(/^(sha256:.{12}).*/, "$1…");

function workerRow(worker) {
    const load = element("meter", {
        min: 0, max: worker.credit, value: worker.in_flight, "aria-label": `Jobs in flight at ${worker.name}`,
    });
    const digest = element("code", { title: worker.digest }, shortened(worker.digest));
    return element("tr", {},
        element("th", { scope: "row" }, worker.name),
        element("td", { class: "wide" }, `${worker.version} `, digest),
        element("td", {}, worker.state),
        element("td", { class: "wide" }, worker.sandbox ?? "–"),
        element("td", {}, load, element("small", {}, ` ${worker.in_flight} of ${worker.credit}`)),
        number(worker.scored),
        element("td", { class: "number wide" }, worker.failed.toLocaleString("en")),
        element("td", { class: "number wide" }, duration(worker.last_heard_ms)));
}

function trouble(counters) {
    const told = [
        ["Workers lost", counters.workers_lost], ["Jobs retried", counters.redispatched],
        ["Jobs quarantined", counters.quarantined], ["Replies not delivered", counters.undelivered],
        ["Malformed requests", counters.malformed_requests],
        ["Malformed messages", counters.malformed_messages],
        ["Late answers", counters.late], ["Unknown answers", counters.unknown],
        ["Messages from unknown peers", counters.strangers], ["Jobs cancelled", counters.cancelled],
    ];
    return told.map(([name, value]) => fact(name, value.toLocaleString("en"), value > 0 ? { class: "some" } : {}));
}

listen();
