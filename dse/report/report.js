// Page behaviour: theme, copying, sorting of static tables, the drawer with a design.
"use strict";

document.documentElement.classList.add("js");
const DATA = JSON.parse(document.getElementById("data").textContent);

/** A column as a list: one letter stands for each of few different values. */
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const unpacked = (column) => (Array.isArray(column) ? column : [...column.at].map((letter) => column.of[LETTERS.indexOf(letter)]));
for (const table of ["trials", "reported", "metrics", "values", "low", "high"]) {
  for (const name of Object.keys(DATA[table])) DATA[table][name] = unpacked(DATA[table][name]);
}
const $ = (id) => document.getElementById(id);

/** Make an element; children are nodes or text, never markup. */
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Digits behind the point -> the format; making one takes longer than a thousand uses. */
const formats = new Map();
function formatOf(digits) {
  if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return formats.get(digits);
}

/** Three significant digits with thousands separators. */
function short(value) {
  if (typeof value !== "number") return value == null ? "" : String(value);
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(2).split("e")[1]);
  const digits = Number.isInteger(value) ? 0 : Math.max(0, 2 - exponent);
  return formatOf(digits).format(Number(value.toPrecision(3)));
}

// --- theme -----------------------------------------------------------------------------------

const themed = []; // called after a change of theme
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
function showTheme() {
  $("theme").textContent = isDark() ? "Light" : "Dark";
  $("theme").setAttribute("aria-pressed", String(isDark()));
  themed.forEach((f) => f());
}
$("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

/** Layout that gives a plot the colours of the page; `axes` are names such as "yaxis2". */
function chrome(axes) {
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    "font.color": colour("--ink"), "font.family": getComputedStyle(document.body).fontFamily, "font.size": 12,
    "hoverlabel.bgcolor": colour("--panel"), "hoverlabel.bordercolor": colour("--line"),
    "hoverlabel.font.color": colour("--ink"),
  };
  for (const axis of axes) {
    layout[`${axis}.gridcolor`] = colour("--line");
    layout[`${axis}.linecolor`] = colour("--soft");
  }
  return layout;
}

/** A layout in the colours of the page from the start: to change them later draws the plot anew. */
function dressedIn(layout, axes) {
  for (const [path, value] of Object.entries(chrome(axes))) {
    const names = path.split("."), last = names.pop();
    names.reduce((part, name) => (part[name] ??= {}), layout)[last] = value;
  }
  return layout;
}

// --- copying ---------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  getSelection().selectAllChildren(code);
  // the clipboard needs a secure page; from a file the old command still works
  const done = navigator.clipboard
    ? navigator.clipboard.writeText(code.textContent).catch(() => document.execCommand("copy"))
    : Promise.resolve(document.execCommand("copy"));
  done.then(() => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); });
});

// --- sorting ---------------------------------------------------------------------------------

/** Turn the headers of a table into buttons; `sort(column, descending)` reorders it. */
function sortable(table, sort) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = el("button", { type: "button" }, ...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(column, descending);
    });
  });
}

function compare(a, b) {
  if (a === b) return 0;
  if (a == null || a === "") return 1; // unknown last
  if (b == null || b === "") return -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function cellValue(row, column) {
  const text = row.cells[column].textContent.trim();
  if (text === "-") return null;
  return /^-?[\d,.]+( |$)/.test(text) ? parseFloat(text.replace(/,/g, "")) : text;
}

function sortRows(table) {
  sortable(table, (column, descending) => {
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(cellValue(a, column), cellValue(b, column)) * (descending ? -1 : 1));
    table.tBodies[0].append(...rows);
  });
}
document.querySelectorAll("#explorer table.sortable, #detail > div:not(.all-cards) table.sortable").forEach(sortRows);

// --- the drawer ------------------------------------------------------------------------------

const selected = []; // called with a trial id, or null
/** Run something slow once what has changed is on the screen. */
const afterPaint = (f) => requestAnimationFrame(() => setTimeout(f));
let opener = null;

const dressed = []; // called with a card before it is shown, and the place of its trial
const hashParts = [() => ($("drawer").hidden ? [] : [`design-${opened}`])]; // what the address says, in order
let opened = null; // the trial in the drawer
function writeHash() {
  const text = hashParts.flatMap((part) => part()).join("&");
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}

