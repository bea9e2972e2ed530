// A job's output as it is shown. It may be anything, of any length, with or without a line break: whatever is done here
// takes time by its length alone.

// No two parts of this match the same character, and what may repeat ends where the next escape begins.
const ESCAPES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;

// Of a line that a progress bar wrote over itself the last state stands; what was not written over yet stays.
function lastState(line) {
  let end = line.length;
  while (end > 0 && line[end - 1] === "\r") end -= 1;
  return line.slice(line.lastIndexOf("\r", Math.max(end - 1, 0)) + 1, end);
}

// Colours are left out, and what was written over.
export function readable(text) {
  return text.replaceAll("\r\n", "\n").replace(ESCAPES, "").split("\n").map(lastState).join("\n");
}

// The last `most` characters of what is added, at least, and less than twice as many: pieces are dropped in whole.
export class Tail {
  constructor(most) {
    this.most = most;
    this.kept = "";
    this.added = [];
    this.length = 0; // of what was added since
  }

  add(piece) {
    this.added.push(piece);
    this.length += piece.length;
    if (this.length >= this.most) this.gather();
  }

  gather() {
    this.kept = (this.kept + this.added.join("")).slice(-this.most);
    this.added = [];
    this.length = 0;
    return this.kept;
  }
}
