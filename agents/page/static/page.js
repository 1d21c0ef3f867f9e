"use strict";
// The page is whole without this: here it is kept fresh, ages go on, and the timeline can be walked and zoomed.

const live = document.getElementById("live");
const article = () => document.querySelector("[data-incident]");

// --- ages ---

const words = JSON.parse(document.body.dataset.words);
const text = (code, fields) => words[code].replace(/\{(\w+)\}/g, (_, name) => fields[name]);

const UNITS = [["days", 86400], ["hours", 3600], ["minutes", 60], ["seconds", 1]];

// The two largest units, as pipeline/render/words.py says it.
function duration(seconds) {
  let left = Math.max(0, Math.round(seconds));
  const parts = UNITS.map(([unit, length]) => {
    const n = Math.floor(left / length);
    left -= n * length;
    return { unit, n };
  });
  const first = Math.max(0, parts.findIndex((part, at) => part.n || at === parts.length - 1));
  const shown = [parts[first], ...parts.slice(first + 1, first + 2).filter((part) => part.n)];
  return shown.map(({ unit, n }) => text(`duration.${unit}`, { n })).join(" ");
}

let loaded = Date.now();
setInterval(() => {
  for (const one of document.querySelectorAll("[data-since]")) {
    const passed = Number(one.dataset.asof) - Number(one.dataset.since) + (Date.now() - loaded) / 1000;
    one.textContent = text("page.for", { duration: duration(passed) });
  }
}, 1000);

// --- news ---

let waiting = false;
let last = "";

async function refresh() {
  if (waiting) return;
  waiting = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    say(text("page.fresh", { time: new Date().toISOString().slice(11, 19) }));
  } catch {
    say(words["page.silent_server"]);
  } finally {
    waiting = false;
  }
}

function swap(fresh) {
  const main = document.getElementById("main");
  const next = fresh.getElementById("main");
  if (next.innerHTML === last) return;
  last = next.innerHTML;
  const open = [...main.querySelectorAll("details")].map((one) => one.open);
  const known = new Set([...main.querySelectorAll(".row.incident")].map((one) => one.id));
  const focused = place(document.activeElement, main);
  main.replaceChildren(...document.importNode(next, true).childNodes);
  document.title = fresh.title;
  loaded = Date.now();
  main.querySelectorAll("details").forEach((one, n) => { one.open = open[n] || false; });
  for (const one of main.querySelectorAll(".row.incident")) if (known.size && !known.has(one.id)) one.classList.add("fresh");
  if (focused) main.querySelectorAll(focused.selector)[focused.number]?.focus({ preventScroll: true });
  timeline();
}

function place(element, main) {
  if (!element || element === main || !main.contains(element)) return null;
  const href = element.getAttribute("href");
  const selector = href ? `a[href="${CSS.escape(href)}"]` : element.tagName.toLowerCase();
  return { selector, number: [...main.querySelectorAll(selector)].indexOf(element) };
}

function say(text) {
  live.hidden = false;
  live.textContent = text;
}

function concerns(news) {
  if (new URLSearchParams(location.search).has("before")) return false;
  if (article()) return news.incidents.includes(article().dataset.incident);
  const list = { "/": "incidents", "/noise": "decisions", "/dead-letters": "dead_letters", "/sources": "sources" }[location.pathname];
  return news.lists.includes(list);
}

let due = 0;
const source = new EventSource("/api/v1/events");
source.addEventListener("open", () => { if (live.textContent !== words["page.live"]) { if (live.textContent) refresh(); say(words["page.live"]); } });
source.addEventListener("error", () => say(words["page.lost"]));
source.addEventListener("news", (event) => {
  if (!concerns(JSON.parse(event.data)) || due) return;
  due = setTimeout(() => { due = 0; refresh(); }, 300);
});

// --- the timeline: arrow keys walk the marks, the buttons and + - 0 zoom ---

let range = null;

