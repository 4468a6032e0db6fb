/** The table of the events that an operator should know of. */

import { byId, element } from "./dom.js";

/** The most events that are kept. */
const most = 200;
const words = {
    worker_joined: "Worker joined", worker_left: "Worker left", worker_lost: "Worker lost",
    quarantined: "Picture quarantined", policy_activated: "Policy activated", key_revoked: "Key revoked",
    token_revoked: "Token revoked", draining: "Router is draining",
};
const known = new Map();
let last;

/** Returns the id of the last event that has arrived; undefined before the first. */
export const lastID = () => last;

/** Adds an event; one that is known already is ignored. */
export function add(event) {
    last = event.id;
    if (known.has(event.id)) return;
    known.set(event.id, event);
    if (known.size > most) known.delete(known.keys().next().value);
    byId("events").hidden = false;
    byId("event-rows").replaceChildren(...[...known.values()].sort((a, b) => b.at_ms - a.at_ms).map(row));
}

function row({ at_ms: at, kind, subject }) {
    const time = new Date(at);
    return element("tr", {},
        element("td", {}, element("time", { datetime: time.toISOString() },
            time.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" }))),
        element("th", { scope: "row" }, words[kind] ?? kind),
        element("td", {}, subject ?? "–"));
}
