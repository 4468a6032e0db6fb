/** The classifying page: accepts images, has them classified, and shows them in a grid and one at a time. */

import { byId, element } from "./dom.js";
import { Gallery } from "./gallery.js";
import * as history from "./history.js";
import * as intake from "./intake.js";
import { summary } from "./order.js";
import { Queue } from "./queue.js";
import * as service from "./service.js";
import { thumbnails } from "./thumbnails.js";
import { askForToken } from "./token.js";
import { Viewer } from "./viewer.js";
import { actionWord, percent, problemTitle, sentence, verdictWord } from "./words.js";

const mostJobs = 1000;
/** With more images, only their numbers are announced, at the end. */
const mostAnnounced = 20;
const mostAnnouncements = 20;
/** The least time between two summaries in milliseconds. */
const pace = 250;

const queue = new Queue({ changed, finished });
const gallery = new Gallery(() => queue.jobs, { open: (job) => viewer.open(job), remove: (job) => remove([job]) });
const viewer = new Viewer({
    shown: () => gallery.shown,
    policy: service.policy,
    closed: (job) => gallery.focus(job) || gallery.focus() || byId("files").focus(),
    remove: (job) => remove([job]),
    again: (job) => queue.again([job]),
});
const made = new WeakMap();
let summaryTimer;

function accept(files) {
    const room = mostJobs - queue.jobs.length;
    if (files.length > room) {
        intake.say(`The page holds ${mostJobs.toLocaleString("en")} images: ${files.length - room} were left out. `
            + "Clear it to add others.");
    }
    const jobs = queue.add(files.slice(0, room));
    for (const job of jobs) {
        made.set(job, thumbnails(job.file, () => queue.jobs.includes(job)));
        made.get(job).then(({ blob }) => gallery.showThumbnail(job, blob));
    }
    gallery.add(jobs);
    summarise();
}

function changed(job) {
    gallery.changed(job);
    viewer.changed(job);
    summaryTimer ??= setTimeout(summarise, pace);
}

function finished(job) {
    const { file, result, problem } = job;
    if (queue.jobs.length <= mostAnnounced) announce(`${file.name}: ${told(job)}`);
    else if (!queue.isBusy) announce(summary(queue.jobs));
    if (problem?.status === 401) askForToken(goOn);
    else if (problem?.isPassing) service.check(goOn);
    const outcome = result ?? {
        ...problem.result, status: problem.status, error: { code: problem.code, message: problem.message },
    };
    const at = new Date().toISOString();
    history.remember({ name: file.name, bytes: file.size, at, result: outcome }, made.get(job));
}

function remove(jobs) {
    const hadFocus = byId("images").contains(document.activeElement);
    queue.remove(jobs);
    gallery.remove(jobs);
    summarise();
    if (queue.jobs.length === 0) byId("files").focus();
    else if (hadFocus) gallery.focus();
}

function goOn() {
    service.check(goOn);
    queue.again(queue.passing);
}

function told({ result, problem }) {
    if (problem) return `${problemTitle(problem.status)}. ${sentence(problem.message)}`;
    const { verdict } = result;
    const { ai_probability: probability } = verdict;
    const number = probability === undefined ? "" : `, AI probability ${percent(probability)}`;
    return `${verdictWord(verdict)}: ${actionWord(verdict)}${number}`;
}

/** Makes screen readers read a text aloud, after the previous ones. */
function announce(text) {
    const log = byId("announcer");
    log.append(element("p", {}, text));
    while (log.childElementCount > mostAnnouncements) log.firstElementChild.remove();
}

function summarise() {
    clearTimeout(summaryTimer);
    summaryTimer = undefined;
    byId("results").hidden = queue.jobs.length === 0;
    byId("summary").textContent = summary(queue.jobs);
    byId("retry-all").hidden = queue.passing.length === 0;
}

byId("retry-all").addEventListener("click", () => queue.again(queue.passing));
byId("clear").addEventListener("click", () => remove(queue.jobs));
intake.listen(accept);
history.listen(() => byId("files").focus());
service.watch(goOn);
