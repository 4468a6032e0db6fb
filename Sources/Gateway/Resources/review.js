/** The page for reviews: one image at a time, blurred until asked, answered with the keyboard alone. */

import { Problem } from "./api.js";
import { byId, element } from "./dom.js";
import { Picture } from "./picture.js";
import { decisionFacts } from "./recorded.js";
import { showReport } from "./report.js";
import { again, answer, image, next, withdraw } from "./reviews.js";
import { policy, watch } from "./service.js";
import { askForToken } from "./token.js";
import { count, sentence } from "./words.js";

const reviewerKey = "bifrons.reviewer";
/** Milliseconds until the page looks for images again when none waits. */
const interval = 5000;

let template;
/** The decision at hand: {review, file, root, picture, since, isAnswered}. */
let current;
/** The id of the decision that was answered last. */
let last;
let isBusy = false;
let timer;

const reviewer = () => byId("reviewer").value.trim() || undefined;
const tell = (text) => { byId("message").textContent = text; };

/** Runs one request at a time, and says what went wrong. */
async function attempt(task) {
    if (isBusy) return;
    isBusy = true;
    clearTimeout(timer);
    try {
        await task();
    } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (problem.status === 401) askForToken(() => attempt(load));
        tell(sentence(problem.message));
        // The lease is over, or somebody else has answered: the next image is there for everybody.
        if (problem.status === 409) timer = setTimeout(() => attempt(load), 1500);
    } finally {
        isBusy = false;
    }
}

async function load() {
    await show(await next(reviewer()));
}

async function show(review) {
    const file = review.image ? await image(review.decision.id) : undefined;
    leave();
    const { waiting, decision } = review;
    byId("waiting").textContent = waiting === undefined ? "" : `${count(waiting, "image")} waiting`;
    byId("work").hidden = !decision && !last;
    if (!decision) {
        tell("No image waits for a review.");
        timer = setTimeout(() => attempt(load), interval);
        return;
    }
    const root = template.cloneNode(true);
    root.classList.add("veiled", "alone");
    root.querySelector(".report").hidden = true;
    byId("image").replaceChildren(root);
    current = { review, file, root, since: performance.now(), isAnswered: false };
    current.picture = file ? new Picture(root, file) : undefined;
    root.querySelector(".stage img").alt = "The image to review";
    if (!file) root.querySelector(".view").replaceChildren(element("p", { class: "hint" },
        "This picture is not kept here. Look at your own copy of it."));
    byId("review-title").textContent = `Image ${decision.id.slice(-6)}`;
    setAnswered(false);
    veil(true);
    record(review.blind ? undefined : decision);
    tell({ appeal: "Somebody appealed against the decision.", drawn: "Drawn at random." }[review.lane] ?? "");
    byId("review-title").focus({ preventScroll: true });
}

function leave() {
    current?.picture?.dispose();
    current = undefined;
    byId("image").replaceChildren();
    byId("review-title").textContent = "Image";
    setAnswered(true);
    byId("go-on").hidden = true;
    record(undefined);
}

function setAnswered(isAnswered) {
    if (current) current.isAnswered = isAnswered;
    for (const button of document.querySelectorAll("[data-outcome]")) button.disabled = isAnswered;
    byId("unveil").disabled = !current?.file;
    byId("go-on").hidden = !isAnswered;
    byId("undo").disabled = !last;
}

/** Shows what was decided; nothing without a decision. */
function record(decision) {
    byId("recorded").hidden = !decision;
    byId("recorded-facts").replaceChildren(...(decision ? decisionFacts(decision) : []).flatMap(
        ([term, text]) => [element("dt", {}, term), element("dd", {}, text)]));
}

function veil(isVeiled) {
    current?.root.classList.toggle("veiled", isVeiled);
    byId("unveil").setAttribute("aria-pressed", String(!isVeiled));
}

async function respond(outcome) {
    const { review, since } = current;
    const { id } = review.decision;
    const seconds = Math.round((performance.now() - since) / 100) / 10;
    const stored = await answer(id, { outcome, seconds, lease: review.lease, reviewer: reviewer() });
    if (outcome === "skip") return load();
    last = id;
    if (byId("at-once").checked) return load();
    setAnswered(true);
    record(stored.decision);
    tell("Your answer is stored.");
    byId("waiting").textContent = "";
    byId("go-on").focus({ preventScroll: true });
    explain(current);
}

/** Shows what the networks say, without keeping the reviewer from the next image. */
async function explain(explained) {
    const { review, file, root, picture } = explained;
    if (!file) return;
    try {
        const result = await again(review.decision.id, file);
        if (current !== explained) return;
        root.classList.remove("alone");
        root.querySelector(".report").hidden = false;
        picture.showResult(result);
        showReport(root, { file, state: "done", result }, policy(result.verdict.policy));
    } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (current === explained) tell(`Your answer is stored. There are no heat maps: ${problem.message}.`);
    }
}

async function undo() {
    const review = await withdraw(last, reviewer());
    last = undefined;
    await show(review);
    tell("Your answer is taken back.");
}

function press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input:not([type=checkbox])")) return;
    const key = event.key.toLowerCase();
    const zoom = current?.picture?.zoom;
    const outcome = { r: "real", g: "ai_generated", u: "unsure", n: "not_applicable", s: "skip" }[key];
    const isOpen = current && !current.isAnswered;
    const action = outcome && isOpen ? () => attempt(() => respond(outcome)) : {
        v: current?.file && (() => byId("unveil").click()),
        z: last && (() => attempt(undo)),
        enter: current?.isAnswered && !event.target.matches("button, a, summary") && (() => attempt(load)),
        "+": zoom && (() => zoom.in()), "=": zoom && (() => zoom.in()), "-": zoom && (() => zoom.out()),
        0: zoom && (() => zoom.reset()),
    }[key];
    if (!action) return;
    event.preventDefault();
    action();
}

async function begin() {
    // The page for many pictures has the markup of an opened image.
    const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
    template = document.importNode(page.getElementById("image-template").content.firstElementChild, true);
    template.setAttribute("aria-labelledby", "review-title");
    byId("reviewer").value = sessionStorage.getItem(reviewerKey) ?? "";
    byId("reviewer").addEventListener("change", () => sessionStorage.setItem(reviewerKey, byId("reviewer").value));
    for (const button of document.querySelectorAll("[data-outcome]")) {
        button.addEventListener("click", () => attempt(() => respond(button.dataset.outcome)));
    }
    byId("unveil").addEventListener("click", () => veil(!current.root.classList.contains("veiled")));
    byId("undo").addEventListener("click", () => attempt(undo));
    byId("go-on").addEventListener("click", () => attempt(load));
    document.addEventListener("keydown", press);
    watch(() => attempt(load));
    await attempt(load);
}

begin();
