// The table of lanes: sorted, filtered, and of its rows only a page at a time.
const ROWS = 50, SYMBOLS = { solved: "✓", unsolved: "○", diverged: "✕", ended: "●", training: "…", waiting: "·" };
const table = { sort: null, descending: false, text: "", status: "all", page: 0 };
const roster = page.roster, count = roster.values[0].length;
const format = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 10 });
const plain = new Set(["seed", "run", ...page.swept]); // shown without separators

function shown(column, row) {
  const value = roster.values[column][row], name = roster.columns[column];
  if (value === null) return "–";
  if (name === "status") return page.status[value];
  return typeof value === "number" && !plain.has(name) ? format.format(value) : String(value);
}

const texts = Array.from({ length: count }, (_, row) =>
  roster.columns.map((_, column) => shown(column, row)).join(" ").toLowerCase());

function chosenRows() {
  const words = table.text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [];
  for (let row = 0; row < count; row++) {
    if (table.status !== "all" && page.status[roster.values[0][row]] !== table.status) continue;
    if (words.every((word) => texts[row].includes(word))) rows.push(row);
  }
  if (table.sort === null) return rows;
  const values = roster.values[table.sort], sign = table.descending ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  return rows.sort((a, b) => { // what is not known comes last, either way
    if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null) || a - b;
    return sign * compare(values[a], values[b]) || a - b;
  });
}

function cell(column, row) {
  const td = document.createElement("td");
  td.textContent = shown(column, row);
  if (roster.columns[column] === "status") {
    td.className = td.textContent;
    td.textContent = `${SYMBOLS[td.className]} ${td.className}`;
  }
  return td;
}

function fillTable() {
  const rows = chosenRows(), pages = Math.max(1, Math.ceil(rows.length / ROWS));
  table.page = Math.min(table.page, pages - 1);
  const first = table.page * ROWS, visible = rows.slice(first, first + ROWS);
  document.querySelector("#lanes tbody").replaceChildren(...visible.map((row) => {
    const tr = document.createElement("tr");
    tr.append(...roster.columns.map((_, column) => cell(column, row)));
    return tr;
  }));
  document.querySelectorAll("#lanes thead th").forEach((th, column) => {
    th.setAttribute("aria-sort", column !== table.sort ? "none" : table.descending ? "descending" : "ascending");
  });
  const range = rows.length ? `${first + 1}–${first + visible.length} of ${format.format(rows.length)}` : "no lane";
  document.getElementById("lanes-count").textContent = rows.length < count ? `${range} (${format.format(count)} in all)` : range;
  document.getElementById("lanes-back").disabled = table.page === 0;
  document.getElementById("lanes-next").disabled = table.page >= pages - 1;
}

function change(what) {
  Object.assign(table, { page: 0 }, what);
  fillTable();
}

function makeTable() {
  document.querySelector("#lanes thead tr").append(...roster.columns.map((name, column) => {
    const th = document.createElement("th"), button = document.createElement("button");
    th.scope = "col";
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => change({ sort: column, descending: table.sort === column && !table.descending }));
    th.append(button);
    return th;
  }));
  const present = page.status.filter((_, index) => roster.values[0].includes(index));
  document.getElementById("lanes-status").append(...["all", ...present].map((name) => {
    const label = document.createElement("label"), input = document.createElement("input"), span = document.createElement("span");
    Object.assign(input, { type: "radio", name: "lanes-state", value: name, checked: name === table.status });
    input.addEventListener("change", () => change({ status: name }));
    span.textContent = name === "all" ? "all" : `${SYMBOLS[name]} ${name}`;
    label.append(input, span);
    return label;
  }));
  const text = document.getElementById("lanes-text");
  text.value = table.text;
  text.addEventListener("input", () => change({ text: text.value }));
  document.getElementById("lanes-back").addEventListener("click", () => change({ page: table.page - 1 }));
  document.getElementById("lanes-next").addEventListener("click", () => change({ page: table.page + 1 }));
  fillTable();
}
