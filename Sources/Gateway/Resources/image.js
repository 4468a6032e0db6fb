/** The card of an image: its preview, and its progress, verdict or problem. */

import { byId, element } from "./dom.js";
import { drawBoxes, drawHeat, mappedModels } from "./overlay.js";
import { drawScale } from "./scale.js";
import {
    absenceOfEvidence, answer, count, degrees, duration, evidenceWords, percent, percentOrDash, problemTitle, sentence,
    size, verdictAnswer,
} from "./words.js";

const thumbnailSide = 80;
// Shapes distinguish the labels without colour. The ring around them is solid or dashed (style.css).
const marks = { real: "M10 16.5l4.5 4.5 8-9.5", ai_generated: "M11 11l10 10M21 11l-10 10", none: "M10 16h12" };
// The reason of a verdict whose policy needs evidence that the result does not have.
const evidenceMissing = "evidence_missing";
const mostSuspicious = "the verdict is that of the most suspicious face.";
let cards = 0;

export class ImageCard {
    /** @param handlers {remove, again}: the actions of the card's buttons */
    constructor(file, handlers) {
        this.element = byId("image-template").content.firstElementChild.cloneNode(true);
        this.address = URL.createObjectURL(file);
        this.number = ++cards;
        const title = this.find("h3");
        title.id = `image-${this.number}`;
        title.textContent = file.name;
        this.find("article").setAttribute("aria-labelledby", title.id);
        this.find(".facts").textContent = size(file.size);
        const remove = this.find(".remove");
        remove.setAttribute("aria-label", `Remove ${file.name}`);
        remove.addEventListener("click", handlers.remove);
        const again = this.find(".again");
        again.setAttribute("aria-label", `Try ${file.name} again`);
        again.addEventListener("click", handlers.again);
        this.image = this.find("img");
        this.image.addEventListener("error", () => {
            this.image.hidden = true;
            this.find(".no-preview").hidden = false;
        });
        this.image.src = this.address;
        this.showProgress({ phase: "waiting" });
    }

    find(selector) {
        return this.element.querySelector(selector);
    }

    /** @param progress {phase: "waiting" | "uploading" | "running" | "busy", part, seconds} */
    showProgress({ phase, part, seconds }) {
        const words = {
            waiting: "Waiting",
            uploading: `Uploading ${Math.round(100 * (part ?? 0))} %`,
            running: "Analysing",
            busy: `The service is busy: trying again in ${seconds} s`,
        };
        this.show(".progress");
        this.find(".progress span").textContent = words[phase];
        const bar = this.find("progress");
        bar.setAttribute("aria-label", `Progress of ${this.find("h3").textContent}`);
        if (phase === "uploading") bar.value = part;
        else bar.removeAttribute("value");
        bar.hidden = phase === "waiting";
    }

    showProblem(problem) {
        this.show(".problem");
        this.find(".problem-title").textContent = problemTitle(problem.status);
        this.find(".problem-detail").textContent = sentence(problem.message);
        this.find(".again").hidden = !problem.isPassing;
    }

    /** @param policy the verdict's policy as the service describes it; undefined if unknown */
    showResult(result, policy) {
        this.show(".answer");
        const { image, verdict } = result;
        this.find(".facts").textContent += ` · ${image.format.toUpperCase()} · ${image.width} × ${image.height}`;
        this.image.alt = describe(result);

        const { label, word, confidence } = verdictAnswer(verdict);
        this.find(".answer").dataset.label = label;
        this.find(".mark path").setAttribute("d", marks[label]);
        this.find(".word").textContent = word;
        this.find(".certainty").textContent = confidence === undefined ? "" : percent(confidence);
        const action = this.find(".action");
        action.dataset.action = verdict.action;
        const speaker = element("span", { class: "visually-hidden" }, `Policy ${verdict.policy}: `);
        action.replaceChildren(speaker, verdict.action);
        this.find(".scale").hidden = label === "none";
        if (label !== "none") drawScale(this.find(".scale"), result, policy);
        this.showNotes(result, policy);
        this.showEvidence(result);
        // The networks' scores of an image without a face appear only in the details.
        const row = (model) => modelRow(model, label === "none" ? { label, word } : answer(model.ai_probability));
        this.find(".models tbody").replaceChildren(...result.models.map(row));
        this.find("dl").replaceChildren(...details(result).flatMap(
            ([term, ...texts]) => [element("dt", {}, term), ...texts.map((text) => element("dd", {}, text))]));
        this.showOverlay(result);
    }

    showNotes(result, policy) {
        const { faces = [], faces_found: found = 0, image, models, verdict } = result;
        const notes = models.filter((model) => model.error)
            .map(({ name, error }) => sentence(`No score from ${name}: ${error.message}`));
        if (image.animated) notes.push("An animation, of which only the first frame was analysed.");
        const { reasons = [] } = verdict;
        const deciding = reasons.filter((reason) => reason !== evidenceMissing);
        if (deciding.length > 0) notes.push(`Evidence decided the action: ${deciding.join(", ")}.`);
        if (reasons.includes(evidenceMissing)) notes.push("The policy asks for evidence that is missing.");
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
        this.find(".notes").hidden = notes.length === 0;
        this.find(".notes").textContent = notes.join(" ");
    }

