/** The part of the gateway's HTTP API that the page for reviews uses. */

import { Problem, request } from "./api.js";

const json = async (response) => JSON.parse(await response.text());

const query = (fields) => {
    const given = Object.entries(fields).filter(([, value]) => value);
    return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
};

/** Returns the next decision to review, with its lease; without `decision` if none waits. */
export const next = async (reviewer) => json(await request("GET", `/v1/reviews/next${query({ reviewer })}`));

/** Stores an answer, and returns {decision}; nothing for an image that is skipped. */
export const answer = async (id, body) =>
    json(await request("POST", `/v1/reviews/${id}`, JSON.stringify(body), "application/json"));

/** Takes the reviewer's own answer back, and returns the decision with a new lease. */
export const withdraw = async (id, reviewer) => json(await request("DELETE", `/v1/reviews/${id}${query({ reviewer })}`));

/** Returns the image as it was sent; undefined if it is not kept. */
export async function image(id) {
    try {
        return await (await request("GET", `/v1/reviews/${id}/image`)).blob();
    } catch (problem) {
        if (problem instanceof Problem && problem.code === "no_image") return undefined;
        throw problem;
    }
}

/** Returns the result that the image has today, with the networks' heat maps. */
export const again = async (id, file) => (await json(
    await request("POST", `/v1/decisions/${id}/replay?explain=true`, file, "application/octet-stream"))).result;
