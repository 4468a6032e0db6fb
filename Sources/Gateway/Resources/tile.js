/** One image in the grid: its thumbnail, and its verdict, progress or problem in a few words. */

import { element } from "./dom.js";
import { actionWord, capital, percent, problemTitle, progressWords, verdictAnswer, verdictWord } from "./words.js";

export class Tile {
    #image = element("img", { alt: "", draggable: false });
    #thumbnail = element("span", { class: "thumbnail" }, "No preview");
    #word = element("span", { class: "tile-word" });
    #probability = element("span", { class: "tile-probability" });
    #action = element("span", { class: "action", hidden: "" });

    constructor({ file }) {
        this.button = element("button", { class: "tile", type: "button", tabindex: -1 },
            this.#thumbnail,
            element("span", { class: "tile-name", title: file.name }, file.name),
            this.#word, element("span", { class: "tile-numbers" }, this.#probability, this.#action));
        this.element = element("li", { class: "image" }, this.button);
    }

    /** @param blob a thumbnail; undefined if the browser cannot show the image */
    showThumbnail(blob) {
        this.dispose();
        if (!blob) return;
        this.#image.src = URL.createObjectURL(blob);
        this.#thumbnail.replaceChildren(this.#image);
    }

    show({ state, progress, result, problem }) {
        this.button.dataset.state = state;
        this.#action.hidden = state !== "done";
        if (state === "done") return this.#showVerdict(result.verdict);
        delete this.button.dataset.label;
        this.#probability.textContent = "";
        this.#word.textContent = state === "failed" ? problemTitle(problem.status) : progressWords(progress);
    }

    #showVerdict(verdict) {
        this.button.dataset.label = verdictAnswer(verdict).label;
        this.#word.textContent = verdictWord(verdict);
        const { ai_probability: probability } = verdict;
        this.#probability.textContent = probability === undefined ? "" : `AI ${percent(probability)}`;
        this.#action.dataset.action = verdict.action;
        this.#action.textContent = capital(actionWord(verdict));
    }

    /** Releases the thumbnail. */
    dispose() {
        if (this.#image.src) URL.revokeObjectURL(this.#image.src);
    }
}
