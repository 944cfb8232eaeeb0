// The table of all trials: filter, sort, and files made in the browser.
"use strict";

const COLUMNS = [
  { key: "trial", label: "Trial", values: DATA.trials.id },
  { key: "state", label: "State", values: DATA.trials.id.map((id, i) => (onFront.has(id) ? "front" : DATA.trials.state[i])) },
  { key: "stage", label: "Stage", values: DATA.trials.stage },
  ...DATA.axes.map((a) => ({ key: a.key, label: a.label + (unitOf(a) ? ` (${unitOf(a)})` : ""), values: DATA.metrics[a.key], scale: a.scale })),
  ...Object.keys(DATA.reported).map((k) => ({ key: `${k}_synthesised`, label: `${byKey(k) ? byKey(k).label : k} synthesised`, values: DATA.reported[k] })),
  { key: "origin", label: "Origin", values: DATA.trials.origin },
  { key: "note", label: "Reason", values: DATA.trials.note },
].map((c) => ({ ...c, numeric: c.values.some((v) => typeof v === "number") }));
const COMPARE = /^\s*([a-z0-9_]+)\s*(<=|>=|<|>|=)\s*([\d.]+)\s*(%?)\s*$/i;
const PAGE = 300; // rows drawn at once; more on request
let order = DATA.trials.id.map((_, i) => i), limit = PAGE;

/** A test of a row: "lut<9000", "accuracy >= 95 %", or words that must all be there. */
function matcher(text) {
  const found = COMPARE.exec(text);
  const column = found && COLUMNS.find((c) => c.numeric
    && (c.key.toLowerCase() === found[1].toLowerCase() || c.key.split("_")[0] === found[1].toLowerCase()));
  if (column) {
    // in the unit of the column: accuracies are shown in percent
    const bound = Number(found[3]) / (column.scale || 1);
    const test = { "<": (v) => v < bound, "<=": (v) => v <= bound, ">": (v) => v > bound, ">=": (v) => v >= bound, "=": (v) => v === bound }[found[2]];
    return (i) => column.values[i] != null && test(column.values[i]);
  }
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (i) => {
    const line = COLUMNS.map((c) => c.values[i]).join(" ").toLowerCase();
    return words.every((w) => line.includes(w));
  };
}

function visible() {
  const matches = matcher($("filter").value);
  return order.filter((i) => chosen[i] && matches(i));
}

function fillTrials() {
  const rows = visible();
  const body = rows.slice(0, limit).map((i) => el("tr", {}, ...COLUMNS.map((c, k) => {
    const value = c.values[i];
    if (k === 0) return el("td", { class: "n" }, el("a", { class: "open", href: `#design-${value}` }, String(value)));
    if (typeof value === "number") return el("td", { class: "n" }, short(value * (c.scale || 1)));
    if (c.numeric) return el("td", { class: "n" }, "-");
    return el("td", value ? { title: value } : {}, value == null || value === "" ? "-" : String(value).split("\n").pop());
  })));
  if (rows.length > limit) {
    const more = el("button", { type: "button" }, `Show all ${rows.length}`);
    more.addEventListener("click", () => { limit = Infinity; fillTrials(); });
    body.push(el("tr", {}, el("td", { colspan: COLUMNS.length }, more)));
  }
  $("all-trials").tBodies[0].replaceChildren(...body);
  $("filter-count").textContent = `${rows.length} of ${order.length}`;
}

function save(name, type, text) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** One object per visible trial, with all metrics and knobs; accuracies as fractions. */
function exported() {
  return visible().map((i) => ({
    trial: DATA.trials.id[i], digest: DATA.trials.digest[i], state: DATA.trials.state[i], on_front: onFront.has(DATA.trials.id[i]),
    stage: DATA.trials.stage[i], origin: DATA.trials.origin[i], seconds: DATA.trials.seconds[i],
    ...Object.fromEntries(DATA.axes.map((a) => [a.key, DATA.metrics[a.key][i]])),
    ...Object.fromEntries(Object.entries(DATA.reported).map(([k, column]) => [`${k}_synthesised`, column[i]])),
    ...Object.fromEntries(DATA.knobs.map((k) => [k, DATA.values[k][i]])),
    note: DATA.trials.note[i],
  }));
}

function csv(rows) {
  // a leading = + - @ would be a formula in a spreadsheet
  const cell = (v) => {
    const text = v == null ? "" : typeof v === "string" && /^[=+\-@]/.test(v) ? `'${v}` : String(v);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const names = Object.keys(rows[0] || {});
  return [names, ...rows.map((r) => names.map((n) => r[n]))].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

$("all-trials").append(
  el("caption", { class: "sr" }, "All trials"),
  el("thead", {}, el("tr", {}, ...COLUMNS.map((c) => el("th", c.numeric ? { class: "n", scope: "col" } : { scope: "col" }, c.label)))),
  el("tbody", {}));
sortable($("all-trials"), (column, descending) => {
  const values = COLUMNS[column].values;
  order.sort((a, b) => {
    const known = (values[a] == null) - (values[b] == null); // unknown last, both ways
    return known || compare(values[a], values[b]) * (descending ? -1 : 1);
  });
  fillTrials();
});
$("filter").addEventListener("input", fillTrials);
$("save-csv").addEventListener("click", () => save(`${DATA.study}.csv`, "text/csv", csv(exported())));
$("save-json").addEventListener("click", () => save(`${DATA.study}.json`, "application/json", JSON.stringify(exported(), null, 1)));
selecting.push(calmly(fillTrials));
fillTrials();

// what the address asks for, last: everything listens now
const asked = location.hash.slice(1).split("&");
restoreSelection(asked);
asked.filter((part) => /^pin=\d+$/.test(part) && TRIALS.id.includes(Number(part.slice(4)))).forEach((part) => pin(Number(part.slice(4))));
asked.filter((part) => part.startsWith("design-")).forEach((part) => openDesign(Number(part.slice("design-".length))));
