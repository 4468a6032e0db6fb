/** The table of this session's results, and their exports. */

import { byId, element } from "./dom.js";
import * as files from "./export.js";
import * as session from "./session.js";
import { actionWord, count, duration, percentOrDash, problemTitle, verdictAnswer, verdictWord } from "./words.js";

/** The least time between two updates of the table in milliseconds. */
const pace = 250;
let timer;

/** @param then called after the history was deleted, to move the focus from a button that is gone */
export function listen(then) {
    byId("forget").addEventListener("click", () => {
        session.forget();
        show();
        then();
    });
    byId("export-json").addEventListener("click", () =>
        files.download("bifrons.json", "application/json", files.json(session.history())));
    byId("export-csv").addEventListener("click", () =>
        files.download("bifrons.csv", "text/csv;charset=utf-8", files.csv(session.history())));
    show();
}

/** @param thumbnail a promise of {text}, a data URL */
export async function remember(entry, thumbnail) {
    const kept = session.remember(entry);
    timer ??= setTimeout(show, pace);
    const { text } = await thumbnail;
    session.illustrate(kept, text);
    timer ??= setTimeout(show, pace);
}

function show() {
    clearTimeout(timer);
    timer = undefined;
    const entries = session.history();
    byId("history").hidden = entries.length === 0;
    byId("history-rows").replaceChildren(...entries.slice(0, session.mostThumbnails).map(row));
    const rest = entries.length - session.mostThumbnails;
    byId("history-rest").hidden = rest <= 0;
    byId("history-rest").textContent = `The exports also have ${count(Math.max(0, rest), "older result")}.`;
}

function row({ name, thumbnail, result }) {
    const image = thumbnail
        ? element("img", { src: thumbnail, alt: "" }) : element("span", { class: "no-thumbnail" });
    const file = element("th", { scope: "row" }, image, element("span", {}, name));
    if (!result.verdict) {
        return element("tr", {}, file, element("td", { colspan: 4, class: "failed" }, problemTitle(result.status)));
    }
    return element("tr", {}, file,
        element("td", { "data-label": verdictAnswer(result.verdict).label }, verdictWord(result.verdict)),
        element("td", { class: "number" }, percentOrDash(result.verdict.ai_probability)),
        element("td", { class: "wide" }, actionWord(result.verdict)),
        element("td", { class: "number wide" }, duration(result.total_ms)));
}
