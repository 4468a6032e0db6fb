/** The overlay of a picture: boxes around the faces with their labels, and a network's heat map. */

import { element, place } from "./dom.js";
import { placeLabels } from "./labels.js";
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

/** Draws the box of each face; returns the boxes of the faces with the words of their labels, longest first. */
export function drawBoxes(container, result) {
    const { width, height } = result.image;
    const outline = ([left, top, across, down], label) => {
        const box = element("div", { class: "box", "data-label": label });
        place(box, {
            left: (100 * left) / width, top: (100 * top) / height,
            width: (100 * across) / width, height: (100 * down) / height,
        });
        return box;
    };
    const faces = (result.faces ?? []).map((face) => outline(face.box, answer(face.ai_probability).label));
    const square = Object.values(result.maps ?? {})[0]?.square;
    container.replaceChildren(...faces, ...(square ? [outline(square, "none")] : []));
    return (result.faces ?? []).map(({ ai_probability: probability, turned }, index, { length }) => {
        const number = length > 1 ? `${index + 1}: ` : "";
        const { label, word } = answer(probability);
        // All numbers are AI probabilities.
        const long = label === "real" ? `${word}, AI ${percent(probability)}` : `${word} ${percent(probability)}`;
        const angle = turned ? `, turned ${degrees(turned)}` : "";
        return { box: faces[index], forms: [`${number}${long}${angle}`, `${number}AI ${percent(probability)}`] };
    });
}

/** Puts the labels of faces, as `drawBoxes` returned them, where they overlap no other label. */
export function drawLabels(container, faces) {
    const area = container.getBoundingClientRect();
    const drawn = faces.map(({ forms }) => forms.map((text) => element("span", { class: "label" }, text)));
    container.replaceChildren(...drawn.flat());
    const sizes = drawn.map((labels) => labels.map((label) => label.getBoundingClientRect()));
    const boxes = faces.map(({ box }) => {
        const { left, top, width, height } = box.getBoundingClientRect();
        return { left: left - area.left, top: top - area.top, width, height };
    });
    const forms = sizes.map((list) => list.map(({ width, height }) => ({ width, height })));
    placeLabels(boxes, forms, area).forEach((found, index) => {
        drawn[index].forEach((label, form) => form !== found?.form && label.remove());
        if (!found) return;
        const label = drawn[index][found.form];
        label.style.left = `${found.left}px`;
        label.style.top = `${found.top}px`;
    });
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
