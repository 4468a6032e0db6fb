/** The ways in which images come to the page: chosen, dropped, pasted, and the sample. */

import { byId } from "./dom.js";

const refusal = "Bifrons fetches nothing: paste or drop the image itself.";
const address = /^\s*(https?:\/\/|www\.|data:image\/|file:\/\/)\S+\s*$/i;
const carries = (event, ...types) => types.some((type) => event.dataTransfer?.types.includes(type));

/** @param accept called with a list of files */
export function listen(accept) {
    const take = (files) => {
        say("");
        accept([...files]);
    };
    const picker = byId("files");
    picker.addEventListener("change", () => {
        take(picker.files);
        picker.value = ""; // so that the same file can be chosen again
    });
    byId("sample").addEventListener("click", () => trySample(take));
    listenForDrops(take);
    document.addEventListener("paste", (event) => {
        if (event.clipboardData.files.length > 0) {
            event.preventDefault();
            take(event.clipboardData.files);
        } else if (!event.target.matches?.("input") && address.test(event.clipboardData.getData("text/plain"))) {
            say(refusal);
        }
    });
}

/** Tells why something was not accepted, beside the button for choosing images. */
export function say(text) {
    byId("refusal").textContent = text;
}

function listenForDrops(take) {
    for (const name of ["dragenter", "dragover"]) {
        document.addEventListener(name, (event) => {
            if (!carries(event, "Files", "text/uri-list")) return;
            event.preventDefault();
            document.body.classList.add("dragging");
        });
    }
    document.addEventListener("dragleave", (event) => {
        // The event also fires for every element inside the window; relatedTarget is null only at its edge.
        if (event.relatedTarget === null) document.body.classList.remove("dragging");
    });
    document.addEventListener("drop", (event) => {
        document.body.classList.remove("dragging");
        if (!carries(event, "Files", "text/uri-list")) return;
        event.preventDefault();
        if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files);
        else say(refusal); // an image of another page, of which the browser passes only the address
    });
}

async function trySample(take) {
    try {
        const response = await fetch("/assets/sample.jpg");
        if (!response.ok) throw new Error(`status ${response.status}`);
        take([new File([await response.blob()], "drawn-portrait.jpg", { type: "image/jpeg" })]);
    } catch {
        say("The gateway did not send the sample: try again once it answers.");
    }
}
