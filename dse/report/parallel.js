// Parallel axes: every trial a line; a drag along an axis selects, a drag of its title moves it.
"use strict";

const TOP = 46, BOTTOM = 22, GRAB = 15; // pixels: room for titles and lower ends, half the width of an axis to grab
const SVG = "http://www.w3.org/2000/svg";
const varied = (o) => o && new Set(o.column.filter((v) => v != null)).size > 1;
const parallelAxes = [...new Set([...DATA.objectives, "utilisation", ...DATA.important.slice(0, 8).map((k) => `knob:${k}`)])]
  .filter((key) => varied(byKey(key))).slice(0, innerWidth > 700 ? 12 : 4);
let scales = []; // per axis: {option, x, place(value) -> y, value(y)}
let backdrop = null; // all lines, grey
let thick = () => null; // place of a trial -> its colour, where its line is drawn in one
const BRISK = 400; // lines that are drawn often enough for an eye to follow

/** Where an axis stands and how its values map to pixels. */
function axisScale(key, x, height) {
  const option = byKey(key), values = scalar(option).filter((v) => v != null), words = levels(option);
  const wide = (key.startsWith("knob:") ? 100 : 5) * Math.min(...values);
  const log = !words.length && wide > 0 && (option.log || Math.max(...values) > wide);
  const forth = log ? Math.log10 : (v) => v, back = log ? (v) => 10 ** v : (v) => v;
  const low = forth(Math.min(...values)), span = forth(Math.max(...values)) - low || 1, room = height - TOP - BOTTOM;
  return { key, option, x, words, values: scalar(option), low: back(low), high: back(low + span),
    place: (v) => TOP + room * (1 - (forth(v) - low) / span), value: (y) => back(low + span * (1 - (y - TOP) / room)) };
}

function pathOf(context, i) {
  let pen = false;
  for (const s of scales) {
    const v = s.values[i];
    if (v == null) { pen = false; continue; } // what was not trained has no accuracy
    if (pen) context.lineTo(s.x, s.place(v)); else context.moveTo(s.x, s.place(v));
    pen = true;
  }
}

const shownRows = () => TRIALS.id.map((_, i) => i).filter((i) => TRIALS.state[i] === "feasible"
  || (TRIALS.state[i] === "infeasible" && $("show-infeasible").checked));

/** Draw the lines; those that are selected again in colour, those on the front last.
 *
 * While a selection moves, at most `BRISK` of those that are not on the front are, and all of them once it rests.
 */
function drawLines(moving = false) {
  const canvas = $("parallel").querySelector("canvas"), context = canvas.getContext("2d"), rows = shownRows();
  const ratio = canvas.width / canvas.clientWidth || 1;
  if (!backdrop) {
    backdrop = el("canvas", { width: canvas.width, height: canvas.height });
    const grey = backdrop.getContext("2d");
    grey.scale(ratio, ratio);
    grey.strokeStyle = colour("--soft");
    grey.globalAlpha = 0.16;
    grey.beginPath();
    rows.forEach((i) => pathOf(grey, i));
    grey.stroke();
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.globalAlpha = isSelecting() ? 0.45 : 1;
  context.drawImage(backdrop, 0, 0);
  context.scale(ratio, ratio);
  const lit = rows.filter((i) => chosen[i] && (TRIALS.state[i] === "feasible" || isSelecting()));
  const best = lit.filter((i) => onFront.has(TRIALS.id[i])), others = lit.filter((i) => !onFront.has(TRIALS.id[i]));
  const step = moving ? Math.ceil(others.length / BRISK) || 1 : 1;
  const { of } = colouring(byKey($("axis-c").value), lit);
  const draw = (list, width, alpha) => {
    const colours = of(list);
    context.lineWidth = width;
    context.globalAlpha = alpha;
    list.forEach((i, k) => {
      context.strokeStyle = colours[k];
      context.beginPath();
      pathOf(context, i);
      context.stroke();
    });
  };
  draw(others.filter((_, k) => k % step === 0), 1, isSelecting() ? 0.9 : 0.35);
  draw(best, 1.8, 0.9);
  thick = (i) => (lit.includes(i) ? of([i])[0] : null);
  markLine();
}

/** Draw the line of the open trial thicker, above the others and without them. */
function markLine() {
  const front = $("parallel").querySelector("svg"), i = placeOf.get(current);
  front.querySelectorAll(".current").forEach((node) => node.remove());
  const stroke = i === undefined ? null : thick(i);
  if (stroke === null) return;
  const steps = [], pen = { moveTo: (...to) => steps.push(`M${to}`), lineTo: (...to) => steps.push(`L${to}`) };
  pathOf(pen, i);
  front.prepend(svg("path", { d: steps.join(""), stroke, class: "current" }));
}

function svg(name, attributes, text = "") {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

/** One axis: line, ends or words, brushed range, and the strip to drag on. */
function axisNodes(s, height) {
  const nodes = [svg("line", { x1: s.x, x2: s.x, y1: TOP, y2: height - BOTTOM, class: "axis" })];
  const label = (text, y) => nodes.push(svg("text", { x: s.x + 4, y: y + 3.5 }, text));
  if (s.words.length) s.words.slice(0, 12).forEach((word, k) => label(word, s.place(k)));
  else { label(short(s.high), TOP - 8); label(short(s.low), height - BOTTOM + 12); }
  const span = brushes.get(s.key);
  if (span) {
    const [y, end] = [s.place(Math.min(span[1], s.high)), s.place(Math.max(span[0], s.low))];
    nodes.push(svg("rect", { x: s.x - 6, width: 12, y, height: Math.max(end - y, 3), class: "brushed" }));
  }
  const strip = svg("rect", { x: s.x - GRAB, width: 2 * GRAB, y: TOP - 6, height: height - TOP - BOTTOM + 12, class: "strip" });
  strip.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const from = event.offsetY, box = $("parallel").getBoundingClientRect();
    follow((e) => {
      const to = e.clientY - box.top;
      if (Math.abs(to - from) < 4) { brush(s.key, null); return; }
      const ends = [s.value(Math.max(from, to)), s.value(Math.min(from, to))];
      // words and equal values are hit within half a step
      brush(s.key, s.words.length ? [Math.ceil(ends[0] - 0.3), Math.floor(ends[1] + 0.3)] : ends.map((v) => Number(v.toPrecision(6))));
    });
  });
  return [...nodes, strip];
}

