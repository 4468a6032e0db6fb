/** The classifying page: accepts images, sends a few at a time, and shows the results. */

import { Problem, classify, models } from "./api.js";
import { byId, element } from "./dom.js";
import * as files from "./export.js";
import { unreadableFormat } from "./formats.js";
import { ImageCard } from "./image.js";
import * as session from "./session.js";
import { askForToken } from "./token.js";
import { count, duration, percent, percentOrDash, problemTitle, sentence, verdictAnswer } from "./words.js";

/** The most requests in flight; more would only wait in the service instead of here. */
const mostRunning = 4;
const serviceCheckInterval = 5000;
const mostAnnouncements = 20;

/** {file, card, state: "waiting" | "running" | "done" | "failed", problem, abort}, in the order of the page. */
let jobs = [];
let policies = [];

// Accepting images

const picker = byId("files");
picker.addEventListener("change", () => {
    add(picker.files);
    picker.value = ""; // so that the same file can be chosen again
});

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        document.body.classList.add("dragging");
    });
}
document.addEventListener("dragleave", (event) => {
    // The event also fires for every element inside the window; relatedTarget is null only at its edge.
    if (event.relatedTarget === null) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
    document.body.classList.remove("dragging");
    if (!carriesFiles(event)) return;
    event.preventDefault();
    add(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    add(event.clipboardData.files);
});

function add(chosen) {
    for (const file of chosen) {
        const job = { file, state: "waiting" };
        job.card = new ImageCard(file, { remove: () => remove([job]), again: () => again([job]) });
        jobs.push(job);
        byId("images").append(job.card.element);
    }
    byId("results").hidden = jobs.length === 0;
    pump();
}

// Sending them

function pump() {
    const running = jobs.filter((job) => job.state === "running").length;
    const next = jobs.filter((job) => job.state === "waiting").slice(0, mostRunning - running);
    next.forEach(run);
    summarise();
}

async function run(job) {
    job.state = "running";
    job.abort = new AbortController();
    const { signal } = job.abort;
    let outcome;
    try {
        const format = await unreadableFormat(job.file);
        if (format) {
            throw new Problem(
                415, "image_unknown_format", `This is a ${format} file. The service reads JPEG, PNG, WebP, GIF, AVIF and HEIC.`);
        }
        outcome = await classify(job.file, signal, (progress) => job.card.showProgress(progress));
        if (signal.aborted) return;
        job.state = "done";
        job.card.showResult(outcome, policies.find((policy) => policy.name === outcome.verdict.policy));
        announce(`${job.file.name}: ${told(outcome)}`);
    } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (signal.aborted) return;
        job.state = "failed";
        job.problem = problem;
        job.card.showProblem(problem);
        announce(`${job.file.name}: ${problemTitle(problem.status)}. ${sentence(problem.message)}`);
        const { status, code, message, result } = problem;
        outcome = { ...result, status, error: { code, message } };
        if (status === 401) askForToken(goOn);
        else if (problem.isPassing) checkService();
    }
    pump();
    session.remember({
        name: job.file.name, bytes: job.file.size, at: new Date().toISOString(),
        thumbnail: await job.card.thumbnail(), result: outcome,
    });
    showHistory();
}

function again(failed) {
    for (const job of failed) {
        job.state = "waiting";
        job.card.showProgress({ phase: "waiting" });
    }
    pump();
}

function remove(gone) {
    jobs = jobs.filter((job) => !gone.includes(job));
    for (const job of gone) {
        job.abort?.abort();
        job.card.dispose();
    }
    byId("results").hidden = jobs.length === 0;
    // The button that had the focus was removed.
    (jobs.length === 0 ? picker : byId("results")).focus();
    pump();
}

const passing = () => jobs.filter((job) => job.state === "failed" && job.problem.isPassing);

byId("retry-all").addEventListener("click", () => again(passing()));
byId("clear").addEventListener("click", () => remove(jobs));

// Announcing results

function summarise() {
    const labels = jobs.filter((job) => job.state === "done").map((job) => job.card.find(".answer").dataset.label);
    const parts = [
        [labels.filter((label) => label === "real").length, "real"],
        [labels.filter((label) => label === "ai_generated").length, "AI-generated"],
        [labels.filter((label) => label === "none").length, "without a face"],
        [jobs.filter((job) => job.state === "failed").length, "failed"],
        [jobs.filter((job) => job.state === "running").length, "running"],
        [jobs.filter((job) => job.state === "waiting").length, "waiting"],
    ];
    byId("summary").textContent = parts.filter(([number]) => number > 0)
        .map(([number, word]) => `${number} ${word}`).join(" · ");
    byId("retry-all").hidden = passing().length === 0;
}

function told(result) {
    const { word, confidence } = verdictAnswer(result.verdict);
    return `${confidence === undefined ? word : `${word}, ${percent(confidence)}`}; ${result.verdict.action}`;
}

/** Makes screen readers read a text aloud, after the previous ones. */
function announce(text) {
    const log = byId("announcer");
    log.append(element("p", {}, text));
    while (log.childElementCount > mostAnnouncements) log.firstElementChild.remove();
}

// This session

function showHistory() {
    const entries = session.history();
    byId("history").hidden = entries.length === 0;
    byId("history-rows").replaceChildren(...entries.map(({ name, thumbnail, result }) => {
        const image = thumbnail
            ? element("img", { src: thumbnail, alt: "" }) : element("span", { class: "no-thumbnail" });
        const file = element("th", { scope: "row" }, image, element("span", {}, name));
        if (!result.verdict) {
            return element("tr", {}, file, element("td", { colspan: 4, class: "failed" }, problemTitle(result.status)));
        }
        const { label, word } = verdictAnswer(result.verdict);
        return element("tr", {}, file,
            element("td", { "data-label": label }, word),
            element("td", { class: "number" }, percentOrDash(result.verdict.ai_probability)),
            element("td", { class: "wide" }, result.verdict.action),
            element("td", { class: "number wide" }, duration(result.total_ms)));
    }));
}

byId("forget").addEventListener("click", () => {
    session.forget();
    showHistory();
    picker.focus();
});
byId("export-json").addEventListener("click", () =>
    files.download("bifrons.json", "application/json", files.json(session.history())));
byId("export-csv").addEventListener("click", () =>
    files.download("bifrons.csv", "text/csv", files.csv(session.history())));

// The service

function goOn() {
    checkService();
    again(passing());
}

async function checkService() {
    const tell = (tone, text) => {
        const line = byId("service");
        line.dataset.tone = tone;
        // Setting the same text again would make screen readers repeat it.
        if (line.textContent !== text) line.textContent = text;
    };
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

setInterval(() => document.hidden || checkService(), serviceCheckInterval);
checkService();
showHistory();
