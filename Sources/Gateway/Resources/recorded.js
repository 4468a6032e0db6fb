/** A decision of the ledger, in words. */

import { actionWord, capital, percent } from "./words.js";

/** Returns the number whose bits these hexadecimal digits are. */
function numberOf(digits) {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(`0x${digits}`));
    return view.getFloat64(0);
}

/** Returns the terms and texts of a decision and of what happened to it. */
export function decisionFacts({ id, time, tenant, body, personal, corrections = [] }) {
    const probability = body.probability ? numberOf(body.probability) : undefined;
    const verdict = { label: body.label, action: body.action, reasons: body.reasons };
    return [
        ["Decision", id],
        ["Time", time],
        ...(tenant ? [["Tenant", tenant]] : []),
        ...(personal?.subject ? [["Subject", `${personal.subject.type} ${personal.subject.id}`]] : []),
        ["Action", `${capital(actionWord(verdict))}, by ${body.policy}@${body.policy_version}`],
        ["AI probability", probability === undefined ? "no face" : percent(probability)],
        ...(body.reasons.length > 0 ? [["Reasons", body.reasons.join(", ")]] : []),
        ...corrections.map((correction) => [capital(correction.kind), correctionWords(correction)]),
    ];
}

function correctionWords({ time, author, detail = {} }) {
    const said = [detail.outcome?.replaceAll("_", " "), detail.action, detail.label, detail.note, detail.reason];
    return [...said.filter(Boolean), author ? `by ${author}` : "", time].filter(Boolean).join(", ");
}
