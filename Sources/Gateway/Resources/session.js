/** The results of this tab, without the images. They survive a reload, and are lost when the tab is closed. */

const key = "bifrons.history";
/** With thumbnails, these take up about half of the storage that browsers allow. */
const mostEntries = 300;

let entries = JSON.parse(sessionStorage.getItem(key) ?? "[]");

/** Returns the entries, newest first: {name, bytes, at, thumbnail, result}. */
export const history = () => entries;

export function remember(entry) {
    // Heat maps make up most of a result's size, and the history does not show them.
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
        // The storage is full. The list in memory is still complete, but a reload will restore an earlier state.
    }
}
