// Tables as files of comma-separated values.

import { el } from "./dom.js";

const FORMULA = ["=", "+", "-", "@", "\t", "\r"];
const QUOTED = '",\r\n';
const PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

// RFC 4180; what a spreadsheet would take for a formula gets an apostrophe in front.
function field(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && FORMULA.includes(value.charAt(0)) ? `'${value}` : String(value);
  return [...QUOTED].some((one) => text.includes(one)) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csvOf = (rows) => rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");

// Has the browser store a text as a file.
export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = el("a", { href: address, download: [...name].map((one) => (PLAIN.includes(one) ? one : "_")).join("") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1_000);
}