/** A copy of the design card of a trial, without ids; null where it has none. */
function cardOf(id) {
  const plain = document.querySelector(`#detail .card[data-trial="${id}"]`);
  if (plain) return plain.cloneNode(true);
  if (!DATA.cards.texts[id]) return null;
  const template = document.createElement("template"); // markup of the page's own maker, escaped there
  template.innerHTML = DATA.cards.texts[id].map((place) => DATA.cards.pieces[place]).join("");
  return template.content.firstElementChild;
}

/** Show a trial in the drawer: its design card, or its totals and knobs where it has none. */
function openDesign(id) {
  const index = DATA.trials.id.indexOf(id);
  if (index < 0) return;
  const card = cardOf(id) || totals(index);
  if ($("drawer").hidden) opener = document.activeElement;
  $("drawer-body").replaceChildren(card);
  card.querySelectorAll("thead th > button").forEach((b) => b.replaceWith(...b.childNodes));
  dressed.forEach((f) => f(card, index));
  card.querySelectorAll("table.sortable").forEach(sortRows);
  $("drawer").setAttribute("aria-label", `Trial ${id}`);
  $("drawer").hidden = false;
  $("drawer").scrollTop = 0;
  $("drawer").focus();
  opened = id;
  writeHash();
  selected.forEach((f) => f(id));
}

function closeDesign() {
  if ($("drawer").hidden) return;
  $("drawer").hidden = true;
  $("drawer-body").replaceChildren();
  writeHash();
  if (opener && opener.isConnected) opener.focus({ preventScroll: true });
  selected.forEach((f) => f(null));
}

/** Ends of the interval of a predicted resource; null where there are none. */
function intervalOf(key, i) {
  const low = (DATA.low[key] || [])[i];
  return low == null ? null : [low, DATA.high[key][i]];
}

/** What a synthesis tool counted, for a trial that was synthesised. */
function built(key, i) {
  const value = (DATA.reported[key] || [])[i];
  return value == null ? "" : `; ${short(value)} synthesised`;
}

/** The card of a trial that is not on the front: what the columns know about it. */
function totals(i) {
  const rows = DATA.axes.filter((a) => DATA.metrics[a.key][i] != null).map((a) => {
    const range = intervalOf(a.key, i);
    const interval = range && range[1] > range[0] ? ` (${short(range[0])} to ${short(range[1])})` : "";
    return el("tr", {},
      el("th", { scope: "row" }, a.label + (a.unit === "fraction" ? "" : a.unit ? ` (${a.unit})` : "")),
      el("td", { class: "n" }, short(DATA.metrics[a.key][i] * a.scale) + interval),
      el("td", { class: "dim" }, a.predicted ? `predicted${built(a.key, i)}` : `measured, ${DATA.trials.stage[i]}`));
  });
  const knobs = DATA.knobs.filter((k) => DATA.values[k][i] != null).map((k) =>
    el("tr", {}, el("th", { scope: "row" }, k), el("td", { class: "n" }, short(DATA.values[k][i]))));
  const note = DATA.trials.note[i];
  const table = (caption, body) =>
    el("div", {}, el("table", {}, el("caption", {}, caption), el("tbody", {}, ...body)));
  return el("article", { class: "card", "data-trial": DATA.trials.id[i] },
    el("h3", {}, `Trial ${DATA.trials.id[i]} `, el("span", { class: "tag plain" },
      DATA.trials.state[i] === "feasible" ? "feasible, not on the front" : DATA.trials.state[i]),
      el("code", { class: "digest" }, DATA.trials.digest[i])),
    note ? el("p", { class: "empty" },
      `${{ failed: "Failed", "passed over": "Passed over" }[DATA.trials.state[i]] || "Does not hold"}: ${note}`) : "",
    el("div", { class: "pair" }, table("Numbers (90 % interval)", rows), table("Knobs", knobs)),
    el("p", { class: "note" }, `Layer tables are kept for designs on the front. All of it: dse inspect ${DATA.study} ${DATA.trials.id[i]}`));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.open");
  if (!link) return;
  event.preventDefault();
  openDesign(Number(link.getAttribute("href").slice("#design-".length)));
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeDesign(); });
$("drawer-close").addEventListener("click", closeDesign);

// --- print -----------------------------------------------------------------------------------

let screenTheme = null; // paper is white
addEventListener("beforeprint", () => {
  screenTheme = document.documentElement.dataset.theme || "";
  document.documentElement.dataset.theme = "light";
  showTheme();
});
addEventListener("afterprint", () => {
  if (screenTheme) document.documentElement.dataset.theme = screenTheme;
  else delete document.documentElement.dataset.theme;
  showTheme();
});
showTheme();
