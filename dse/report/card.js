// What scripts add to a design card: bars of time and area, the pin, what differs from another design.
"use strict";

let pinned = null; // trial that others are compared with; the baseline where none is pinned
const BARS = { Cycles: "cycles", LUT: "lut", FF: "ff", DSP: "dsp", BRAM18: "bram18", URAM: "uram" };

/** The layer table of a card as rows of text: layer -> column -> text. */
function layerCells(card) {
  const table = card && card.querySelector("table.layers");
  if (!table) return null;
  const names = [...table.tHead.rows[0].cells].map((c) => c.textContent.trim());
  return new Map([...table.tBodies[0].rows].map((row) => {
    const cells = [...row.cells].map((c) => c.textContent.trim());
    return [cells[0].replace(/ slowest$/, ""), new Map(names.map((name, k) => [name, cells[k]]).slice(1))];
  }));
}

/** Bars of cycles and resources; the recommended design has them without scripts, too. */
function balance(rows) {
  const size = (text) => parseFloat(text.replace(/,/g, "")) || 0;
  const shown = Object.keys(BARS).filter((name) => [...rows.values()].some((cells) => cells.has(name) && size(cells.get(name))));
  const top = Object.fromEntries(shown.map((name) => [name, Math.max(...[...rows.values()].map((cells) => size(cells.get(name))))]));
  const head = el("tr", {}, ...["Layer", ...shown].map((name) => el("th", { scope: "col" }, name)));
  const body = [...rows].map(([layer, cells]) => el("tr", {}, el("th", { scope: "row" }, layer), ...shown.map((name) =>
    el("td", { class: BARS[name], style: `--w:${Math.round((100 * size(cells.get(name))) / top[name])}` }, cells.get(name)))));
  return el("div", { class: "scroll" }, el("table", { class: "balance" },
    el("caption", {}, "Where time and area go (bars are shares of the largest value in a column; equal cycles are the ideal)"),
    el("thead", {}, head), el("tbody", {}, ...body)));
}

/** How a number changed: accuracies in points, the rest in percent; knobs are choices and have no change. */
function changeOf(axis, mine, theirs) {
  if (!axis || mine == null || theirs == null || (!theirs && axis.key !== "accuracy")) return "-";
  const points = axis.key === "accuracy", by = points ? 100 * (mine - theirs) : 100 * (mine / theirs - 1);
  return `${by > 0 ? "+" : "-"}${points ? Math.abs(by).toFixed(1) : short(Math.abs(by))} ${points ? "points" : "%"}`;
}

/** Rows of numbers and knobs that differ between two trials, by place in the columns. */
function differing(i, j) {
  const metrics = DATA.axes.map((a) => [a.label + (unitOf(a) ? ` (${unitOf(a)})` : ""), DATA.metrics[a.key], a]);
  const knobs = DATA.knobs.map((k) => [k, DATA.values[k], null]);
  return [...metrics, ...knobs].filter(([, column]) => column[i] !== column[j]).map(([name, column, axis]) =>
    el("tr", {}, el("th", { scope: "row" }, name),
      ...[column[i], column[j]].map((v) => el("td", { class: "n" }, v == null ? "-" : short(typeof v === "number" ? v * (axis ? axis.scale : 1) : v))),
      el("td", { class: "n" }, changeOf(axis, column[i], column[j]))));
}

/** What differs between a card and the pinned design or the baseline; nothing for that design itself. */
function difference(card, i) {
  const other = pinned ?? DATA.baseline, j = TRIALS.id.indexOf(other);
  if (j < 0 || j === i) return "";
  const name = `trial ${other} (${pinned === null ? "baseline" : "pinned"})`;
  const [mine, theirs] = [layerCells(card), layerCells(cardOf(other))];
  const layers = mine && theirs ? [...mine].flatMap(([layer, cells]) => {
    const old = theirs.get(layer);
    const changes = old ? [...cells].filter(([column, text]) => old.get(column) !== text && column !== "Pace" && column !== "Efficiency") : [];
    return changes.length ? [el("tr", {}, el("th", { scope: "row" }, layer),
      el("td", { class: "wrap" }, changes.map(([column, text]) => `${column} ${old.get(column)} → ${text}`).join(", ")))] : [];
  }) : [];
  return el("details", { class: "difference", open: "" }, el("summary", {}, `Compared with ${name}: only what differs`),
    el("table", {}, el("thead", {}, el("tr", {}, ...["", "This design", `Trial ${other}`, "Change"].map((t) => el("th", { scope: "col", class: "n" }, t)))),
      el("tbody", {}, ...differing(i, j))),
    layers.length ? el("table", {}, el("caption", {}, `Layers, from trial ${other} to this design`), el("tbody", {}, ...layers)) : "");
}

/** Pin a trial, or none; the open card is compared anew. */
function pin(id) {
  pinned = id;
  $("unpin").hidden = id === null;
  $("unpin").textContent = `Pinned: trial ${id} ×`;
  writeHash();
  if (!$("drawer").hidden) openDesign(opened);
  drawExplorer();
}

dressed.push((card, i) => {
  const rows = layerCells(card);
  if (rows && !card.querySelector("table.balance")) card.querySelector("table.layers").closest(".scroll").after(balance(rows));
  const id = TRIALS.id[i];
  const button = el("button", { type: "button", class: "pin", "aria-pressed": String(pinned === id) }, pinned === id ? "Unpin" : "Pin to compare");
  button.addEventListener("click", () => pin(pinned === id ? null : id));
  card.querySelector("h3").append(button);
  (card.querySelector(".command") || card.querySelector("h3")).after(difference(card, i));
});
hashParts.push(() => (pinned === null ? [] : [`pin=${pinned}`]));
$("unpin").addEventListener("click", () => pin(null));
