// What can be drawn: metrics and knobs of the trials, one column each.
"use strict";

const OPTIONS = [
  ...DATA.axes.map((a) => ({ ...a, group: DATA.objectives.includes(a.key) ? "Objectives" : "Predicted", column: DATA.metrics[a.key] })),
  ...DATA.knobs.map((k) => ({ key: `knob:${k}`, label: k, unit: "", log: false, scale: 1, group: "Knobs", column: DATA.values[k] })),
  { key: "trial", label: "Trial", unit: "", log: false, scale: 1, group: "Order", column: DATA.trials.id },
];
const byKey = (key) => OPTIONS.find((o) => o.key === key);
const TRIALS = DATA.trials;
const placeOf = new Map(TRIALS.id.map((id, i) => [id, i]));
const onFront = new Set(DATA.front);
const isSynthesised = (i) => Object.values(DATA.reported).some((column) => column[i] != null);
let current = null; // the trial in the drawer
selected.push((id) => { current = id; });

/** Text for plotly, which reads a few tags. */
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
const unitOf = (o) => (o.unit === "fraction" ? "%" : o.unit);
const title = (o) => plain(o.label + (unitOf(o) ? ` (${unitOf(o)})` : "") + (o.predicted ? ", predicted" : ""));
const at = (o, i) => {
  const v = o.column[i];
  return typeof v === "number" ? v * o.scale : v;
};
const isNumeric = (o) => o.column.every((v) => v == null || typeof v === "number");