    showEvidence({ evidence = [] }) {
        const part = this.find(".evidence");
        part.hidden = evidence.length === 0;
        part.querySelector("ul").replaceChildren(
            ...evidence.flatMap(evidenceWords).map((text) => element("li", {}, text)));
        part.querySelector("p").textContent = absenceOfEvidence;
    }

    showOverlay(result) {
        const canvas = this.find("canvas");
        drawBoxes(this.find(".boxes"), result);
        const models = mappedModels(result);
        if (this.image.hidden || models.length === 0) return;
        const choice = this.find(".choice");
        for (const model of ["nothing", ...models]) {
            const button = element("input", { type: "radio", name: `overlay-${this.number}`, value: model });
            button.checked = model === models[0];
            button.addEventListener("change", () => drawHeat(canvas, result, model));
            choice.append(element("label", {}, button, element("span", {}, model)));
        }
        const slider = this.find(".slider input");
        const fade = () => { canvas.style.opacity = slider.value / 100; };
        slider.addEventListener("input", fade);
        fade();
        drawHeat(canvas, result, models[0]);
        this.find(".overlay-controls").hidden = false;
    }

    /** Shows one of the card's three parts. */
    show(selector) {
        for (const part of [".progress", ".problem", ".answer"]) this.find(part).hidden = part !== selector;
    }

    /** Returns a thumbnail as a data URL; empty if the browser cannot show the image. */
    async thumbnail() {
        try {
            await this.image.decode();
        } catch {
            return "";
        }
        const { naturalWidth: width, naturalHeight: height } = this.image;
        const side = Math.min(width, height);
        const canvas = element("canvas", { width: thumbnailSide, height: thumbnailSide });
        canvas.getContext("2d").drawImage(
            this.image, (width - side) / 2, (height - side) / 2, side, side, 0, 0, thumbnailSide, thumbnailSide);
        return canvas.toDataURL("image/jpeg", 0.7);
    }

    dispose() {
        URL.revokeObjectURL(this.address);
        this.element.remove();
    }
}

/** Returns the image's description for screen readers: the result, since the content is unknown. */
function describe(result) {
    if (!result.faces) return "Your image, analysed as a whole.";
    const faces = result.faces.map(({ ai_probability: probability }) => {
        const { word, confidence } = answer(probability);
        return `${word} ${percent(confidence)}`;
    });
    const found = count(result.faces_found, "face");
    return `Your image; ${found} found${faces.length > 0 ? `: ${faces.join(", ")}` : ""}.`;
}

function modelRow(model, { label, word, confidence }) {
    const name = element("th", { scope: "row" }, model.name, " ", element("small", {}, model.version ?? ""));
    if (model.error) return element("tr", {}, name, element("td", { colspan: 3 }, problemTitle(model.status)));
    return element("tr", {}, name,
        element("td", { "data-label": label }, word),
        element("td", { class: "number" }, percentOrDash(confidence)),
        element("td", { class: "number" }, duration(model.queue_ms + model.compute_ms)));
}

/** Returns the terms and texts of the details. */
function details(result) {
    const scores = result.models.filter((model) => !model.error);
    // The locator, then the networks. Results that an earlier release stored have no locator.
    const stages = [...(result.locator ? [{ name: "locator", ...result.locator }] : []), ...scores];
    const faces = (result.faces ?? []).map(({ box, turned, ai_probability: probability, models }) => {
        const each = Object.entries(models).map(([name, score]) => `${name} ${percent(score)}`).join(", ");
        const [left, top, width, height] = box;
        const stands = turned ? `, turned ${degrees(turned)}` : "";
        return `${width} × ${height} at ${left}, ${top}${stands}: AI probability ${percent(probability)} (${each})`;
    });
    const middle = scores.map((model) => `${model.name}: AI probability ${percent(model.ai_probability)}`);
    return [
        ["AI probability", percentOrDash(result.verdict.ai_probability)],
        ["Policy", `${result.verdict.policy}: ${result.verdict.action}`],
        ...evidenceDetails(result.evidence ?? []),
        ["Faces", ...(faces.length > 0 ? faces : [result.faces ? "none found" : "not searched for"])],
        ...(result.verdict.label === "no_face" ? [["Middle of the image", ...middle]] : []),
        ["Time", `${duration(result.total_ms)} in the service`, ...stages.map((stage) =>
            `${stage.name}: waiting ${duration(stage.queue_ms)}, computing ${duration(stage.compute_ms)}`)],
        ["Workers", ...stages.map((stage) => stage.worker)],
        ["Weights", ...stages.map((stage) => `${stage.name} ${stage.version} ${stage.digest}`)],
        ["Image", `sha256:${result.image.sha256}`],
        ["Job", result.id],
    ];
}

/** Returns the terms and texts of the evidence that its sentences leave out. */
function evidenceDetails(evidence) {
    const manifests = evidence.filter((entry) => entry.kind === "provenance" && entry.digest);
    return manifests.length === 0 ? [] : [["Manifest", ...manifests.flatMap(({ source, digest, validation = [] }) =>
        [`${source ?? "c2pa"} sha256:${digest}`, ...validation])]];
}
