// Watching: the page asks whether the folder has changed, and loads itself again, where it was.
const KEPT = "jax_ac-watched", ASK_SECONDS = 2;

function keep() {
  const inputs = [...document.querySelectorAll(".controls input[name]")].map((input) => [input.name, input.value, input.checked]);
  sessionStorage.setItem(KEPT, JSON.stringify({ table, inputs, scroll: scrollY }));
}

function kept() {
  const said = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  return said ? JSON.parse(said) : null;
}

function restoreInputs(inputs) {
  for (const input of document.querySelectorAll(".controls input[name]")) {
    const before = inputs.find(([name, value]) => name === input.name && value === input.value);
    if (before && !input.name.startsWith("lanes-")) input.checked = before[2];
  }
}

async function ask(line, changed) {
  try {
    const answer = await fetch("/", { method: "HEAD", cache: "no-store" });
    line.classList.remove("lost");
    line.textContent = `● watching, last change ${changed}`;
    if (answer.ok && answer.headers.get("ETag") !== page.watch.tag) {
      keep();
      location.reload();
      return;
    }
  } catch {
    line.classList.add("lost");
    line.textContent = `○ no longer watching; last change ${changed}`;
  }
  setTimeout(ask, ASK_SECONDS * 1000, line, changed);
}

async function begin() {
  const before = page.watch ? kept() : null;
  if (before) {
    history.scrollRestoration = "manual";
    Object.assign(table, before.table);
    restoreInputs(before.inputs);
  }
  nameTheme();
  makeTable();
  const start = performance.now();
  await drawAll();
  document.documentElement.dataset.drawn = String(Math.round(performance.now() - start));
  if (before) scrollTo({ top: before.scroll, behavior: "instant" });
  if (!page.watch) return;
  const line = document.getElementById("watch");
  line.hidden = false;
  const changed = new Date(page.watch.changed * 1000).toLocaleTimeString("en-GB");
  line.textContent = `● watching, last change ${changed}`;
  setTimeout(ask, ASK_SECONDS * 1000, line, changed);
}

begin();
