/** What is drawn over an image: the faces that were found, and where a network looked. */

import { element, place } from "./dom.js";
import { answer, degrees, percent } from "./words.js";

/** The longest side, in pixels, of the drawing that is then stretched over the image. */
const longestSide = 640;

/** The names of the networks that a result has heat maps of. */
export function mappedModels(result) {
    const names = result.models.map((model) => model.name);
    return names.filter((name) => regions(result).some((region) => region.maps?.[name]));
}

// Without a face the networks looked at the central square, and the map stands in the result itself.
const regions = (result) => (result.faces?.length > 0 ? result.faces : [result]);

export function drawBoxes(container, result) {
    const { width, height } = result.image;
    const outline = ([left, top, across, down], attributes, ...children) => {
        const box = element("div", attributes, ...children);
        place(box, {
            left: (100 * left) / width, top: (100 * top) / height,
            width: (100 * across) / width, height: (100 * down) / height,
        });
        return box;
    };
    const faces = (result.faces ?? []).map((face) => {
        const { label, word, confidence } = answer(face.ai_probability);
        const turned = face.turned ? `, turned ${degrees(face.turned)}` : "";
        const caption = element("span", {}, `${word} ${percent(confidence)}${turned}`);
        return outline(face.box, { class: "box", "data-label": label }, caption);
    });
    const square = Object.values(result.maps ?? {})[0]?.square;
    container.replaceChildren(...faces, ...(square ? [outline(square, { class: "box", "data-label": "none" })] : []));
}

/** Draws where `model` found its evidence, or nothing if there is no such map. */
export function drawHeat(canvas, result, model) {
    const mapped = regions(result).filter((region) => region.maps?.[model]);
    canvas.hidden = mapped.length === 0;
    const { width, height } = result.image;
    const scale = longestSide / Math.max(width, height);
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    for (const { maps, turned } of mapped) {
        const [left, top, across, down] = maps[model].square.map((pixels) => pixels * scale);
        // The network looked at the face upright: in the image its map stands turned as the face does.
        context.save();
        context.translate(left + across / 2, top + down / 2);
        context.rotate(((turned ?? 0) * Math.PI) / 180);
        // The few cells become pixels, and the browser smooths them on the way to the square's size.
        context.drawImage(cells(maps[model]), -across / 2, -down / 2, across, down);
        context.restore();
    }
}

function cells({ width, height, data }) {
    const canvas = element("canvas", { width, height });
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    atob(data).split("").forEach((byte, index) => pixels.data.set(colour(byte.charCodeAt(0) / 255), 4 * index));
    context.putImageData(pixels, 0, 0);
    return canvas;
}

/** From nothing over amber to red, so that strength shows in lightness and cover, not in hue alone. */
function colour(strength) {
    return [255 - 30 * strength, 205 - 175 * strength, 60 - 20 * strength, 255 * strength ** 0.9];
}
