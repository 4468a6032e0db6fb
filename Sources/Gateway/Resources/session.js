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

/** Adds an entry, and returns it as it is kept. */
export function remember(entry) {
    // Heat maps make up most of a result's size, and the history does not show them.
    const { maps, ...result } = entry.result;
    const faces = result.faces?.map(({ maps, ...face }) => face);
    const kept = { ...entry, result: faces ? { ...result, faces } : result };
    entries = [kept, ...entries].slice(0, mostEntries);
    if (entries.length > mostThumbnails) delete entries[mostThumbnails].thumbnail;
    saveSoon();
    return kept;
}

/** Adds the thumbnail to a kept entry, unless there are too many newer ones. */
export function illustrate(kept, thumbnail) {
    if (!thumbnail || entries.indexOf(kept) >= mostThumbnails) return;
    kept.thumbnail = thumbnail;
    saveSoon();
}

export function forget() {
    entries = [];
    save();
}

function saveSoon() {
    timer ??= setTimeout(save, pace);
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
