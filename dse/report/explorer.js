// The explorer: any two quantities against each other, a third as colour.
"use strict";

// cividis (Nunez, Anderton and Renslow, PLoS ONE 13(7), 2018), without the end that is lost on the page
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
function fillSelect(select, chosen) {
  for (const group of ["Objectives", "Predicted", "Knobs", "Order"]) {
    const options = OPTIONS.filter((o) => o.group === group);
    if (!options.length) continue;
    const box = el("optgroup", { label: group });
    for (const o of options) box.append(el("option", { value: o.key }, o.label));
    select.append(box);
  }
  if (byKey(chosen)) select.value = chosen;
}

function range(values, log) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) [low, high] = [Math.log10(low), Math.log10(high)];
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low - pad, high + pad];
}

/** Which way is better for an axis: 1 up, -1 down, 0 unknown. */
function sense(key) {
  const direction = DATA.directions[key] || { accuracy: "maximize", throughput_fps: "maximize" }[key];
  if (key.startsWith("knob:") || key === "trial") return 0;
  return direction === "maximize" ? 1 : -1;
}

/** The front of the chosen pair, as steps through designs of the front. */
function steps(x, y) {
  const [sx, sy] = [sense(x.key), sense(y.key)];
  if (!sx || !sy || x.key === y.key) return [];
  const points = TRIALS.id.map((id, i) => ({ id, x: at(x, i), y: at(y, i) }))
    .filter((p) => onFront.has(p.id) && p.x != null && p.y != null)
    .sort((a, b) => sx * (b.x - a.x) || sy * (b.y - a.y));
  const line = [];
  for (const p of points) {
    if (!line.length || sy * (p.y - line[line.length - 1].y) > 0) line.push(p);
  }
  return line;
}

/** Shading of what a constraint forbids, where it lies inside the plot. */
function forbidden(option, axis, log, [low, high]) {
  const shapes = [], notes = [];
  for (const c of DATA.constraints.filter((k) => k.key === option.key)) {
    const limit = c.limit * option.scale;
    const place = log ? Math.log10(limit) : limit;
    if (!(place > low && place < high)) continue;
    const open = (log ? (v) => 10 ** v : (v) => v)(c.op === "<=" ? high : low);
    const across = axis === "x" ? "y" : "x";
    const frame = { [`${across}ref`]: "paper", [`${across}0`]: 0, [`${across}1`]: 1, layer: "below" };
    shapes.push({ type: "rect", ...frame, [`${axis}0`]: limit, [`${axis}1`]: open, line: { width: 0 }, fillcolor: colour("--limit"), opacity: 0.09 });
    shapes.push({ type: "line", ...frame, [`${axis}0`]: limit, [`${axis}1`]: limit, line: { color: colour("--limit"), width: 1.5, dash: "dot" } });
    const common = { text: plain(c.text), showarrow: false, font: { color: colour("--limit"), size: 11 } };
    notes.push(axis === "x"
      ? { ...common, x: place, y: 1, yref: "paper", xanchor: c.op === "<=" ? "right" : "left", yanchor: "bottom" }
      : { ...common, y: place, x: 1, xref: "paper", xanchor: "right", yanchor: c.op === "<=" ? "bottom" : "top" });
  }
  return { shapes, notes };
}

/** The intervals of predicted values of some trials; undefined where the quantity has none. */
function errorBars(option, list) {
  const ends = list.map((i) => intervalOf(option.key, i));
  if (!ends.some(Boolean)) return undefined;
  const beyond = (end, sign) => ends.map((pair, n) => (pair ? sign * (pair[end] - option.column[list[n]]) : 0));
  return { type: "data", symmetric: false, array: beyond(1, 1), arrayminus: beyond(0, -1), color: colour("--ink"), thickness: 1.2, width: 4 };
}

function hover(i, x, y, c) {
  const lines = [`<b>trial ${TRIALS.id[i]}</b> ${TRIALS.state[i]}, ${TRIALS.stage[i]}`];
  const shown = [...new Set([x, y, c, ...DATA.objectives.map(byKey)])];
  for (const o of shown) {
    const v = at(o, i);
    const built = (DATA.reported[o.key] || [])[i];
    if (v != null) lines.push(`${plain(o.label)}: ${plain(short(v))} ${unitOf(o)}${built == null ? "" : `, synthesised ${short(built)}`}`);
  }
  if (TRIALS.note[i]) lines.push(plain(TRIALS.note[i].slice(0, 90)));
  return lines.join("<br>");
}

