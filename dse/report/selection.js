// What is selected: ranges of quantities and a set of trials, shared by plot, parallel axes and tables.
"use strict";

const brushes = new Map(); // key of a quantity -> [low, high] in the unit shown; of words: places in their list
let lasso = null; // ids of the trials that were drawn around
let chosen = TRIALS.id.map(() => true);
const selecting = []; // called at once after every change; slow listeners are wrapped in `calmly`

/** Words of a quantity in the order in which axes show them; empty where it has numbers. */
function levels(option) {
  if (isNumeric(option)) return [];
  return [...new Set(option.column.filter((v) => v != null).map(String))].sort(compare);
}

/** Values of a quantity as numbers, per trial; null where unknown. */
const scalars = new Map();
function scalar(option) {
  if (!scalars.has(option.key)) {
    const words = levels(option);
    scalars.set(option.key, TRIALS.id.map((_, i) => {
      const v = at(option, i);
      return v == null ? null : words.length ? words.indexOf(String(v)) : v;
    }));
  }
  return scalars.get(option.key);
}

/** Run a slow listener once things have come to rest. */
function calmly(listener) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(listener, 120); };
}

const isSelecting = () => brushes.size > 0 || lasso !== null;

function select(change) {
  change();
  const tests = [...brushes].map(([key, span]) => [scalar(byKey(key)), span]);
  chosen = TRIALS.id.map((id, i) => (lasso === null || lasso.has(id))
    && tests.every(([values, [low, high]]) => values[i] != null && values[i] >= low && values[i] <= high));
  selecting.forEach((f) => f());
}
const brush = (key, span) => select(() => (span ? brushes.set(key, span) : brushes.delete(key)));
const drawAround = (ids) => select(() => { lasso = ids && new Set(ids); });
const clearSelection = () => select(() => { brushes.clear(); lasso = null; });

/** A range in words: "LUT (expected) 1,000 to 9,000", "conv1.scheme bcr". */
function spoken(key, [low, high]) {
  const option = byKey(key), words = levels(option);
  if (words.length) return `${option.label} ${words.filter((_, k) => k >= low && k <= high).join(", ")}`;
  return `${option.label} ${short(low)} to ${short(high)}${unitOf(option) ? ` ${unitOf(option)}` : ""}`;
}

function describeSelection() {
  const chip = (text, clear) => {
    const button = el("button", { type: "button", class: "chip", "aria-label": `Remove ${text}` }, `${text} ×`);
    button.addEventListener("click", clear);
    return button;
  };
  const chips = [...brushes].map(([key, span]) => chip(spoken(key, span), () => brush(key, null)));
  if (lasso) chips.push(chip(`${lasso.size} trials drawn around`, () => drawAround(null)));
  if (chips.length > 1) chips.push(chip("all", clearSelection));
  $("chips").replaceChildren(...chips);
  const count = chosen.filter(Boolean).length, best = DATA.front.filter((id) => chosen[TRIALS.id.indexOf(id)]).length;
  $("selection-count").textContent = isSelecting() ? `${count} of ${TRIALS.id.length} trials selected, ${best} on the front` : "";
  document.querySelectorAll("table.front tbody tr").forEach((row) => {
    const id = Number(row.querySelector("a.open").textContent);
    row.classList.toggle("out", !chosen[TRIALS.id.indexOf(id)]);
  });
}

// the address holds the selection, so that a link shows the same
hashParts.push(() => [
  ...[...brushes].map(([key, [low, high]]) => `${encodeURIComponent(key)}=${low}..${high}`),
  ...(lasso ? [`trials=${[...lasso].join(",")}`] : []),
]);

/** Take over the selection of an address; what does not belong to this study is passed by. */
function restoreSelection(parts) {
  select(() => {
    for (const part of parts) {
      const [key, value = ""] = part.split("=").map(decodeURIComponent);
      const span = value.split("..").map(Number);
      if (key === "trials") lasso = new Set(value.split(",").map(Number));
      else if (byKey(key) && span.length === 2 && span.every(Number.isFinite)) brushes.set(key, span);
    }
  });
}

// the scrubber is a brush on the number of a trial: what was known by then
[$("scrub").min, $("scrub").max] = [Math.min(...TRIALS.id), Math.max(...TRIALS.id)];
$("scrub").value = $("scrub").max;
$("scrub").addEventListener("input", () =>
  brush("trial", $("scrub").value === $("scrub").max ? null : [Number($("scrub").min), Number($("scrub").value)]));
selecting.push(() => { $("scrub").value = brushes.has("trial") ? brushes.get("trial")[1] : $("scrub").max; });
selecting.push(calmly(() => { describeSelection(); writeHash(); }));