function timeline() {
  const box = document.getElementById("timeline");
  if (!box) return;
  const all = [Number(box.dataset.start), Number(box.dataset.end)];
  range = range ?? all;
  const marks = [...box.querySelectorAll(".lane a")];
  box.querySelector(".tools").hidden = false;
  document.getElementById("told").textContent = words["page.choose"];
  for (const mark of marks) {
    const tell = () => { document.getElementById("told").textContent = mark.getAttribute("aria-label"); };
    mark.addEventListener("focus", tell);
    mark.addEventListener("pointerenter", tell);
    mark.querySelector("title")?.remove();
  }
  const draw = () => {
    const span = range[1] - range[0];
    for (const mark of marks) mark.querySelector("circle").setAttribute("cx", `${((Number(mark.dataset.at) - range[0]) / span) * 100}%`);
    for (const graph of box.querySelectorAll(".graph")) graph.setAttribute("viewBox", `${units(range[0])} 0 ${(span / (all[1] - all[0])) * 1000} 100`);
    ticks(box.querySelector(".ticks"));
    hair();
  };
  const units = (at) => ((at - all[0]) / (all[1] - all[0])) * 1000;
  const hair = curves(box);
  const zoom = (how) => {
    const [middle, half] = [(range[0] + range[1]) / 2, (range[1] - range[0]) / 2];
    if (how === "all") range = all;
    if (how === "in" && half > 1) range = [middle - half / 2, middle + half / 2];
    if (how === "out") range = [Math.max(all[0], middle - half * 2), Math.min(all[1], middle + half * 2)];
    if (how === "left" || how === "right") {
      const by = how === "left" ? Math.max(-half, all[0] - range[0]) : Math.min(half, all[1] - range[1]);
      range = [range[0] + by, range[1] + by];
    }
    draw();
  };
  box.querySelector(".tools").addEventListener("click", (event) => {
    const how = event.target.dataset.zoom;
    if (how) zoom(how);
  });
  box.addEventListener("keydown", (event) => {
    const lane = marks.filter((one) => one.parentNode === document.activeElement.parentNode);
    const number = lane.indexOf(document.activeElement);
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by && number >= 0) {
      lane[Math.min(lane.length - 1, Math.max(0, number + by))].focus();
      event.preventDefault();
    }
    const how = { "+": "in", "-": "out", 0: "all" }[event.key];
    if (how) zoom(how);
  });
  if (range !== all) draw();
}

// The curves are read at an instant: with the slider, which a screen reader tells of, or with the pointer.
let instant = null;

function curves(box) {
  const plots = box.querySelector(".plots");
  if (!plots) return () => {};
  const [first, step] = [Number(plots.dataset.first), Number(plots.dataset.step)];
  const times = plots.dataset.times.split("|");
  const told = [...plots.querySelectorAll("[data-texts]")].map((one) => [one.dataset.label, one.dataset.texts.split("|")]);
  const [slider, line] = [box.querySelector("#instant"), plots.querySelector(".hair")];
  box.querySelector(".reader").hidden = false;
  const draw = () => {
    if (instant === null) return;
    const place = (first + (instant + 0.5) * step - range[0]) / (range[1] - range[0]);
    line.hidden = place < 0 || place > 1;
    line.style.left = `${place * 100}%`;
  };
  const read = (number) => {
    instant = Math.max(0, Math.min(times.length - 1, number));
    const known = told.filter(([, texts]) => texts[instant]).map(([label, texts]) => `${label} ${texts[instant]}`);
    const reading = `${times[instant]} UTC · ${known.join(" · ") || "–"}`;
    slider.value = instant;
    slider.setAttribute("aria-valuetext", reading);
    box.querySelector("#reading").textContent = reading;
    draw();
  };
  slider.addEventListener("input", () => read(Number(slider.value)));
  plots.addEventListener("pointermove", (event) => {
    const frame = plots.getBoundingClientRect();
    const at = range[0] + ((event.clientX - frame.left) / frame.width) * (range[1] - range[0]);
    read(Math.floor((at - first) / step));
  });
  if (instant === null) slider.setAttribute("aria-valuetext", `${times[0]} UTC`);
  else read(instant);
  return draw;
}

function ticks(svg) {
  const span = range[1] - range[0];
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200].find((one) => span / one <= 6) ?? 86400;
  const made = [];
  for (let at = Math.ceil(range[0] / step) * step; at < range[1]; at += step) {
    const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
    const place = ((at - range[0]) / span) * 100;
    text.setAttribute("x", `${place}%`);
    text.setAttribute("y", "15");
    text.setAttribute("text-anchor", place < 8 ? "start" : place > 92 ? "end" : "middle");
    text.textContent = new Date(at * 1000).toISOString().slice(11, 19);
    made.push(text);
  }
  svg.replaceChildren(...made);
}

timeline();
