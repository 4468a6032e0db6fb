/** The results of this tab, without the images. They survive a reload, and are lost when the tab is closed. */

const key = "bifrons.history";
const mostEntries = 1000;
/** How many of the newest entries have thumbnails. With more, the results would not fit into the browser's storage. */
export const mostThumbnails = 50;
/** The least time between two writes in milliseconds: each writes all entries. */
const pace = 1000;

let entries = JSON.parse(sessionStorage.getItem(key) ?? "[]");
let timer;

/** Returns the entries, newest first: {name, bytes, at, thumbnail, result}. */
export const history = () => entries;

export function remember(entry) {
    // Heat maps make up most of a result's size, and the history does not show them.
    const { maps, ...result } = entry.result;
    const faces = result.faces?.map(({ maps, ...face }) => face);
    entries = [{ ...entry, result: faces ? { ...result, faces } : result }, ...entries].slice(0, mostEntries);
    if (entries.length > mostThumbnails) delete entries[mostThumbnails].thumbnail;
    timer ??= setTimeout(save, pace);
}

export function forget() {
    entries = [];
    save();
}

function save() {
    clearTimeout(timer);
    timer = undefined;
    try {
        sessionStorage.setItem(key, JSON.stringify(entries));
    } catch {
        // The storage is full. The list in memory is still complete, but a reload will restore an earlier state.
    }
}

addEventListener("pagehide", () => timer && save());
