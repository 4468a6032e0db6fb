/** The part of the gateway's HTTP API that these pages use. */

const tokenKey = "bifrons.token";
/** Milliseconds to wait for the result after the upload. The service's own budget is far shorter. */
const patience = 60_000;
const mostTries = 8;
/** The longest wait, in milliseconds, before an image is sent again. */
const longestWait = 30_000;

/** Why there is no result: the service's problem document, or a failure to reach the service. */
export class Problem extends Error {
    /** @param status the HTTP status; 0 if there was no response */
    constructor(status, code, detail, result = {}) {
        super(detail);
        this.status = status;
        this.code = code;
        this.result = result;
    }

    /** Whether the same request may succeed later. */
    get isPassing() {
        return [0, 401, 408, 429].includes(this.status) || this.status >= 500;
    }

    /** @param seconds the header field Retry-After; null if the response has none */
    static of(status, text, seconds = null) {
        try {
            const { title, detail, code, ...result } = JSON.parse(text);
            if (seconds !== null) result.retry_after_ms ??= 1000 * Number(seconds);
            return new Problem(status, code ?? "", detail ?? title ?? `The response has status ${status}.`, result);
        } catch {
            return new Problem(status, "", `The response has status ${status} and gives no reason.`);
        }
    }
}

export function setToken(token) {
    sessionStorage.setItem(tokenKey, token);
}

export const token = () => sessionStorage.getItem(tokenKey);

const authorization = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/**
 * Sends a request, and returns the response.
 *
 * @throws {Problem} if it is no success
 */
export async function request(method, path, body, type) {
    const headers = { ...authorization(), ...(type ? { "Content-Type": type } : {}) };
    let response;
    try {
        response = await fetch(path, { method, headers, body, cache: "no-store" });
    } catch {
        throw new Problem(0, "", "The gateway does not answer.");
    }
    if (!response.ok) throw Problem.of(response.status, await response.text());
    return response;
}

const get = async (path) => (await request("GET", path)).json();

export const models = () => get("/v1/models");

/** Returns how images and scores differ from those of the calibration. */
export const drift = () => get("/v1/drift");

/** Returns what the router did in each minute of the last 24 hours. */
export const history = () => get("/v1/status/history");

/**
 * Returns the result for an image. If the service is busy, retries after the time that the service states, and after
 * twice as long each time that it is still busy.
 *
 * @param report called with the progress: {phase: "uploading", part}, {phase: "running"}, {phase: "busy", seconds}
 * @throws {Problem} if there is no result
 */
export async function classify(file, signal, report) {
    for (let attempt = 1; ; attempt++) {
        try {
            return await post(file, signal, report);
        } catch (problem) {
            const stated = problem.result?.retry_after_ms;
            if (problem.status !== 429 || !(stated >= 0) || attempt === mostTries) throw problem;
            // Images that were refused together must not return together.
            const wait = Math.min(longestWait, stated * 2 ** (attempt - 1)) * (1 + Math.random() / 4);
            report({ phase: "busy", seconds: Math.ceil(wait / 1000) });
            await pause(wait, signal);
        }
    }
}

// XMLHttpRequest, unlike fetch(), reports how much of a body has been sent.
function post(file, signal, report) {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        const abort = () => request.abort();
        let timer;
        let sent = false;
        request.open("POST", "/v1/classify?explain=true");
        // The browser derives a file's type from its name; the service decides by the content.
        request.setRequestHeader("Content-Type", "application/octet-stream");
        for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
        request.upload.onprogress = (event) => report({ phase: "uploading", part: event.loaded / event.total });
        request.upload.onload = () => {
            sent = true;
            report({ phase: "running" });
            timer = setTimeout(abort, patience);
        };
        request.onload = () => {
            const isResult = request.status === 200 || request.status === 206;
            if (isResult) resolve(JSON.parse(request.responseText));
            else reject(Problem.of(request.status, request.responseText, request.getResponseHeader("Retry-After")));
        };
        request.onabort = () => reject(new Problem(0, "", "The service did not answer in time."));
        request.onerror = () => reject(new Problem(0, "", sent
            ? "The gateway does not answer, or ended the connection."
            : "The image could not be sent: the gateway does not answer, or does not accept images of this size."));
        request.onloadend = () => {
            clearTimeout(timer);
            signal.removeEventListener("abort", abort);
        };
        if (signal.aborted) return reject(new Problem(0, "", "Removed."));
        signal.addEventListener("abort", abort);
        report({ phase: "uploading", part: 0 });
        request.send(file);
    });
}

function pause(milliseconds, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, milliseconds);
        signal.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(new Problem(0, "", "Removed."));
        });
    });
}

/**
 * Yields the service's events, {name, data} each, until the connection ends. EventSource cannot send a token.
 *
 * @param last the id of the last event that has arrived before; undefined for none
 */
export async function* events(signal, last) {
    const lost = () => {
        throw new Problem(0, "", signal.aborted ? "It has stopped sending." : "It cannot be reached.");
    };
    const headers = { ...authorization(), ...(last ? { "Last-Event-ID": last } : {}) };
    const response = await fetch("/v1/events", { headers, cache: "no-store", signal }).catch(lost);
    if (!response.ok) throw Problem.of(response.status, await response.text());
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
        const { done, value } = await reader.read().catch(lost);
        if (done) return;
        const blocks = (text + value.replaceAll("\r", "")).split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
            const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s, 2));
            const of = (name) => fields.filter(([field]) => field === name).map(([, value]) => value).join("\n");
            if (of("data")) yield { name: of("event") || "message", data: JSON.parse(of("data")) };
        }
    }
}
