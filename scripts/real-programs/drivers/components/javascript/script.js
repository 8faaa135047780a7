// A component in JavaScript with two exports.

export function report(text) {
  const counts = new Map();
  for (const word of text.toLowerCase().match(/[^\s.,;—]+/g) ?? []) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return JSON.stringify(Object.fromEntries(sorted));
}

function* fibonacci() {
  let [a, b] = [0n, 1n];
  for (;;) {
    yield a;
    [a, b] = [b, a + b];
  }
}

export function run() {
  const lines = [];
  let last = 0n;
  let n = 0;
  for (const number of fibonacci()) {
    last = number;
    if (n++ === 300) break;
  }
  lines.push(`fibonacci ${last}`);
  lines.push([3, 1, 2].toSorted().map((x) => x ** 10).join(" "));
  lines.push("ünïcödé 🦊".split("").length + " " + [..."ünïcödé 🦊"].length);
  try {
    null.x;
  } catch (error) {
    lines.push(error instanceof TypeError ? "TypeError" : "?");
  }
  lines.push(new Date(0).toISOString());
  lines.push(/(?<year>\d{4})-(?<month>\d\d)/.exec("on 2026-11-22").groups.month);
  return lines;
}
