/** Returns the element with an id. */
export const byId = (id) => document.getElementById(id);

/**
 * Returns a new element. Attributes must not include styles, which the content security policy forbids.
 * Children are elements or text; text is never parsed as markup.
 */
export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
}

/** Positions an element within its parent, in per cent of the parent's size. */
export function place(target, { left, top, width, height }) {
    for (const [name, value] of Object.entries({ left, top, width, height })) {
        if (value !== undefined) target.style[name] = `${value}%`;
    }
}
