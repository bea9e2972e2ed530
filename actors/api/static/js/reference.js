// The OpenAPI document for people: every route with what it takes and gives, then every class by name.

import { el } from "./dom.js";

const main = document.getElementById("main");

function typeOf(schema) {
  if (!schema || Object.keys(schema).length === 0) return ["anything"];
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return [el("a", { href: `#${name}` }, name)];
  }
  if (schema.enum) return [schema.enum.join(" | ")];
  if (schema.anyOf) return schema.anyOf.flatMap((arm, at) => (at ? [" or ", ...typeOf(arm)] : typeOf(arm)));
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.type === "object" && schema.additionalProperties) return ["object of ", ...typeOf(schema.additionalProperties)];
  return [[schema.type].flat().join(" or "), schema.format ? ` (${schema.format})` : ""];
}

function boundsOf(schema) {
  const words = { minimum: "at least", maximum: "at most", maxLength: "characters at most", maxItems: "items at most", minItems: "items at least", default: "default" };
  return Object.entries(words).filter(([key]) => schema[key] !== undefined && schema[key] !== "")
    .map(([key, word]) => `${word} ${schema[key]}`).join(", ");
}

function rows(head, all) {
  if (all.length === 0) return "";
  return el("div", { class: "table" }, el("table", {},
    el("thead", {}, el("tr", {}, head.map((word) => el("th", { scope: "col" }, word)))),
    el("tbody", {}, all.map(([name, ...cells]) => el("tr", {}, el("th", { scope: "row" }, name), cells.map((one) => el("td", {}, one)))))));
}

function parameters(operation) {
  return rows(["Parameter", "Where", "Type", "Bounds"], operation.parameters.map((one) => [
    one.required ? `${one.name} (required)` : one.name, one.in, typeOf(one.schema), one.description ?? boundsOf(one.schema),
  ]));
}

function answers(operation) {
  return rows(["Status", "Meaning", "Holds"], Object.entries(operation.responses).map(([status, answer]) => {
    const [media, content] = Object.entries(answer.content ?? {})[0] ?? ["", null];
    const holds = content && Object.keys(content.schema ?? {}).length ? typeOf(content.schema) : media;
    return [status === "default" ? "else" : status, answer.description, holds];
  }));
}

function route(path, method, operation) {
  const body = operation.requestBody?.content["application/json"].schema;
  return el("details", { id: operation.operationId },
    el("summary", {}, el("code", {}, `${method.toUpperCase()} ${path}`), ` ${operation.summary}`),
    operation.description ? el("p", { class: "quiet" }, operation.description) : "",
    parameters(operation),
    body ? el("p", {}, "Body: ", typeOf(body), operation.requestBody.required ? "" : " (may be absent)") : "",
    answers(operation));
}

function classOf(name, schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([field, one]) => [
    required.has(field) ? field : `${field} (optional)`, typeOf(one), one.description ?? boundsOf(one),
  ]);
  return el("section", { id: name }, el("h3", {}, name), schema.description ? el("p", {}, schema.description) : "",
    schema.enum ? el("p", {}, schema.enum.join(" | ")) : rows(["Field", "Type", "Meaning"], fields));
}

function paint(api) {
  const tags = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      tags.set(tag, [...(tags.get(tag) ?? []), route(path, method, operation)]);
    }
  }
  main.replaceChildren(
    el("h1", {}, `${api.info.title} ${api.info.version}: the HTTP API`),
    el("p", {}, api.info.description, " The document itself: ", el("a", { href: "/api/openapi.json" }, "openapi.json")),
    ...[...tags].flatMap(([tag, routes]) => [el("h2", {}, tag), ...routes]),
    el("h2", {}, "Classes"), ...Object.entries(api.components.schemas).map(([name, schema]) => classOf(name, schema)));
}

const response = await fetch("/api/openapi.json", { headers: { Accept: "application/json" } });
if (response.ok) paint(await response.json());
else main.replaceChildren(el("h1", {}, "The HTTP API"), el("p", {}, response.status === 401 ? "Sign in first: greenroom open" : `The document did not come (status ${response.status}).`));
