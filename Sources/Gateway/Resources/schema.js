/** Shows JSON schemas, as the OpenAPI document uses them. */

import { element } from "./dom.js";

/** Returns a text as nodes, with the words between backticks as code. */
export function prose(text) {
    return text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part));
}

/** Returns a schema's type in a few words, as nodes; a named schema as a link. */
export function schemaType(schema) {
    if (schema.$ref) {
        const name = schema.$ref.split("/").at(-1);
        return [element("a", { href: `#schema-${name}` }, name)];
    }
    const alternatives = schema.oneOf ?? schema.anyOf;
    if (alternatives) return alternatives.flatMap((each, index) => [index > 0 ? " or " : "", ...schemaType(each)]);
    if (schema.items) return ["array of ", ...schemaType(schema.items), ...limits(schema)];
    if (schema.additionalProperties?.type || schema.additionalProperties?.$ref) {
        return ["map of ", ...schemaType(schema.additionalProperties)];
    }
    const type = [schema.type ?? "any"].flat().join(" or ");
    return [schema.format ? `${type} (${schema.format})` : type, ...limits(schema)];
}

/** Returns the restrictions of a schema, as nodes. */
function limits(schema) {
    const told = [];
    if (schema.enum) {
        told.push(": ", ...schema.enum.flatMap((value, index) =>
            [index > 0 ? ", " : "", element("code", {}, String(value))]));
    }
    const range = (from, to, unit) => {
        if (from === undefined && to === undefined) return;
        const text = to === undefined ? `from ${from}` : from === undefined ? `up to ${to}` : `${from} to ${to}`;
        told.push(`, ${text}${unit}`);
    };
    range(schema.minimum, schema.maximum, "");
    range(schema.minLength, schema.maxLength, " characters");
    range(schema.minItems, schema.maxItems, " items");
    if (schema.pattern) told.push(", matches ", element("code", {}, schema.pattern));
    if (schema.default !== undefined) told.push("; default ", element("code", {}, String(schema.default)));
    return told;
}

/** Returns the schema that holds the properties: its own, or those of an array's or a map's values. */
const inner = (schema) => (schema.items ? inner(schema.items)
    : schema.additionalProperties?.properties ? schema.additionalProperties : schema);

/** Returns a schema's description and its properties; a property's own properties are below it. */
export function schemaTable(schema) {
    const told = schema.description ? [element("p", {}, ...prose(schema.description))] : [];
    const found = properties(schema);
    return element("div", {}, ...told, found ?? element("p", {}, ...schemaType(schema)));
}

/** Returns the list of a schema's properties; undefined if it has none. */
function properties(schema) {
    const { properties: described, required = [] } = inner(schema);
    if (!described) return undefined;
    return element("ul", { class: "properties" }, ...Object.entries(described).map(([name, value]) => {
        const item = element("li", {}, element("code", { class: "property" }, name), " ",
            element("small", {}, ...schemaType(value), required.includes(name) ? ", always present" : ""));
        if (value.description) item.append(element("p", {}, ...prose(value.description)));
        const nested = properties(value);
        if (nested) item.append(nested);
        return item;
    }));
}
