/** Places the labels of faces so that no two overlap, each at its own face. */

const overlap = (one, other) => one.left < other.left + other.width && other.left < one.left + one.width
    && one.top < other.top + other.height && other.top < one.top + one.height;

/** Returns the places for a label of a size at a box: below, above, then inside, each from the left and the right. */
function places({ left, top, width, height }, size) {
    const right = left + width - size.width;
    const [below, above] = [top + height, top - size.height];
    return [
        [left, below], [left, above], [right, below], [right, above],
        [left, top + height - size.height], [left, top], [left + width, top], [left - size.width, top],
        [left + width, below - size.height], [left - size.width, below - size.height],
    ].map(([x, y]) => ({ left: x, top: y, ...size }));
}

/**
 * Returns {left, top, width, height, form} for each box, or undefined where no label fits.
 *
 * @param boxes {left, top, width, height} of each face, in pixels
 * @param forms for each face, the sizes {width, height} of its label's forms, longest first; `form` is the index of one
 * @param area {width, height}: the labels must lie within it
 */
export function placeLabels(boxes, forms, area) {
    const placed = [];
    const fits = (place) => place.left >= 0 && place.top >= 0 && place.left + place.width <= area.width
        && place.top + place.height <= area.height && !placed.some((other) => other && overlap(place, other));
    boxes.forEach((box, index) => {
        const others = boxes.filter((other) => other !== box);
        const all = forms[index].flatMap((size, form) => {
            const possible = places(box, size).map((place) => inside(place, area))
                .filter((place) => fits(place) && touches(place, box)).map((place) => ({ ...place, form }));
            // Best is one that hides no other face.
            const clear = possible.find((place) => !others.some((other) => overlap(place, other)));
            return clear ? [clear] : possible.slice(0, 1);
        });
        placed.push(all[0]);
    });
    return placed;
}

/** Moves a place into the area sideways: a label may be wider than a face at the edge. */
function inside(place, area) {
    return { ...place, left: Math.max(0, Math.min(place.left, area.width - place.width)) };
}

const touches = (place, box) => place.left <= box.left + box.width && box.left <= place.left + place.width
    && place.top <= box.top + box.height && box.top <= place.top + place.height;
