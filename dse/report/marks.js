// Rings around the open and the pinned design: drawn over the plot, since drawing all points anew takes long.
"use strict";

/** Pixels of a value on an axis of the plot; null where it is not in sight. */
function pixels(axis, option, value) {
  if (value == null || (axis.type === "log" && value <= 0)) return null;
  const place = axis.d2p(value);
  return Number.isFinite(place) && place >= 0 && place <= axis._length ? axis._offset + place : null;
}

/** The ring of one trial, with the intervals of its predicted values. */
function ring(i, kind, [x, y]) {
  const full = $("plot")._fullLayout, axes = [full.xaxis, full.yaxis];
  const centre = [[axes[0], x], [axes[1], y]].map(([axis, option]) => pixels(axis, option, at(option, i)));
  if (centre.includes(null)) return [];
  const nodes = [svg("circle", { cx: centre[0], cy: centre[1], r: kind === "pinned" ? 12 : 9.5, class: kind })];
  [x, y].forEach((option, k) => {
    const ends = kind === "open" ? intervalOf(option.key, i) : null;
    if (!ends) return;
    const [from, to] = ends.map((v) => {
      const place = axes[k].d2p(axes[k].type === "log" ? Math.max(v, 1e-9) : v);
      return axes[k]._offset + Math.min(Math.max(place, 0), axes[k]._length);
    });
    nodes.push(svg("line", k ? { x1: centre[0], x2: centre[0], y1: from, y2: to, class: kind } : { x1: from, x2: to, y1: centre[1], y2: centre[1], class: kind }));
  });
  return nodes;
}

const rings = svg("svg", { class: "rings", "aria-hidden": "true" });
function drawRings() {
  if (!$("plot")._fullLayout) return;
  const chosenAxes = ["x", "y"].map((a) => byKey($(`axis-${a}`).value));
  const marked = [[current, "open"], [pinned, "pinned"]].map(([id, kind]) => [TRIALS.id.indexOf(id), kind]);
  rings.replaceChildren(...marked.flatMap(([i, kind]) => (i < 0 ? [] : ring(i, kind, chosenAxes))));
  $("plot").append(rings);
}

$("plot").on("plotly_afterplot", drawRings);
selected.push(drawRings);
