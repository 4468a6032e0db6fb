/** Zooming into a picture: with buttons, the wheel and keys; moving it with the mouse and the scroll bars. */

const [least, most] = [1, 16];
const [step, wheelStep] = [1.5, 1.2];

export class Zoom {
    #pane;
    #stage;
    #changed;
    #ratio = 1;
    factor = 1;

    /**
     * @param pane the element that scrolls
     * @param stage the element in it that grows
     * @param changed called after the stage has another size
     */
    constructor(pane, stage, changed) {
        [this.#pane, this.#stage, this.#changed] = [pane, stage, changed];
        pane.addEventListener("wheel", (event) => {
            event.preventDefault();
            this.to(this.factor * (event.deltaY < 0 ? wheelStep : 1 / wheelStep), event);
        }, { passive: false });
        pane.addEventListener("pointerdown", (event) => this.#drag(event));
        this.observer = new ResizeObserver(() => this.to(this.factor));
        this.observer.observe(pane);
    }

    /** @param ratio the width of the picture divided by its height */
    set ratio(ratio) {
        this.#ratio = ratio;
        this.to(this.factor);
    }

    in() { this.to(this.factor * step); }
    out() { this.to(this.factor / step); }
    reset() { this.to(1); }

    /** Sets the factor, 1 for the whole picture. The point {clientX, clientY}, by default the middle, stays in place. */
    to(factor, at) {
        const { clientWidth: width, clientHeight: height } = this.#pane;
        if (width === 0) return;
        const before = this.#stage.getBoundingClientRect();
        const pane = this.#pane.getBoundingClientRect();
        const point = at ?? { clientX: pane.left + width / 2, clientY: pane.top + height / 2 };
        const share = [
            (point.clientX - before.left) / (before.width || 1), (point.clientY - before.top) / (before.height || 1),
        ];
        this.factor = Math.max(least, Math.min(most, factor));
        const fit = Math.min(width, height * this.#ratio);
        this.#stage.style.width = `${fit * this.factor}px`;
        this.#stage.style.height = `${(fit / this.#ratio) * this.factor}px`;
        const after = this.#stage.getBoundingClientRect();
        this.#pane.scrollLeft += after.left + share[0] * after.width - point.clientX;
        this.#pane.scrollTop += after.top + share[1] * after.height - point.clientY;
        this.#pane.classList.toggle("enlarged", this.factor > 1);
        this.#changed(this.factor);
    }

    #drag(event) {
        if (event.button !== 0 || event.pointerType !== "mouse" || this.factor === 1) return;
        this.#pane.setPointerCapture(event.pointerId);
        const move = ({ movementX, movementY }) => this.#pane.scrollBy(-movementX, -movementY);
        this.#pane.addEventListener("pointermove", move);
        this.#pane.addEventListener("lostpointercapture", () => this.#pane.removeEventListener("pointermove", move),
            { once: true });
    }

    dispose() {
        this.observer.disconnect();
    }
}
