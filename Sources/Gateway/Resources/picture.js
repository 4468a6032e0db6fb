/** The picture of the opened image: the faces' boxes and labels, the heat maps, and zooming. */

import { element } from "./dom.js";
import { drawBoxes, drawHeat, drawLabels, mappedModels } from "./overlay.js";
import { describe } from "./report.js";
import { Zoom } from "./zoom.js";

export class Picture {
    #part;
    #faces = [];
    #address;
    #image;

    /** @param root a copy of the template */
    constructor(root, file) {
        this.#part = (selector) => root.querySelector(selector);
        this.#image = this.#part(".stage img");
        this.zoom = new Zoom(this.#part(".pane"), this.#part(".stage"), (factor) => this.#resized(factor));
        for (const name of ["in", "out", "reset"]) {
            this.#part(`.zoom-${name}`).addEventListener("click", () => this.zoom[name]());
        }
        this.#image.addEventListener("load", () => {
            this.zoom.ratio = this.#image.naturalWidth / this.#image.naturalHeight;
        });
        this.#image.addEventListener("error", () => this.#showNothing());
        this.#address = URL.createObjectURL(file);
        this.#image.src = this.#address;
    }

    showResult(result) {
        this.#image.alt = describe(result);
        this.#faces = drawBoxes(this.#part(".boxes"), result);
        drawLabels(this.#part(".labels"), this.#faces);
        const models = mappedModels(result);
        if (this.#image.hidden || models.length === 0) return;
        const canvas = this.#part("canvas");
        const choice = this.#part(".choice");
        for (const model of ["nothing", ...models]) {
            const button = element("input", { type: "radio", name: "overlay", value: model });
            button.checked = model === models[0];
            button.addEventListener("change", () => drawHeat(canvas, result, model));
            choice.append(element("label", {}, button, element("span", {}, model)));
        }
        const slider = this.#part(".slider input");
        const fade = () => { canvas.style.opacity = slider.value / 100; };
        slider.addEventListener("input", fade);
        fade();
        drawHeat(canvas, result, models[0]);
        this.#part(".overlay-controls").hidden = false;
    }

    #resized(factor) {
        this.#part(".zoom-factor").textContent = `${Math.round(100 * factor)} %`;
        drawLabels(this.#part(".labels"), this.#faces);
    }

    #showNothing() {
        this.#image.hidden = true;
        for (const selector of ["canvas", ".boxes", ".labels", ".overlay-controls", ".zoom"]) {
            this.#part(selector).hidden = true;
        }
        this.#part(".no-preview").hidden = false;
    }

    /** Releases the decoded picture. */
    dispose() {
        this.zoom.dispose();
        this.#image.removeAttribute("src");
        URL.revokeObjectURL(this.#address);
    }
}
