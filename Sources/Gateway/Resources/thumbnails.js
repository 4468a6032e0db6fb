/** Makes thumbnails, one after the other, so that only one decoded image is in memory at a time. */

import { element } from "./dom.js";

/** The sides in pixels: for the grid on a dense display, and for the history, which is stored as text. */
const [gridSide, historySide] = [320, 80];

let last = Promise.resolve();

/**
 * Returns {blob, text}: a thumbnail as a JPEG and, smaller, as a data URL; {} if the browser cannot show the file.
 *
 * @param isWanted asked when it is the file's turn; if it returns false, nothing is made
 */
export function thumbnails(file, isWanted) {
    const made = last.then(() => (isWanted() ? make(file) : {}));
    last = made;
    return made;
}

async function make(file) {
    let bitmap;
    try {
        bitmap = await createImageBitmap(file);
    } catch {
        return {};
    }
    const grid = square(bitmap, gridSide);
    bitmap.close();
    const text = square(grid, historySide).toDataURL("image/jpeg", 0.7);
    const blob = await new Promise((resolve) => grid.toBlob(resolve, "image/jpeg", 0.8));
    return { blob: blob ?? undefined, text };
}

/** Returns the central square of an image, at most `side` pixels wide, on white. */
function square(image, side) {
    const from = Math.min(image.width, image.height);
    const to = Math.min(side, from);
    const canvas = element("canvas", { width: to, height: to });
    const context = canvas.getContext("2d", { alpha: false });
    context.fillStyle = "#fff";
    context.fillRect(0, 0, to, to);
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (image.width - from) / 2, (image.height - from) / 2, from, from, 0, 0, to, to);
    return canvas;
}
