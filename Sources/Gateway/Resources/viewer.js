/** The dialogue that shows one image at a time. Arrow keys go to the next one, + and - zoom, Escape closes it. */

import { byId } from "./dom.js";
import { Picture } from "./picture.js";
import { showReport } from "./report.js";

export class Viewer {
    #dialog = byId("viewer");
    #job;
    #root;
    #picture;
    #handlers;

    /** @param handlers {shown, policy, closed, remove, again}: the images in their order, a policy by its name, actions */
    constructor(handlers) {
        this.#handlers = handlers;
        byId("previous").addEventListener("click", () => this.#step(-1));
        byId("next").addEventListener("click", () => this.#step(1));
        byId("close").addEventListener("click", () => this.#dialog.close());
        byId("remove").addEventListener("click", () => this.#remove());
        this.#dialog.addEventListener("keydown", (event) => this.#press(event));
        this.#dialog.addEventListener("close", () => {
            const job = this.#job;
            this.#leave();
            this.#handlers.closed(job);
        });
    }

    open(job) {
        this.#enter(job);
        if (!this.#dialog.open) this.#dialog.showModal();
        byId("viewer-title").focus();
        // In a closed dialogue the picture had no size.
        this.#picture.zoom.reset();
    }

    changed(job) {
        if (job === this.#job) this.#showState();
    }

    #enter(job) {
        this.#leave();
        this.#job = job;
        this.#root = byId("image-template").content.firstElementChild.cloneNode(true);
        byId("viewer-body").replaceChildren(this.#root);
        byId("viewer-title").textContent = job.file.name;
        this.#root.querySelector("progress").setAttribute("aria-label", `Progress of ${job.file.name}`);
        this.#root.querySelector(".again").addEventListener("click", () => this.#handlers.again(job));
        this.#picture = new Picture(this.#root, job.file);
        this.#showState();
    }

    #leave() {
        this.#picture?.dispose();
        this.#picture = this.#job = undefined;
        byId("viewer-body").replaceChildren();
    }

    #showState() {
        const { result } = this.#job;
        showReport(this.#root, this.#job, result && this.#handlers.policy(result.verdict.policy));
        if (this.#job.state === "done") this.#picture.showResult(result);
        this.#showPosition();
    }

    #showPosition() {
        const shown = this.#handlers.shown();
        byId("viewer-position").textContent = `${shown.indexOf(this.#job) + 1} of ${shown.length}`;
    }

    #step(by) {
        const shown = this.#handlers.shown();
        // An image that the filter no longer shows has no neighbours: go to the first one.
        const to = shown[(shown.indexOf(this.#job) + by + shown.length) % shown.length];
        if (!to || to === this.#job) return;
        this.#enter(to);
        // The element that had the focus may have belonged to the picture before.
        if (!this.#dialog.contains(document.activeElement)) byId("viewer-title").focus();
    }

    #remove() {
        const removed = this.#job;
        this.#step(1);
        if (this.#job === removed) this.#dialog.close();
        this.#handlers.remove(removed);
        if (this.#job) this.#showPosition();
    }

    #press(event) {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        const { zoom } = this.#picture;
        // Arrow keys move the picture that is larger than its pane, a slider, and the choice of radio buttons.
        const isTaken = event.target.matches("input") || (event.target.matches(".pane") && zoom.factor > 1);
        const action = {
            "+": () => zoom.in(), "=": () => zoom.in(), "-": () => zoom.out(), "0": () => zoom.reset(),
            ...(isTaken ? {} : { ArrowLeft: () => this.#step(-1), ArrowRight: () => this.#step(1) }),
        }[event.key];
        if (!action) return;
        event.preventDefault();
        action();
    }
}
