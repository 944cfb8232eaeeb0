// The recommended design under weights of the objectives that the reader sets.
"use strict";

const TIE = 1e-9; // scaled sums closer than this are equal, as in the search
const sliders = [...document.querySelectorAll("#weights input")];
const recommended = DATA.picks.Recommended;
const heroAtFirst = [...($("hero-choice") || document).childNodes], sideAtFirst = [...($("hero-side") || document).childNodes];
const SAID = [["lut", "smaller", "larger", false], ["throughput_fps", "faster", "slower", true]]; // key, if better, if worse, more is better

/** Objectives of the front scaled so that 0 is its best and 1 its worst value: one list per objective. */
function scaledFront() {
  return DATA.objectives.map((key) => {
    const sign = DATA.directions[key] === "maximize" ? -1 : 1, forth = byKey(key).log ? Math.log : (v) => v;
    const values = DATA.front.map((id) => sign * forth(DATA.metrics[key][TRIALS.id.indexOf(id)]));
    const low = Math.min(...values), span = Math.max(...values) - low;
    return values.map((v) => (span > 0 ? (v - low) / span : 0));
  });
}

/** The design of the front with the least weighted sum; of equals the one that uses least of the board, then the oldest. */
function kneeFor(weights) {
  if (weights.every((w) => w === weights[0])) return recommended;
  const columns = scaledFront();
  const sums = DATA.front.map((_, n) => columns.reduce((sum, column, k) => sum + weights[k] * column[n], 0));
  const least = Math.min(...sums);
  const used = (id) => (DATA.metrics.utilisation || [])[TRIALS.id.indexOf(id)] || 0;
  return DATA.front.filter((_, n) => sums[n] <= least + TIE).sort((a, b) => used(a) - used(b) || a - b)[0];
}

/** Two designs compared: "1.3x smaller, 0.9 points less accurate on validation". */
function comparedWith(i, j) {
  const parts = SAID.flatMap(([key, better, worse, more]) => {
    const [a, b] = [DATA.metrics[key][i], DATA.metrics[key][j]], ratio = more ? a / b : b / a, factor = Math.max(ratio, 1 / ratio);
    return factor >= 1.05 ? [`${factor < 9.95 ? factor.toFixed(1) : short(Number(factor.toPrecision(2)))}x ${ratio > 1 ? better : worse}`] : [];
  });
  const [a, b] = [i, j].map((k) => (DATA.metrics.accuracy || [])[k]), points = 100 * (a - b);
  if (a != null && b != null && Math.abs(points) >= 0.05) parts.push(`${Math.abs(points).toFixed(1)} points ${points > 0 ? "more" : "less"} accurate on validation`);
  return parts.join(", ") || "no different";
}

/** Show the design that these weights recommend instead of the one of the report. */
function weigh() {
  const id = kneeFor(sliders.map((s) => Number(s.value)));
  sliders.forEach((s) => { s.nextElementSibling.textContent = s.value; });
  $("weights-equal").hidden = sliders.every((s) => s.value === "1");
  const other = id !== recommended, i = TRIALS.id.indexOf(id), j = TRIALS.id.indexOf(recommended);
  $("weights-note").textContent = other ? `With these weights trial ${id} comes first.` : `With these weights it is trial ${id}, the one recommended.`;
  $("hero-choice").replaceChildren(...heroAtFirst);
  $("hero-side").replaceChildren(...sideAtFirst);
  delete DATA.picks["Your weights"];
  if (other) {
    DATA.picks["Your weights"] = id;
    const card = cardOf(id);
    $("hero-choice").replaceChildren(
      el("h3", {}, el("a", { class: "open", href: `#design-${id}` }, `Trial ${id}`), " ", el("span", { class: "tag" }, "by your weights")),
      card.querySelector("dl.numbers"),
      el("p", {}, `It is ${comparedWith(i, j)} than trial ${recommended}, which equal weights recommend.`),
      card.querySelector("p.command"));
    $("hero-side").replaceChildren(card.querySelector("table.constraints"));
  }
  drawExplorer();
}

if (sliders.length) {
  sliders.forEach((s) => s.addEventListener("input", () => { weigh(); writeHash(); }));
  $("weights-equal").addEventListener("click", () => { sliders.forEach((s) => { s.value = "1"; }); weigh(); writeHash(); sliders[0].focus(); });
  const told = location.hash.slice(1).split("&").find((part) => part.startsWith("weights="));
  if (told) {
    told.slice("weights=".length).split(",").slice(0, sliders.length).forEach((w, k) => { if (Number.isFinite(Number(w))) sliders[k].value = w; });
    weigh();
  }
  hashParts.push(() => (sliders.every((s) => s.value === "1") ? [] : [`weights=${sliders.map((s) => s.value).join(",")}`]));
}
