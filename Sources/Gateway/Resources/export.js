/** Exports the session's results as files. */

import { element } from "./dom.js";
import { answer, verdictAnswer } from "./words.js";

export function json(entries) {
    const results = entries.map(({ name, bytes, at, result }) => ({ file: name, bytes, at, ...result }));
    return JSON.stringify(results, null, 2);
}

export function csv(entries) {
    const models = [...new Set(entries.flatMap(({ result }) => (result.models ?? []).map((model) => model.name)))];
    const header = [
        "file", "bytes", "at", "status", "result", "ai_probability", "action", "policy", "faces", "faces_found",
        ...models.flatMap((model) => [`${model}_result`, `${model}_ai_probability`]),
        "reasons", "provenance_claim", "provenance_trust", "known_banks",
        "total_ms", "sha256", "error_code", "error_message",
    ];
    const rows = entries.map(({ name, bytes, at, result }) => {
        const score = (model) => result.models?.find((entry) => entry.name === model)?.ai_probability;
        const { verdict, evidence = [] } = result;
        const provenance = evidence.find((entry) => entry.kind === "provenance");
        const known = evidence.find((entry) => entry.kind === "known");
        // A network's score of an image without a face is no result.
        const word = (score) => (score === undefined || verdict?.label === "no_face" ? "" : answer(score).word);
        return [
            name, bytes, at, result.status, verdict && verdictAnswer(verdict).word, verdict?.ai_probability,
            verdict?.action, verdict?.policy, result.faces?.length, result.faces_found,
            ...models.flatMap((model) => [word(score(model)), score(model)]),
            verdict?.reasons?.join(" "), provenance?.claim, provenance?.trust,
            known?.matches?.map((match) => match.bank).join(" "),
            result.total_ms, result.image?.sha256, result.error?.code, result.error?.message,
        ];
    });
    return [header, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function cell(value) {
    if (typeof value === "number") return String(value);
    // A spreadsheet would execute text that begins like a formula, and anybody may choose a file's name.
    const text = String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function download(name, type, text) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    element("a", { href: address, download: name }).click();
    URL.revokeObjectURL(address);
}
