/** What was classified in this tab, without the images; it survives a reload and ends with the tab. */

const key = "bifrons.history";
/** About half of what a browser keeps for a page, thumbnails included. */
const mostEntries = 300;

let entries = JSON.parse(sessionStorage.getItem(key) ?? "[]");

/** Newest first: {name, bytes, at, thumbnail, result}. */
export const history = () => entries;

export function remember(entry) {
    // Heat maps are most of a result's size and are not shown again.
    const { maps, ...result } = entry.result;
    const faces = result.faces?.map(({ maps, ...face }) => face);
    entries = [{ ...entry, result: faces ? { ...result, faces } : result }, ...entries].slice(0, mostEntries);
    save();
}

export function forget() {
    entries = [];
    save();
}

function save() {
    try {
        sessionStorage.setItem(key, JSON.stringify(entries));
    } catch {
        // Full: the list goes on, and only a reload will find the earlier state.
    }
}
