/** Exports the session's results as files. */

import { element } from "./dom.js";
import { answer, verdictAnswer } from "./words.js";

export function json(entries) {
    const results = entries.map(({ name, bytes, at, result }) => ({ file: name, bytes, at, ...result }));
    return JSON.stringify(results, null, 2);
}

/** The columns of the image, which all of its rows repeat. docs/http.md describes them: add new ones at the end. */
const imageColumns = {
    file: ({ name }) => name,
    bytes: ({ bytes }) => bytes,
    at: ({ at }) => at,
    status: ({ result }) => result.status,
    result: ({ result: { verdict } }) => verdict && verdictAnswer(verdict).word,
    ai_probability: ({ result: { verdict } }) => verdict?.ai_probability,
    action: ({ result: { verdict } }) => verdict?.action,
    policy: ({ result: { verdict } }) => verdict?.policy,
    faces: ({ result }) => result.faces?.length,
    faces_found: ({ result }) => result.faces_found,
};
const faceColumns = {
    face: (face, index) => index + 1,
    face_x: ({ box }) => box[0],
    face_y: ({ box }) => box[1],
    face_width: ({ box }) => box[2],
    face_height: ({ box }) => box[3],
    face_turned: ({ turned }) => turned ?? 0,
    face_result: ({ ai_probability: probability }) => answer(probability).word,
    face_ai_probability: ({ ai_probability: probability }) => probability,
};
const lastColumns = {
    reasons: ({ result: { verdict } }) => verdict?.reasons?.join(" "),
    provenance_claim: ({ result }) => evidence(result, "provenance")?.claim,
    provenance_trust: ({ result }) => evidence(result, "provenance")?.trust,
    known_banks: ({ result }) => evidence(result, "known")?.matches?.map((match) => match.bank).join(" "),
    total_ms: ({ result }) => result.total_ms,
    sha256: ({ result }) => result.image?.sha256,
    error_code: ({ result }) => result.error?.code,
    error_message: ({ result }) => result.error?.message,
};
const evidence = ({ evidence = [] }, kind) => evidence.find((entry) => entry.kind === kind);

/** Returns a row for each face, and one for each image without a face, after a row with the names of the columns. */
export function csv(entries) {
    const header = [...Object.keys(imageColumns), ...Object.keys(faceColumns), "networks", ...Object.keys(lastColumns)];
    const rows = entries.flatMap((entry) => {
        const faces = entry.result.faces?.length > 0 ? entry.result.faces : [undefined];
        return faces.map((face, index) => [
            ...values(imageColumns, entry),
            ...Object.values(faceColumns).map((read) => face && read(face, index)),
            networks(entry.result, face),
            ...values(lastColumns, entry),
        ]);
    });
    // Without the byte order mark, Excel takes UTF-8 for another encoding.
    return "\ufeff" + [header, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

const values = (columns, entry) => Object.values(columns).map((read) => read(entry));

/** Returns each network's AI probability of a face, or of an image without one: `resnet=0.0331 inception=0.0211`. */
function networks({ models = [] }, face) {
    const scores = face ? Object.entries(face.models)
        : models.filter((model) => !model.error).map((model) => [model.name, model.ai_probability]);
    return scores.map(([name, score]) => `${name}=${score}`).join(" ");
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
