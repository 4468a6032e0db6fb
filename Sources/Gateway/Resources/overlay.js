/** The overlay of an image: boxes around the faces, and a network's heat map. */

import { element, place } from "./dom.js";
import { answer, degrees, percent } from "./words.js";

/** The longest side, in pixels, of the canvas that is stretched over the image. */
const longestSide = 640;

/** Returns the names of the networks whose heat maps a result contains. */
export function mappedModels(result) {
    const names = result.models.map((model) => model.name);
    return names.filter((name) => regions(result).some((region) => region.maps?.[name]));
}

// Without a face, the networks score the central square, and the result itself contains the heat map.
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

/** Draws the heat map of `model`; hides the canvas if the result has none. */
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
        // The network scored the upright face, so its map must be rotated like the face in the image.
        context.save();
        context.translate(left + across / 2, top + down / 2);
        context.rotate(((turned ?? 0) * Math.PI) / 180);
        // Each cell becomes a pixel, and the browser interpolates when it scales them to the square.
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

/** Returns a colour from transparent via amber to red, so that strength changes lightness and opacity, not only hue. */
function colour(strength) {
    return [255 - 30 * strength, 205 - 175 * strength, 60 - 20 * strength, 255 * strength ** 0.9];
}