/** A colour per trial, and the scale beside the plot as a trace without points. */
function colouring(option, rows) {
  const scale = isDark() ? CIVIDIS.slice(3) : CIVIDIS.slice(0, 9);
  const known = rows.map((i) => at(option, i)).filter((v) => v != null);
  if (!isNumeric(option) || !known.length) return { of: (list) => list.map(() => colour("--accent")), bar: null };
  const low = Math.min(...known), high = Math.max(...known);
  const parts = scale.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  const pick = (v) => {
    if (v == null) return colour("--soft");
    const place = ((v - low) / (high - low || 1)) * (parts.length - 1);
    const k = Math.min(Math.floor(place), parts.length - 2);
    return `rgb(${parts[k].map((a, n) => Math.round(a + (parts[k + 1][n] - a) * (place - k)))})`;
  };
  const bar = { type: "scatter", mode: "markers", x: [null], y: [null], hoverinfo: "skip", showlegend: false,
    marker: { color: [low], cmin: low, cmax: high, colorscale: scale.map((v, i) => [i / (scale.length - 1), v]), showscale: true,
      colorbar: { title: { text: title(option), side: "right" }, thickness: 12, outlinewidth: 0 } } };
  return { of: (list) => list.map((i) => pick(at(option, i))), bar: innerWidth > 700 ? bar : null };
}

/** The opacity of a trial's point. */
const strength = (i) => (chosen[i] ? 1 : 0.12);

