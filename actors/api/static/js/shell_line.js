// The line that submits a command from a shell. The page never sends a command: it shows what a person may paste.
//
// A word is quoted as POSIX says. Inside single quotes nothing has a meaning but the next single quote. A terminal acts on
// control characters before a shell sees them (ESC [ 2 0 1 ~ ends a paste), and format characters change how a line looks; so
// each of them but the line feed is written by printf, whose output holds no line feed that the shell would cut off.

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;
const UNSEEN = /((?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}])/u;
const USUAL = /^(PATH|HOME|LANG|VIRTUAL_ENV|CONDA_PREFIX|LD_LIBRARY_PATH|HF_HOME|CUDA_.*)$/; // what every job inherits
const NOT_UTF8 = /\\x[0-9a-f]{2}/;

const octal = (text) => [...new TextEncoder().encode(text)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
const inQuotes = (text) => (text === "" ? "" : `'${text.replaceAll("'", "'\\''")}'`);

// One word of a line for a POSIX shell.
export function quoted(word) {
  if (PLAIN.test(word)) return word;
  if (word === "") return "''";
  return word.split(UNSEEN).map((part, at) => (at % 2 ? `"$(printf '${octal(part)}')"` : inQuotes(part))).join("");
}

function rerunOptions(rerun) {
  if (!rerun) return [];
  const on = [...rerun.on, ...rerun.exit_codes.map((code) => `exit:${code}`)];
  return [["rerun", rerun.times], ["rerun-on", on.join(",")], ["rerun-delay", `${rerun.delay}s`]];
}

// The words of `greenroom submit` for a job that was a command; `job` as the API has it, with what is changed.
export function submitWords(job) {
  const { resources, environment } = job;
  const once = [["provider", job.provider === "local" ? null : job.provider], ["team", job.team_id], ["name", job.config_name], ["group", job.group],
    ["priority", job.priority_override], ["cost", job.estimated_cost], ["cpus", resources.cpus], ["gpus", resources.gpus || null], ["memory", resources.memory],
    ["max-runtime", job.max_runtime === null ? null : `${job.max_runtime}s`], ["max-attempts", job.max_attempts === 3 ? null : job.max_attempts],
    ...rerunOptions(job.rerun), ["cwd", job.cwd]];
  const several = [...job.notify.map((name) => ["notify", name]),
    ...[...environment.inherited, ...environment.not_set].filter((name) => !USUAL.test(name)).map((name) => ["env-from", name])];
  const options = [...once, ...several].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return ["greenroom", "submit", ...options.map(([name, value]) => `--${name}=${value}`), "--", ...job.command];
}

export const submitLine = (job) => submitWords(job).map(quoted).join(" ");

// What the line lacks, in sentences.
export function lineNotes(job) {
  const notes = [];
  if (job.environment.set.length) notes.push(`The values of ${job.environment.set.join(", ")} are not shown here: add --env NAME=VALUE for each.`);
  if ([...job.command, job.cwd ?? ""].some((word) => NOT_UTF8.test(word))) notes.push("\\x and two digits may stand for a byte that is not UTF-8: compare the line with what was submitted.");
  if (job.after.length) notes.push("What it waited for is left out.");
  return notes;
}
