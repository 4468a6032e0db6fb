/** The form that asks for a token, which both pages have. */

import { setToken, token } from "./api.js";
import { byId } from "./dom.js";

/** Shows the form unless it is already visible, and calls `then` after a token is entered. */
export function askForToken(then) {
    const form = byId("token-form");
    if (!form.hidden) return;
    form.hidden = false;
    // An open dialogue would cover the form.
    document.querySelector("dialog[open]")?.close();
    if (token()) form.querySelector("label").textContent = "The service does not know this token.";
    byId("token").focus();
    form.onsubmit = (event) => {
        event.preventDefault(); // the content security policy forbids submitting forms
        form.hidden = true;
        setToken(byId("token").value.trim());
        then();
    };
}
