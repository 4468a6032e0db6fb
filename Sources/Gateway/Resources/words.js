/** How numbers and outcomes are told to people. */

/** A share as per cent; never 0 or 100 unless it is exactly that. */
export function percent(share) {
    if (share > 0 && share < 0.001) return "< 0.1 %";
    if (share > 0.999 && share < 1) return "> 99.9 %";
    return `${(share * 100).toFixed(1)} %`;
}

/** An angle clockwise. */
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

/** A message as a sentence: the service's own begin small, and some end without a full stop. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/\.?$/, ".");

export function count(number, one, many = `${one}s`) {
    return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** Real or Fake, and how sure that is: the probability of what is said, not always that of "generated". */
export function answer(probability) {
    return probability < 0.5
        ? { label: "real", word: "Real", confidence: 1 - probability }
        : { label: "fake", word: "Fake", confidence: probability };
}

/** What a verdict says, as `answer` tells it; without a confidence where it says nothing about the image. */
export function verdictAnswer({ label, ai_probability: probability }) {
    return label === "no_face" ? { label: "none", word: "No face" } : answer(probability);
}

/** A share as per cent, or a dash where there is none. */
export const percentOrDash = (share) => (share === undefined ? "–" : percent(share));

const titles = {
    0: "No answer",
    400: "The service did not understand the request",
    401: "A token is needed",
    403: "This token may not ask that",
    408: "It took too long",
    413: "The image is too large",
    415: "Not an image that the service reads",
    422: "The image is damaged or of an unusual kind",
    429: "The service is busy",
    502: "The service cannot answer now",
    503: "The service cannot answer now",
    504: "It took too long",
};

/** What went wrong, in a few words; the problem's own message says the rest. */
export const problemTitle = (status) => titles[status] ?? "Something went wrong";
