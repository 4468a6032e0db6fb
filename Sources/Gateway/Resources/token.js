/** The form that asks for a token; both pages have it. */

import { setToken, token } from "./api.js";
import { byId } from "./dom.js";

/** Shows the form, if it is not there yet, and calls `then` when a token was given. */
export function askForToken(then) {
    const form = byId("token-form");
    if (!form.hidden) return;
    form.hidden = false;
    if (token()) form.querySelector("label").textContent = "The service does not know this token.";
    byId("token").focus();
    form.onsubmit = (event) => {
        event.preventDefault(); // nothing is to be submitted, and the security policy forbids it
        form.hidden = true;
        setToken(byId("token").value.trim());
        then();
    };
}
