/** The report beside a picture: its progress, verdict or problem. */

import { details, modelRow } from "./details.js";
import { element } from "./dom.js";
import { drawScale } from "./scale.js";
import {
    absenceOfEvidence, actionWord, answer, capital, count, decidingReasons, evidenceMissing, evidenceWords,
    percent, problemTitle, progressWords, sentence, size, verdictAnswer, verdictWord,
} from "./words.js";

// Shapes distinguish the labels without colour. The ring around them is solid or dashed (viewer.css).
const marks = { real: "M10 16.5l4.5 4.5 8-9.5", ai_generated: "M11 11l10 10M21 11l-10 10", none: "M10 16h12" };
const mostSuspicious = "the verdict is that of the most suspicious face.";

/**
 * Fills a copy of the template with the state of a job.
 *
 * @param policy the verdict's policy as the service describes it; undefined if unknown
 */
export function showReport(root, { file, state, progress, result, problem }, policy) {
    const part = (selector) => root.querySelector(selector);
    part(".progress").hidden = state === "done" || state === "failed";
    part(".problem").hidden = state !== "failed";
    part(".answer").hidden = state !== "done";
    part(".facts").textContent = size(file.size);
    if (state === "done") showAnswer(part, result, policy);
    else if (state === "failed") showProblem(part, problem);
    else showProgress(part, progress);
}

function showProgress(part, progress) {
    part(".progress span").textContent = progressWords(progress);
    const bar = part("progress");
    if (progress.phase === "uploading") bar.value = progress.part;
    else bar.removeAttribute("value");
    bar.hidden = progress.phase === "waiting";
}

function showProblem(part, problem) {
    part(".problem-title").textContent = problemTitle(problem.status);
    part(".problem-detail").textContent = sentence(problem.message);
    part(".again").hidden = !problem.isPassing;
}

function showAnswer(part, result, policy) {
    const { image, verdict } = result;
    part(".facts").textContent += ` · ${image.format.toUpperCase()} · ${image.width} × ${image.height}`;
    const { label, word } = verdictAnswer(verdict);
    part(".answer").dataset.label = label;
    part(".mark path").setAttribute("d", marks[label]);
    part(".word").textContent = verdictWord(verdict);
    const { ai_probability: probability } = verdict;
    part(".certainty").textContent = probability === undefined ? "" : `AI probability ${percent(probability)}`;
    const action = part(".action");
    action.dataset.action = verdict.action;
    const speaker = element("span", { class: "visually-hidden" }, `Policy ${verdict.policy}: `);
    action.replaceChildren(speaker, capital(actionWord(verdict)));
    part(".measure").hidden = label === "none";
    if (label !== "none") drawScale(part(".scale"), result, policy);
    const notes = notesOf(result, policy);
    part(".notes").hidden = notes.length === 0;
    part(".notes").textContent = notes.join(" ");
    showEvidence(part(".evidence"), result);
    // The networks' scores of an image without a face appear only in the details.
    const row = (model) => modelRow(model, label === "none" ? { label, word } : answer(model.ai_probability));
    part(".models tbody").replaceChildren(...result.models.map(row));
    part("dl").replaceChildren(...details(result).flatMap(
        ([term, ...texts]) => [element("dt", {}, term), ...texts.map((text) => element("dd", {}, text))]));
}

function showEvidence(part, { evidence = [] }) {
    part.hidden = evidence.length === 0;
    part.querySelector("ul").replaceChildren(
        ...evidence.flatMap(evidenceWords).map((text) => element("li", {}, text)));
    part.querySelector("p").textContent = absenceOfEvidence;
}

/** Returns what a person must know about a verdict, as sentences. */
function notesOf(result, policy) {
    const { faces = [], faces_found: found = 0, image, models, verdict } = result;
    const notes = models.filter((model) => model.error)
        .map(({ name, error }) => sentence(`No score from ${name}: ${error.message}`));
    if (image.animated) notes.push("An animation, of which only the first frame was analysed.");
    const deciding = decidingReasons(verdict);
    if (deciding.length > 0) notes.push(`Evidence decided the action: ${deciding.join(", ")}.`);
    if (verdict.reasons?.includes(evidenceMissing)) notes.push("The policy asks for evidence that is missing.");
    if (verdict.label === "ai_generated" && verdict.action === "allow" && deciding.length === 0) {
        const from = policy ? `, ${percent(policy.review)}` : "";
        notes.push(`Allowed because the probability is below the threshold for a review${from}.`);
    }
    if (verdict.label === "no_face") {
        notes.push("No face was found. The networks judge only faces, so there is no verdict on this image.");
    } else if (found > faces.length) {
        notes.push(`${found} faces, of which the ${faces.length} largest were analysed: ${mostSuspicious}`);
    } else if (faces.length > 1) {
        notes.push(`${faces.length} faces: ${mostSuspicious}`);
    }
    return notes;
}

/** Returns the image's description for screen readers: the result, since the content is unknown. */
export function describe(result) {
    if (!result.faces) return "Your image, analysed as a whole.";
    const faces = result.faces.map(({ ai_probability: probability }) => {
        return `${answer(probability).word}, AI probability ${percent(probability)}`;
    });
    const found = count(result.faces_found, "face");
    return `Your image; ${found} found${faces.length > 0 ? `: ${faces.join("; ")}` : ""}.`;
}
