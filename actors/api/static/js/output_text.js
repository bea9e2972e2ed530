// A job's output as it is shown. It may be anything, of any length, with or without a line break: whatever is done here
// takes time by its length alone.

// No two parts of this match the same character, and what may repeat ends where the next escape begins.
const ESCAPES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const LINE = 4_000; // characters of one line that are shown

// Of a line that a progress bar wrote over itself the last state stands; what was not written over yet stays.
function lastState(line) {
  let end = line.length;
  while (end > 0 && line[end - 1] === "\r") end -= 1;
  return line.slice(line.lastIndexOf("\r", Math.max(end - 1, 0)) + 1, end);
}

// A browser takes long to break a line of megabytes, and nobody reads it.
function shortened(line) {
  if (line.length <= LINE) return line;
  return `${line.slice(0, LINE / 2)} … ${line.length - LINE} characters are left out here … ${line.slice(-LINE / 2)}`;
}

// Control characters are shown by the pictures that Unicode has for them; those that change the direction of text, by their codes.
function visible(character) {
  const number = character.codePointAt(0);
  if (number < 0x20) return String.fromCodePoint(0x2400 + number);
  return number === 0x7f ? "\u2421" : `<U+${number.toString(16).toUpperCase().padStart(4, "0")}>`;
}

// Colours are left out, and what was written over.
export function readable(text) {
  return text.replaceAll("\r\n", "\n").replace(ESCAPES, "").split("\n").map((line) => shortened(lastState(line)).replace(CONTROLS, visible)).join("\n");
}

// The last `most` characters of what is added, at least, and less than twice as many: pieces are dropped in whole.
export class Tail {
  constructor(most) {
    this.most = most;
    this.kept = "";
    this.added = [];
    this.length = 0; // of what was added since
    this.cut = false; // something was dropped
  }

  add(piece) {
    this.added.push(piece);
    this.length += piece.length;
    if (this.length >= this.most) this.gather();
  }

  gather() {
    const whole = this.kept + this.added.join("");
    if (whole.length > this.most) this.cut = true;
    this.kept = whole.slice(-this.most);
    this.added = [];
    this.length = 0;
    return this.kept;
  }
}

// The places of `part` in `text`, upper and lower case alike, `most` of them.
export function placesOf(text, part, most) {
  const places = [];
  const lower = text.toLowerCase();
  const [where, what] = lower.length === text.length ? [lower, part.toLowerCase()] : [text, part]; // lower case may be longer
  if (what === "") return places;
  for (let at = where.indexOf(what); at >= 0 && places.length < most; at = where.indexOf(what, at + what.length)) places.push(at);
  return places;
}