const MOST = 5000, BARRED = 60; // points drawn; selected points up to which their intervals are
let drawn = 0; // times
function drawExplorer() {
  const [x, y, c] = ["x", "y", "c"].map((a) => byKey($(`axis-${a}`).value));
  const logX = isNumeric(x) && $("log-x").checked, logY = isNumeric(y) && $("log-y").checked;
  const fits = (v, log) => v != null && !(log && v <= 0);
  const rows = TRIALS.id.map((_, i) => i).filter((i) => fits(at(x, i), logX) && fits(at(y, i), logY));
  const groups = {
    bad: rows.filter((i) => !["feasible", "passed over"].includes(TRIALS.state[i]) && $("show-infeasible").checked),
    rest: rows.filter((i) => TRIALS.state[i] === "feasible" && !onFront.has(TRIALS.id[i])),
    front: rows.filter((i) => onFront.has(TRIALS.id[i])),
  };
  // more points than a browser draws well: all of the front, and of the others every so many
  const step = Math.max(1, Math.ceil((groups.bad.length + groups.rest.length) / (MOST - groups.front.length)));
  for (const name of ["bad", "rest"]) groups[name] = groups[name].filter((_, k) => k % step === 0);
  const shade = colouring(c, [...groups.rest, ...groups.front]);
  const points = (list, name, marker) => ({
    type: "scatter", mode: "markers", name, showlegend: false, x: list.map((i) => at(x, i)), y: list.map((i) => at(y, i)),
    customdata: list.map((i) => TRIALS.id[i]), text: list.map((i) => hover(i, x, y, c)), hovertemplate: "%{text}<extra></extra>",
    marker: { opacity: isSelecting() ? list.map(strength) : 1, ...marker },
  });
  const shape = (i) => (isSynthesised(i) ? "star" : TRIALS.stage[i] === "full training" ? "diamond" : "circle");
  const symbols = (list, open) => list.map((i) => shape(i) + (open ? "-open" : ""));
  const line = steps(x, y);
  const traces = [
    points(groups.bad, "infeasible", { symbol: "x-thin", size: 7, line: { width: 1.3, color: "#8b949e" } }),
    points(groups.rest, "feasible, not on the front", { color: shade.of(groups.rest), symbol: symbols(groups.rest, true), size: 8, line: { width: 1.6 } }),
    { type: "scatter", mode: "lines", name: "front of this pair", x: line.map((p) => p.x), y: line.map((p) => p.y), hoverinfo: "skip",
      line: { shape: sense(y.key) * sense(x.key) < 0 ? "hv" : "vh", color: colour("--soft"), width: 1.5 } },
    points(groups.front, "on the front", { color: shade.of(groups.front), symbol: symbols(groups.front, false), size: 11, line: { width: 1, color: colour("--ink") } }),
  ];
  const key = [["infeasible", groups.bad, { symbol: "x-thin", line: { width: 1.3, color: "#8b949e" } }],
    ["feasible, not on the front", groups.rest, { symbol: "circle-open", color: colour("--soft") }],
    ["on the front", groups.front, { symbol: "circle", color: colour("--soft") }],
    ["trained at full budget", symbols(rows, false).includes("diamond") ? rows : [], { symbol: "diamond", color: colour("--soft") }],
    ["synthesised", rows.filter(isSynthesised), { symbol: "star", color: colour("--soft") }]];
  for (const [name, list, marker] of key) {
    if (list.length) traces.push({ type: "scatter", mode: "markers", name, x: [null], y: [null], hoverinfo: "skip", marker: { size: 9, ...marker } });
  }
  if (shade.bar) traces.push(shade.bar);
  const lit = isSelecting() ? [...groups.rest, ...groups.front].filter((i) => chosen[i]) : [];
  if (lit.length && lit.length <= BARRED) {
    traces.push({ ...points(lit, "interval", { size: 1, opacity: 0 }), error_x: errorBars(x, lit), error_y: errorBars(y, lit), hoverinfo: "skip", hovertemplate: undefined });
  }
  const layout = {
    margin: { l: 62, r: 8, t: 46, b: 52 }, hovermode: "closest", dragmode: "zoom",
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 }, itemsizing: "constant" },
    xaxis: { title: { text: title(x) }, type: isNumeric(x) ? (logX ? "log" : "linear") : "category", categoryarray: levels(x), zeroline: false, automargin: true },
    yaxis: { title: { text: title(y) }, type: isNumeric(y) ? (logY ? "log" : "linear") : "category", categoryarray: levels(y), zeroline: false, automargin: true },
    shapes: [], annotations: [], selections: [],
    // zoom and tool stay as long as the axes do; the outline of a selection goes, for the axes show it
    uirevision: `${x.key} ${y.key} ${logX} ${logY}`, modebar: { uirevision: "kept" }, selectionrevision: (drawn += 1),
  };
  for (const [axis, option, log] of [["x", x, logX], ["y", y, logY]]) {
    if (!isNumeric(option) || !rows.length) continue;
    const span = range(rows.filter((i) => !groups.bad.length || TRIALS.state[i] === "feasible" || groups.bad.includes(i)).map((i) => at(option, i)), log);
    layout[`${axis}axis`].range = span;
    const { shapes, notes } = forbidden(option, axis, log, span);
    layout.shapes.push(...shapes);
    layout.annotations.push(...notes);
  }
  if (!Object.values(groups).some((g) => g.length)) {
    layout.annotations.push({ text: "No trial to show: choose other axes, or show infeasible ones", xref: "paper", yref: "paper",
      x: 0.5, y: 0.5, showarrow: false, font: { size: 13, color: colour("--ink") } });
  }
  layout.annotations.push(...labels(x, y, logX, logY, layout.yaxis.range));
  Plotly.react("plot", traces, dressedIn(layout, ["xaxis", "yaxis"]), { displaylogo: false, responsive: true, modeBarButtonsToAdd: ["select2d", "lasso2d"] });
  describe(groups, rows, step);
}

/** Show what is selected: by the opacity of points where nothing else changes, since drawing all anew takes long. */
function showSelected() {
  const plot = $("plot"), barred = (traces) => traces.some((t) => t.name === "interval");
  const lit = isSelecting() ? plot.data.filter((t) => t.customdata).flatMap((t) => (t.name === "infeasible" ? [] : t.customdata)).filter((id) => chosen[placeOf.get(id)]) : [];
  if ((lit.length && lit.length <= BARRED) || barred(plot.data) || (plot.layout.selections || []).length) { drawExplorer(); return; }
  for (const trace of plot.data.filter((t) => t.customdata)) trace.marker.opacity = trace.customdata.map((id) => strength(placeOf.get(id)));
  for (const node of plot.querySelectorAll(".scatterlayer path.point")) {
    const point = node.__data__; // what plotly draws it from
    if (point.data === undefined) continue;
    node.style.opacity = point.mo = strength(placeOf.get(point.data));
  }
}

