// Requests to the server. A refusal is an Error with the server's text and its correlation ID.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the server answered ${status}`);
    this.status = status;
    this.correlationId = problem.correlation_id;
    this.field = problem.field;
    this.errors = problem.errors;
  }
}

export class Unreachable extends Error {}

let onSignedOut = () => {};

export function whenSignedOut(callback) {
  onSignedOut = callback;
}

async function ask(method, path, body) {
  const options = { method, headers: { Accept: "application/json" }, credentials: "same-origin" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options).catch((error) => { throw new Unreachable(error.message); });
  if (response.ok) return response.status === 204 ? null : response.json();
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && path !== "/api/session") onSignedOut();
  throw new Refused(response.status, problem);
}

export const get = (path) => ask("GET", path);
// The first `pages` pages of a list, which stands under `name`, as one answer.
export async function getPages(path, name, pages) {
  const first = await get(path);
  let { next } = first;
  const rows = [...first[name]];
  for (let page = 1; page < pages && next !== null; page += 1) {
    const more = await get(`${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(next)}`);
    for (const row of more[name]) rows.push(row);
    ({ next } = more);
  }
  return { ...first, [name]: rows, next };
}

export const post = (path, body) => ask("POST", path, body);
export const put = (path, body) => ask("PUT", path, body);
export const remove = (path) => ask("DELETE", path);

// Whether the server answers at all, which a connection that broke unnoticed does not show.
export async function answers(milliseconds) {
  const late = new AbortController();
  const limit = setTimeout(() => late.abort(), milliseconds);
  try {
    return (await fetch("/health/live", { signal: late.signal, cache: "no-store" })).ok;
  } catch {
    return false;
  } finally {
    clearTimeout(limit);
  }
}
