/** Formats numbers and outcomes for people. */

/** Returns a fraction as per cent; 0 or 100 only if it is exactly that. */
export function percent(share) {
    if (share > 0 && share < 0.001) return "< 0.1 %";
    if (share > 0.999 && share < 1) return "> 99.9 %";
    return `${(share * 100).toFixed(1)} %`;
}

/** Returns an angle in whole degrees. */
export function degrees(angle) {
    return `${Math.round(angle)}°`;
}

export function duration(milliseconds) {
    if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
    if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
    const seconds = milliseconds / 1000;
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    const [day, hour, minute] = [86_400, 3600, 60];
    if (seconds < hour) return `${Math.floor(seconds / minute)} min ${Math.floor(seconds % minute)} s`;
    if (seconds < day) return `${Math.floor(seconds / hour)} h ${Math.floor((seconds % hour) / minute)} min`;
    return `${Math.floor(seconds / day)} d ${Math.floor((seconds % day) / hour)} h`;
}

export function size(bytes) {
    if (bytes < 1000) return `${bytes} B`;
    if (bytes < 1e6) return `${Math.round(bytes / 1e3)} KB`;
    if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
    return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Returns a message as a sentence: the service's messages begin in lower case, and some lack a full stop. */
export const sentence = (text) => capital(text).replace(/\.?$/, ".");

export function count(number, one, many = `${one}s`) {
    return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** Returns Real or AI-generated for an AI probability. */
export function answer(probability) {
    return probability < 0.5 ? { label: "real", word: "Real" } : { label: "ai_generated", word: "AI-generated" };
}

/** Returns a verdict in the form of `answer`. */
export function verdictAnswer({ label, ai_probability: probability }) {
    return label === "no_face" ? { label: "none", word: "No face" } : answer(probability);
}

/** The reason of a verdict whose policy needs evidence that the result does not have. */
export const evidenceMissing = "evidence_missing";

/** Returns the reasons of evidence that decided on a verdict's action. */
export const decidingReasons = ({ reasons = [] }) => reasons.filter((reason) => reason !== evidenceMissing);

/** Returns the word of a verdict; with "likely" if its action does not go with the word alone. */
export function verdictWord(verdict) {
    const { label, word } = verdictAnswer(verdict);
    const agrees = { real: "allow", ai_generated: "block", none: verdict.action }[label] === verdict.action;
    return agrees ? word : `${word}, likely`;
}

/** Returns a verdict's action; for an AI-generated image that is allowed, why it is. */
export function actionWord(verdict) {
    const isBelow = verdict.label === "ai_generated" && verdict.action === "allow";
    return isBelow && decidingReasons(verdict).length === 0 ? "below review" : verdict.action;
}

/** Returns a text with its first letter in upper case. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Returns what becomes of an image, in words: {phase: "waiting" | "uploading" | "running" | "busy", part, seconds}. */
export function progressWords({ phase, part, seconds }) {
    return {
        waiting: "Waiting",
        uploading: `Uploading ${Math.round(100 * (part ?? 0))} %`,
        running: "Analysing",
        busy: `The service is busy: trying again in ${seconds} s`,
    }[phase];
}

/** Returns a fraction as per cent, or a dash if it is undefined. */
export const percentOrDash = (share) => (share === undefined ? "–" : percent(share));

/** What people must know to read the absence of evidence. */
export const absenceOfEvidence = "An image that says nothing of itself may be AI-generated all the same. "
    + "SynthID watermarks are not checked.";

const claims = {
    ai_generated: "AI-generated", ai_edited: "edited with AI", captured: "captured by a camera",
    none: "nothing of how it was made",
};

/** Returns what an entry of a result's evidence says, as sentences. */
export function evidenceWords({ kind, claim, trust, generator, signer, matches = [], error }) {
    if (error) return [sentence(`${kind === "known" ? "Known images" : "Provenance"}: ${error.message}`)];
    if (kind === "known") {
        if (matches.length === 0) return ["In no bank of known images."];
        return matches.map((match) => `Known image: ${match.bank} (${match.bank_kind}), `
            + `${match.sha256 ? "the same file" : `distance ${match.distance}`}.`);
    }
    if (kind !== "provenance") return [];
    if (claim === "none" && trust === "unsigned") return ["Says nothing of itself."];
    const signed = signer ? `signed by ${signer}` : "signed";
    const signature = {
        trusted: signed, untrusted: `${signed}, chain not trusted`,
        broken: "signature broken: changed after it was signed", unsigned: "not signed",
    }[trust];
    const maker = generator ? `, made with ${generator}` : "";
    return [`Says of itself: ${claims[claim] ?? claim}${maker}, ${signature ?? trust}.`];
}

const titles = {
    0: "No answer",
    400: "The request is malformed",
    401: "A token is needed",
    403: "This token does not allow the request",
    408: "The service took too long",
    413: "The image is too large",
    415: "Not a supported image format",
    422: "The image is damaged or not supported",
    429: "The service is busy",
    502: "The service is unavailable",
    503: "The service is unavailable",
    504: "The service took too long",
};

/** Returns what went wrong in a few words; the problem's message has the details. */
export const problemTitle = (status) => titles[status] ?? "Something went wrong";
