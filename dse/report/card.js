// What scripts add to a design card: bars of time and area, the pin, files of the design, what differs from another design.
"use strict";

const BARS = { Cycles: "cycles", LUT: "lut", FF: "ff", DSP: "dsp", BRAM18: "bram18", URAM: "uram" };
let pinned = null; // trial that others are compared with; the baseline where none is pinned

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

const size = (text) => parseFloat(text.replace(/,/g, "")) || 0;

/** Bars of cycles and resources, layer by layer, and below them which layers take each resource. */
function bars(rows) {
  const all = [...rows];
  const shown = Object.keys(BARS).filter((name) => all.some(([, cells]) => cells.has(name) && size(cells.get(name))));
  const cell = (name, text, top) => el("td", { class: BARS[name], style: `--w:${Math.round((100 * size(text)) / top)}` }, text);
  const tops = Object.fromEntries(shown.map((name) => [name, Math.max(...all.map(([, cells]) => size(cells.get(name))))]));
  const balance = el("table", { class: "balance" },
    el("caption", {}, "Where time and area go (bars are shares of the largest value in a column; equal cycles are the ideal)"),
    el("thead", {}, el("tr", {}, ...["Layer", ...shown].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...all.map(([layer, cells]) => el("tr", {}, el("th", { scope: "row" }, layer),
      ...shown.map((name) => cell(name, cells.get(name), tops[name]))))));
  const part = (layer, text, k, whole) => {
    const share = (100 * size(text)) / whole;
    return el("i", { class: `k${k % 6}`, style: `--w:${share.toFixed(2)}`, title: `${layer}: ${text}` }, share < 7 ? "" : layer);
  };
  const stack = el("table", { class: "stack" },
    el("caption", {}, "Which layers take the area (shares of what the design takes, in the order of the layers)"),
    el("tbody", {}, ...shown.filter((name) => name !== "Cycles").map((name) => {
      const whole = all.reduce((sum, [, cells]) => sum + size(cells.get(name)), 0);
      return el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "wide" }, el("div", {},
        ...all.flatMap(([layer, cells], k) => (size(cells.get(name)) ? [part(layer, cells.get(name), k, whole)] : [])))));
    })));
  return [el("div", { class: "scroll" }, balance), stack];
}

/** Put the bars below the layers of a card that has none yet. */
function addBars(card) {
  const rows = layerCells(card);
  if (rows && !card.querySelector("table.balance")) card.querySelector("table.layers").closest(".scroll").after(...bars(rows));
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

/** How a design is built: its layers, and the same as FINN's folding configuration; null where that was not kept. */
function buildOf(id) {
  const places = DATA.builds.texts[id];
  return places ? JSON.parse(places.map((place) => DATA.builds.pieces[place]).join("")) : null;
}

/** What the buttons of a card save: a design as dse reads it (`seeds`), its folding as FINN reads it. */
const FILES = {
  design: (i) => {
    const known = (table) => Object.fromEntries(Object.keys(table).filter((k) => table[k][i] != null).map((k) => [k, table[k][i]]));
    return { study: DATA.study, trial: TRIALS.id[i], digest: TRIALS.digest[i], metrics: known(DATA.metrics),
      synthesised: known(DATA.reported), knobs: known(DATA.values), design: buildOf(TRIALS.id[i]).design };
  },
  folding: (i) => buildOf(TRIALS.id[i]).folding,
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.save");
  if (!button) return;
  const { trial, file } = button.dataset;
  save(`${DATA.study}-${trial}-${file}.json`, "application/json", `${JSON.stringify(FILES[file](TRIALS.id.indexOf(Number(trial))), null, 1)}\n`);
});

/** Pin a trial, or none; the open card is compared anew. */
function pin(id) {
  pinned = id;
  $("unpin").hidden = id === null;
  $("unpin").textContent = `Pinned: trial ${id} ×`;
  writeHash();
  if (!$("drawer").hidden) openDesign(opened);
  drawRings();
}

dressed.push((card, i) => {
  addBars(card);
  const id = TRIALS.id[i];
  const button = el("button", { type: "button", class: "pin", "aria-pressed": String(pinned === id) }, pinned === id ? "Unpin" : "Pin to compare");
  button.addEventListener("click", () => pin(pinned === id ? null : id));
  card.querySelector("h3").append(button);
  (card.querySelector(".command") || card.querySelector("h3")).after(difference(card, i));
});
hashParts.push(() => (pinned === null ? [] : [`pin=${pinned}`]));
$("unpin").addEventListener("click", () => pin(null));
document.querySelectorAll("#detail > div:not(.all-cards) .card").forEach(addBars);
