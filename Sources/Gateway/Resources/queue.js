/** The images of the page, and the queue that sends them: a few at a time, in the order in which they came. */

import { Problem, classify } from "./api.js";
import { unreadableFormat } from "./formats.js";

/** The most requests in flight; more would only wait in the service instead of here. */
const mostRunning = 4;

/** A job is {number, file, state, progress, result, problem}; its state: "waiting", "running", "done" or "failed". */
export class Queue {
    /** The jobs of the page, oldest first. */
    jobs = [];
    #waiting = [];
    #running = 0;
    #count = 0;
    #handlers;

    /** @param handlers {changed, finished}: called with a job when it changes, and when it has a result or a problem */
    constructor(handlers) {
        this.#handlers = handlers;
    }

    /** Returns a new job for each file. */
    add(files) {
        const added = files.map((file) => ({ number: ++this.#count, file }));
        this.jobs.push(...added);
        this.again(added);
        return added;
    }

    /** Sends jobs that failed once more. */
    again(jobs) {
        for (const job of jobs) this.#change(job, { state: "waiting", progress: { phase: "waiting" }, problem: undefined });
        this.#waiting.push(...jobs);
        this.#pump();
    }

    /** Forgets jobs. A request in flight is aborted. */
    remove(jobs) {
        const gone = new Set(jobs);
        this.jobs = this.jobs.filter((job) => !gone.has(job));
        this.#waiting = this.#waiting.filter((job) => !gone.has(job));
        for (const job of jobs) job.abort?.abort();
    }

    /** The failed jobs that may succeed if they are sent again. */
    get passing() {
        return this.jobs.filter((job) => job.problem?.isPassing);
    }

    /** Whether a job waits or runs. */
    get isBusy() {
        return this.jobs.some(({ state }) => state === "waiting" || state === "running");
    }

    #pump() {
        while (this.#running < mostRunning && this.#waiting.length > 0) {
            this.#running++;
            this.#run(this.#waiting.shift()).finally(() => {
                this.#running--;
                this.#pump();
            });
        }
    }

    async #run(job) {
        job.abort = new AbortController();
        const { signal } = job.abort;
        this.#change(job, { state: "running" });
        try {
            await refuseUnreadable(job.file);
            const result = await classify(job.file, signal, (progress) => this.#change(job, { progress }));
            if (signal.aborted) return;
            this.#change(job, { state: "done", result });
        } catch (problem) {
            if (!(problem instanceof Problem)) throw problem;
            if (signal.aborted) return;
            this.#change(job, { state: "failed", problem });
        }
        this.#handlers.finished(job);
    }

    #change(job, values) {
        Object.assign(job, values);
        this.#handlers.changed(job);
    }
}

async function refuseUnreadable(file) {
    const format = await unreadableFormat(file);
    if (!format) return;
    throw new Problem(
        415, "image_unknown_format",
        `This is a ${format} file. The service reads JPEG, PNG, WebP, GIF, AVIF and HEIC.`);
}
