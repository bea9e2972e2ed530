// Points of series, made ready to be drawn: pure functions. A series is a list of [x, y] in the order of arrival; y is null
// in a gap. x falls where a program went on from a checkpoint: there another segment begins.

// The segments of a series, in each of which x rises: what a plot can draw as one line.
export function segmentsOf(points) {
  const segments = [];
  let xs = [];
  let ys = [];
  for (const [x, y] of points) {
    if (xs.length && x < xs.at(-1)) {
      segments.push([xs, ys]);
      xs = [];
      ys = [];
    }
    if (xs.length && x === xs.at(-1)) {
      ys[ys.length - 1] = y ?? ys.at(-1); // a gap at the place of a value does not hide it
    } else {
      xs.push(x);
      ys.push(y);
    }
  }
  if (xs.length) segments.push([xs, ys]);
  return segments.filter(([, values]) => values.some((value) => value !== null));
}

// Exponential moving averages, unbiased at the beginning: the mean of what came before, in which a value counts `weight`
// times as much as the one after it. 0 leaves the values as they are; a gap stays a gap.
export function smoothed(values, weight) {
  if (!weight) return values;
  let sum = 0;
  let count = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = sum * weight + value;
    count = count * weight + 1;
    return sum / count;
  });
}

// What a logarithmic scale can show.
export const positive = (values) => values.map((value) => (value > 0 ? value : null));

// One list of x for all lines, and the values of each at these: undefined where a line has no point, null where it has a gap.
export function aligned(lines) {
  const xs = [...new Set(lines.flatMap((line) => line.xs))].sort((a, b) => a - b);
  const place = new Map(xs.map((x, index) => [x, index]));
  return [xs, ...lines.map((line) => {
    const values = Array(xs.length).fill(undefined);
    line.xs.forEach((x, index) => { values[place.get(x)] = line.ys[index]; });
    return values;
  })];
}

// At most `most` of the items, the first and the last among them, evenly chosen.
export function some(items, most) {
  if (items.length <= most) return items;
  const step = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, index) => items[Math.round(index * step)]);
}

// Names of series by the plot that shows them: those that differ only in what stands before the last dot are one measure,
// such as `train.loss` and `eval.loss`.
export function byMeasure(names) {
  const groups = new Map();
  for (const name of names) {
    const measure = name.slice(name.lastIndexOf(".") + 1) || name;
    groups.set(measure, [...(groups.get(measure) ?? []), name]);
  }
  return [...groups].map(([title, members]) => ({ title: members.length > 1 ? title : members[0], names: members }));
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  return String(Number(value.toPrecision(5)));
}