/** Names beside the picked designs; designs picked twice carry both names. */
function labels(x, y, logX, logY, top) {
  const names = new Map();
  for (const [name, id] of Object.entries(DATA.picks)) names.set(id, [...(names.get(id) || []), name.toLowerCase()]);
  const roomy = innerWidth > 700;
  return [...names].slice(0, roomy ? 4 : 1).flatMap(([id, list], n) => {
    const i = TRIALS.id.indexOf(id);
    const [px, py] = [at(x, i), at(y, i)];
    if (typeof px !== "number" || typeof py !== "number" || (logX && px <= 0) || (logY && py <= 0)) return [];
    const place = logY ? Math.log10(py) : py;
    const high = place > top[1] - 0.15 * (top[1] - top[0]);
    return [{ x: logX ? Math.log10(px) : px, y: place, text: roomy ? list.join(", ") : list[0], showarrow: true, arrowhead: 0, arrowwidth: 1,
      arrowcolor: colour("--soft"), ax: n % 2 ? 46 : -46, ay: (28 + 10 * (n % 3)) * (high ? 1 : -1), font: { size: 11, color: colour("--ink") },
      bgcolor: colour("--paper"), borderpad: 2, opacity: 0.92 }];
  });
}

function describe(groups, rows, step) {
  const missing = TRIALS.id.length - rows.length;
  const s = (n) => (n === 1 ? "" : "s");
  const parts = [`${groups.front.length} design${s(groups.front.length)} on the front, ${groups.rest.length} other feasible one${s(groups.rest.length)}`];
  if (groups.bad.length) parts.push(`${groups.bad.length} infeasible`);
  if (missing) parts.push(`${missing} trial${s(missing)} ${missing === 1 ? "lacks" : "lack"} one of these numbers (rejected before training, or failed)`);
  if (step > 1) parts.push(`of those that are not on the front, one in ${step} is drawn and counted here`);
  $("plot-note").textContent = `${parts.join("; ")}.`;
}

// where nothing passed the constraints on hardware, nothing was trained: no trial has an accuracy
const known = (key) => byKey(key) && byKey(key).column.some((v) => v != null);
const usual = [...DATA.objectives, "lut", "throughput_fps", "latency_us"];
const [first, second, third] = [...new Set(usual)].filter((key) => known(key));
fillSelect($("axis-x"), second);
fillSelect($("axis-y"), first);
fillSelect($("axis-c"), third);
for (const a of ["x", "y"]) {
  const suggest = () => { const o = byKey($(`axis-${a}`).value); $(`log-${a}`).checked = o.log; };
  suggest();
  $(`axis-${a}`).addEventListener("change", suggest);
}
document.querySelectorAll("#explorer .controls select, #explorer .controls input").forEach((c) => c.addEventListener("change", drawExplorer));
drawExplorer();
$("plot").on("plotly_click", ({ event, points: [point] }) => (event.shiftKey ? pin : openDesign)(point.customdata));
$("plot").on("plotly_selected", (event) => {
  if (!event || !(event.range || event.lassoPoints)) return;
  if (event.lassoPoints) { drawAround(event.points.map((p) => p.customdata).filter((id) => id != null)); return; }
  // a box is a range on each of its axes, which the parallel axes then show; numbers of words are their places
  select(() => ["x", "y"].forEach((a) => brushes.set($(`axis-${a}`).value,
    [...event.range[a]].map(Number).sort((one, other) => one - other).map((v) => Number(v.toPrecision(6))))));
});
selecting.push(calmly(showSelected));
themed.push(drawExplorer);
addEventListener("beforeprint", () => Plotly.relayout("plot", { width: 680 }));
addEventListener("afterprint", () => Plotly.relayout("plot", { width: null, autosize: true }));

/** A figure made in Python, in the colours of the page. */
function drawFigure(id, figure) {
  const axes = Object.keys(figure.layout).filter((k) => k.includes("axis"));
  Plotly.newPlot(id, figure.data, dressedIn(figure.layout, axes), { displaylogo: false, responsive: true, displayModeBar: false });
  themed.push(() => Plotly.relayout(id, chrome(axes)));
}
for (const [name, figure] of Object.entries(DATA.figures)) drawFigure(`${name}-plot`, figure);
if (DATA.figures.trust) $("trust-plot").on("plotly_click", (event) => openDesign(event.points[0].customdata));