/** Follow the pointer until it is let go. */
function follow(move) {
  addEventListener("pointermove", move);
  addEventListener("pointerup", (e) => { removeEventListener("pointermove", move); move(e); }, { once: true });
}

/** The title of an axis: drag or arrow keys move it, Delete removes it. */
function axisTitle(s, k, step) {
  const button = el("button", { type: "button", class: "axis-title", style: `left:${s.x - step / 2}px;width:${step - 4}px`,
    title: `${s.option.label}: drag or arrow keys to move, Delete to remove` }, s.option.label);
  const put = (to) => {
    if (to < 0 || to >= parallelAxes.length || to === parallelAxes.indexOf(s.key)) return;
    parallelAxes.splice(parallelAxes.indexOf(s.key), 1);
    parallelAxes.splice(to, 0, s.key);
    drawParallel();
    $("parallel").querySelectorAll(".axis-title")[to].focus();
  };
  button.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") put(k - 1);
    if (event.key === "ArrowRight") put(k + 1);
    if (event.key !== "Delete" || parallelAxes.length < 3) return;
    parallelAxes.splice(k, 1);
    brush(s.key, null);
    drawParallel();
  });
  button.addEventListener("pointerdown", () => {
    const left = $("parallel").getBoundingClientRect().left;
    follow((e) => put(Math.max(0, Math.min(parallelAxes.length - 1, Math.floor((e.clientX - left) / step)))));
  });
  return button;
}

function drawParallel() {
  const box = $("parallel"), width = box.clientWidth, height = box.clientHeight, ratio = Math.min(devicePixelRatio || 1, 2);
  if (!width || parallelAxes.length < 2) return;
  const step = width / parallelAxes.length;
  scales = parallelAxes.map((key, k) => axisScale(key, (k + 0.5) * step, height));
  backdrop = null;
  const front = svg("svg", { width, height, "aria-hidden": "true" });
  scales.forEach((s) => front.append(...axisNodes(s, height)));
  box.replaceChildren(el("canvas", { width: Math.round(width * ratio), height: Math.round(height * ratio), "aria-hidden": "true" }), front,
    ...scales.map((s, k) => axisTitle(s, k, step)));
  const rest = OPTIONS.filter((o) => varied(o) && !parallelAxes.includes(o.key));
  $("add-axis").replaceChildren(el("option", { value: "" }, "add"), ...rest.map((o) => el("option", { value: o.key }, o.label)));
  drawLines();
}

let waiting = 0; // one drawing per frame, however fast the pointer
selecting.push(() => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    if (!scales.length) return;
    const height = $("parallel").clientHeight;
    $("parallel").querySelector("svg").replaceChildren(...scales.flatMap((s) => axisNodes(s, height)));
    drawLines(true);
  });
});
selecting.push(calmly(() => { if (scales.length) drawLines(); }));
$("add-axis").addEventListener("change", (event) => { parallelAxes.push(event.target.value); drawParallel(); });
["show-infeasible", "axis-c"].forEach((id) => $(id).addEventListener("change", drawParallel));
selected.push(() => { if (scales.length) markLine(); });
themed.push(drawParallel);
addEventListener("resize", calmly(drawParallel));
drawParallel();
