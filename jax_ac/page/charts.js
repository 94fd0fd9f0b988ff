// Charts: figures as they were made in Python, in the colours of the theme, with their switches.
"use strict";
const page = JSON.parse(document.getElementById("data").textContent);

let hidden = new Set();

const inDark = { // lighter, and the two blues further apart
  "#0072B2": "#3F8FE0", "rgba(0,114,178,": "rgba(63,143,224,", "#D55E00": "#F0803C", "rgba(213,94,0,": "rgba(240,128,60,",
  "#009E73": "#2FBF94", "rgba(0,158,115,": "rgba(47,191,148,", "#56B4E9": "#A6DBFA", "rgba(86,180,233,": "rgba(166,219,250,",
};

function isDark() { return document.documentElement.dataset.theme === "dark"; }

function inked(color) { // a colour of the light theme, in the theme that is shown
  const light = isDark() && Object.keys(inDark).find((name) => color?.startsWith(name));
  return light ? inDark[light] + color.slice(light.length) : color;
}

function inkedAll(part) { // a trace, its line or its marker, in the colours of the theme
  const copy = { ...part };
  for (const name of ["color", "fillcolor"]) if (typeof copy[name] === "string") copy[name] = inked(copy[name]);
  for (const name of ["line", "marker"]) if (copy[name]) copy[name] = inkedAll(copy[name]);
  return copy;
}

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function chosenOf(id) { // what the switches of a chart say
  const value = (name) => document.querySelector(`input[name="${id}-${name}"]:checked`)?.value;
  return { axis: value("axis"), part: value("part"), seeds: document.querySelector(`input[name="${id}-seeds"]`)?.checked };
}

function isWanted(trace, chosen) {
  if (trace.meta === "seed") return chosen.seeds;
  return trace.meta === chosen.part || trace.meta === `${chosen.part} band`;
}

function tracesOf(chart, chosen) {
  const traces = chart.figure.data, along = chart.switch[chosen.axis] || [];
  const wanted = (trace) => !hidden.has(trace.legendgroup) && (!chosen.axis || isWanted(trace, chosen));
  return traces.map((trace, i) => ({ ...inkedAll(trace), ...along[i] })).filter(wanted);
}

function layoutOf(chart, chosen) {
  const layout = { ...chart.figure.layout }, muted = colour("--muted"), line = colour("--line");
  layout.font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: muted };
  layout.hoverlabel = { bgcolor: colour("--raised"), bordercolor: line, font: { color: colour("--ink"), size: 13 } };
  for (const axis of ["xaxis", "yaxis"]) layout[axis] = { ...layout[axis], gridcolor: line, gridwidth: 1 };
  if (chosen.axis) layout.xaxis.title = { ...layout.xaxis.title, text: chosen.axis };
  return layout;
}

function draw(id) {
  const chart = page.charts[id], chosen = chosenOf(id);
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  return Plotly.react(id, tracesOf(chart, chosen), layoutOf(chart, chosen), config);
}

function hideCohorts() { // those that were clicked away
  hidden = new Set([...document.querySelectorAll('input[name="cohort"]:not(:checked)')].map((input) => input.value));
}

function drawAll() {
  hideCohorts();
  return Promise.all(Object.keys(page.charts).map(draw));
}

function nameTheme() {
  document.getElementById("theme").textContent = isDark() ? "Light theme" : "Dark theme";
  for (const dot of document.querySelectorAll("[data-color]")) dot.style.background = inked(dot.dataset.color);
}

document.getElementById("theme").addEventListener("click", () => {
  const chosen = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  try { localStorage.setItem("jax_ac-theme", chosen); } catch { /* then it is forgotten */ }
  nameTheme();
  drawAll();
});

document.addEventListener("change", (event) => {
  if (event.target.name === "cohort") drawAll();
  const id = event.target.name?.replace(/-(axis|part|seeds)$/, "");
  if (id && page.charts[id]) draw(id);
});
