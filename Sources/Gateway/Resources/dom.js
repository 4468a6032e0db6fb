/** The element of this page with an id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. Attributes are set as they are (none is a style: the security policy forbids those);
 * children are elements or text, and text never becomes markup.
 */
export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
}

/** Puts an element at a place within its parent, all in hundredths of the parent's size. */
export function place(target, { left, top, width, height }) {
    for (const [name, value] of Object.entries({ left, top, width, height })) {
        if (value !== undefined) target.style[name] = `${value}%`;
    }
}
