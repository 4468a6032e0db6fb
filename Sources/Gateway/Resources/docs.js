/** The page of the HTTP API: the gateway's OpenAPI document, for people. */

import { byId, element } from "./dom.js";
import { prose, schemaTable, schemaType } from "./schema.js";

const methods = ["get", "put", "post", "delete", "patch"];

async function load() {
    const line = byId("connection");
    try {
        const response = await fetch("/openapi.json");
        if (!response.ok) throw new Error(`status ${response.status}`);
        show(await response.json());
        line.dataset.tone = "good";
    } catch (error) {
        line.dataset.tone = "bad";
        line.textContent = `The gateway did not send its OpenAPI document (${error.message}): reload the page.`;
    }
}

function show(document) {
    byId("lead").replaceChildren(...prose(document.info.description));
    byId("connection").textContent = `Version ${document.info.version}`;
    const operations = Object.entries(document.paths).flatMap(([path, item]) => methods
        .filter((method) => item[method])
        .map((method) => operation(document, path, method, item[method], item.parameters ?? [])));
    const schemas = Object.entries(document.components.schemas).map(([name, schema]) =>
        element("section", { id: `schema-${name}`, class: "operation", "aria-labelledby": `title-${name}` },
            element("h2", { id: `title-${name}` }, name), schemaTable(schema)));
    byId("operations").replaceChildren(...operations, ...schemas);
    byId("operation-links").replaceChildren(...operations.map((section) => link(section.id, section.dataset.name)));
    byId("schema-links").replaceChildren(...Object.keys(document.components.schemas)
        .map((name) => link(`schema-${name}`, name)));
    byId("reference").hidden = false;
    // The sections did not exist when the browser looked for the one of the address.
    if (location.hash) byId(location.hash.slice(1))?.scrollIntoView();
}

const link = (id, text) => element("li", {}, element("a", { href: `#${id}` }, text));

/** Returns what a reference within the document refers to. */
function resolved(document, value) {
    if (!value.$ref) return value;
    return value.$ref.split("/").slice(1).reduce((found, name) => found[name], document);
}

function operation(document, path, method, described, shared) {
    const name = `${method.toUpperCase()} ${path}`;
    const id = described.operationId ?? name;
    const security = described.security ?? document.security ?? [];
    const section = element("section", {
        id, class: "operation", "aria-labelledby": `title-${id}`, "data-name": name,
    });
    section.append(
        element("h2", { id: `title-${id}` },
            element("span", { class: "method", "data-method": method }, method.toUpperCase()), " ", element("code", {}, path)),
        element("p", { class: "operation-summary" }, described.summary ?? ""),
        ...(described.description ? [element("p", {}, ...prose(described.description))] : []),
        element("p", { class: "hint" }, security.length === 0
            ? "Needs no token." : "Needs a token where the gateway has a list of tokens."));
    const parameters = [...shared, ...(described.parameters ?? [])].map((each) => resolved(document, each));
    if (parameters.length > 0) section.append(element("h3", {}, "Parameters"), parameterTable(parameters));
    if (described.requestBody) section.append(...body(resolved(document, described.requestBody)));
    section.append(element("h3", {}, "Responses"), responseTable(document, described.responses));
    return section;
}

function parameterTable(parameters) {
    const rows = parameters.map(({ name, in: where, required, description = "", schema }) => element("tr", {},
        element("th", { scope: "row" }, element("code", {}, name), required ? element("small", {}, " required") : ""),
        element("td", {}, where), element("td", {}, ...schemaType(schema)), element("td", {}, ...prose(description))));
    return table(["Name", "In", "Type", "Description"], rows);
}

function body({ description, content, required }) {
    return [
        element("h3", {}, required ? "Request body" : "Request body (optional)"),
        ...(description ? [element("p", {}, ...prose(description))] : []),
        ...media(content),
    ];
}

/** Returns the media types of a body: those with the same schema together, and then the schema. */
function media(content) {
    const groups = Map.groupBy(Object.entries(content), ([, { schema }]) => JSON.stringify(schema ?? {}));
    return [...groups.values()].flatMap((entries) => {
        const { schema } = entries[0][1];
        const types = entries.flatMap(([type], index) => [index > 0 ? ", " : "", element("code", {}, type)]);
        const told = element("p", {}, ...types, ...(schema ? [": ", ...schemaType(schema)] : []));
        return schema?.properties ? [told, schemaTable(schema)] : [told];
    });
}

function responseTable(document, responses) {
    const rows = Object.entries(responses).map(([status, response]) => {
        const { description, content = {}, headers = {} } = resolved(document, response);
        const names = Object.keys(headers).flatMap((name) => [" ", element("code", {}, name)]);
        return element("tr", {}, element("th", { scope: "row" }, status),
            element("td", {}, ...prose(description), ...(names.length > 0 ? [element("small", {}, " Header fields:", ...names)] : [])),
            element("td", {}, ...media(content)));
    });
    return table(["Status", "Meaning", "Body"], rows);
}

function table(columns, rows) {
    const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)));
    return element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": columns.join(", ") },
        element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

load();
