/** The grid of images, with its filter and order. Arrow keys move in it, and Enter opens an image. */

import { byId } from "./dom.js";
import { arranged, counts } from "./order.js";
import { Tile } from "./tile.js";

/** The least time between two arrangements in milliseconds, so that images do not move with every single result. */
const pace = 250;

export class Gallery {
    /** The jobs that are shown, in the order of the grid. */
    shown = [];
    #list = byId("images");
    #tiles = new Map();
    #current;
    #jobs;
    #handlers;
    #timer;

    /**
     * @param jobs returns all jobs of the page
     * @param handlers {open, remove}: called with a job
     */
    constructor(jobs, handlers) {
        this.#jobs = jobs;
        this.#handlers = handlers;
        this.#list.addEventListener("keydown", (event) => this.#press(event));
        byId("filter").addEventListener("change", () => this.arrange());
        byId("order").addEventListener("change", () => this.arrange());
    }

    add(jobs) {
        for (const job of jobs) {
            const tile = new Tile(job);
            tile.show(job);
            tile.button.addEventListener("click", () => this.#handlers.open(job));
            tile.button.addEventListener("focus", () => this.#makeCurrent(job));
            this.#tiles.set(job, tile);
        }
        this.arrange();
    }

    /** Shows a job's new state at once, and puts it into its place soon. */
    changed(job) {
        this.#tiles.get(job)?.show(job);
        this.#timer ??= setTimeout(() => this.arrange(), pace);
    }

    showThumbnail(job, blob) {
        this.#tiles.get(job)?.showThumbnail(blob);
    }

    remove(jobs) {
        const at = this.shown.indexOf(this.#current);
        const isCurrentGone = jobs.includes(this.#current);
        for (const job of jobs) {
            this.#tiles.get(job).dispose();
            this.#tiles.get(job).element.remove();
            this.#tiles.delete(job);
        }
        this.arrange();
        // The place of a removed image is that of the next one.
        if (isCurrentGone) this.#makeCurrent(this.shown[Math.min(at, this.shown.length - 1)]);
    }

    /** Moves the focus to an image; returns whether it is shown. */
    focus(job = this.#current) {
        if (!this.shown.includes(job)) return false;
        this.#tiles.get(job).button.focus();
        return true;
    }

    /** Applies the filter and the order, moving as few elements as it can. */
    arrange() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        const jobs = this.#jobs();
        const filter = byId("filter").elements.filter.value;
        this.shown = arranged(jobs, filter, byId("order").value);
        this.#showCounts(jobs);
        byId("nothing-shown").hidden = jobs.length === 0 || this.shown.length > 0;

        const focused = document.activeElement;
        const elements = this.shown.map((job) => this.#tiles.get(job).element);
        const wanted = new Set(elements);
        for (const each of [...this.#list.children]) if (!wanted.has(each)) each.remove();
        let place = this.#list.firstElementChild;
        for (const each of elements) {
            if (each === place) place = place.nextElementSibling;
            else this.#list.insertBefore(each, place);
        }
        // An element loses the focus when it moves.
        if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
        if (!this.shown.includes(this.#current)) this.#makeCurrent(this.shown[0]);
    }

    #showCounts(jobs) {
        const buttons = [...byId("filter").elements.filter];
        const numbers = counts(jobs, buttons.map(({ value }) => value));
        for (const button of buttons) {
            button.nextElementSibling.querySelector("b").textContent = numbers[button.value].toLocaleString("en");
        }
    }

    /** Makes an image the one that the Tab key reaches. */
    #makeCurrent(job) {
        const before = this.#tiles.get(this.#current);
        if (before) before.button.tabIndex = -1;
        this.#current = job;
        if (job) this.#tiles.get(job).button.tabIndex = 0;
    }

    #press(event) {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        const at = this.shown.indexOf(this.#current);
        if (event.key === "Delete") {
            event.preventDefault();
            return this.#handlers.remove(this.#current);
        }
        const columns = getComputedStyle(this.#list).gridTemplateColumns.split(" ").length;
        const last = this.shown.length - 1;
        const to = {
            ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, Home: 0, End: last,
        }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        if (to >= 0 && to <= last) this.focus(this.shown[to]);
    }
}
