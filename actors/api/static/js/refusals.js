// The server's sentences beside the fields that caused them. A field is { paths, refuse(text), control }; `paths` are the
// server's names for it, such as `params.lr`.

import { Unreachable } from "./api.js";

const UNKNOWN = "The server did not answer, so it is not known whether this was submitted. Submit it once more: what is there already is not made twice.";

// Whether `text` begins with the name `path` itself, and not with a longer name.
const begins = (text, path) => text.startsWith(path) && !/^[\w-]/.test(text.slice(path.length));

// A refusal as [field of the server, sentence] each.
function sentences(error) {
  const several = error.errors?.length ? error.errors : [{ field: error.field ?? "", message: error.message }];
  return several.map(({ field, message }) => [field, field && !message.includes(field) ? `${field}: ${message}` : message]);
}

// Show `error` at `fields`. Returns what belongs to none of them, as one text; the first refused field gets the focus.
export function placeRefusal(error, fields) {
  if (error instanceof Unreachable) return UNKNOWN;
  const beside = new Map();
  const rest = [];
  for (const [name, text] of sentences(error)) {
    const field = fields.filter((one) => one.paths.some((path) => begins(name, path))).at(0);
    if (field) beside.set(field, [...(beside.get(field) ?? []), text]);
    else rest.push(text);
  }
  for (const [field, texts] of beside) field.refuse(texts.join("\n"));
  const first = fields.find((field) => beside.has(field));
  first?.control().focus();
  return rest.join("\n");
}

export function clearRefusals(fields) {
  for (const field of fields) field.refuse("");
}
