// Keys, tick-all boxes, and what a live part must not forget when it is swapped.
"use strict";

const typing = (target) => target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
// A Greek keyboard's letters count as those on the same keys.
const SAME_KEY = { α: "a", ε: "e", ρ: "r", σ: "s", θ: "u", ξ: "j", κ: "k", χ: "x", ν: "n", "ς": "w" };
const shown = (element) => element.offsetParent !== null && !element.disabled;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing(event.target)) return event.target.blur();
  if (event.key === "Enter" && event.target.dataset.enter !== undefined && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    return event.target.form.requestSubmit();
  }
  if (typing(event.target)) return;
  if (event.key === "?") return showKeys();
  const key = SAME_KEY[event.key] || event.key;
  if (rowKey(key)) return event.preventDefault();
  const wanted = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key && shown(one));
  if (!wanted) return;
  event.preventDefault();
  if (wanted.matches("input:not([type=checkbox]):not([type=radio]), textarea, select")) wanted.focus();
  else wanted.click();
});

function showKeys() {
  const list = document.getElementById("key-list");
  list.replaceChildren();
  const tell = (letter, text) => {
    const row = document.createElement("div");
    const key = document.createElement("dt");
    const name = document.createElement("dd");
    key.textContent = letter;
    name.textContent = text;
    row.append(key, name);
    list.append(row);
  };
  for (const one of document.querySelectorAll("[data-key]")) {
    if (shown(one)) tell(one.dataset.key, one.dataset.keyName || one.getAttribute("aria-label") || one.textContent.trim() || one.name);
  }
  if (rows().length) for (const [letter, text] of [["j", "next row"], ["k", "row before"], ["x", "tick the row"], ["e", "open the row"]]) tell(letter, text);
  document.getElementById("keys").showModal();
}

// Rows of a list: j and k go through them, x ticks one, e opens it. The row stays where it was when
// the page comes again, so that the next one has moved up to it.
const rows = () => [...document.querySelectorAll("tbody[data-rows] > tr")];
const currentRow = () => document.querySelector("tbody[data-rows] > tr[aria-current]");
const rowPlace = `row ${location.pathname}?${[...new URLSearchParams(location.search)].filter(([name, value]) => value && name !== "why").sort()}`;

function rowKey(key) {
  const all = rows();
  const here = currentRow();
  if (!all.length || !["j", "k", "x", "e"].includes(key)) return false;
  if (key === "x" && here) here.querySelector("input[type=checkbox]")?.click();
  else if (key === "e" && here) here.querySelector("[data-open]")?.click();
  else if (key === "j" || key === "k") {
    const at = here ? all.indexOf(here) + (key === "j" ? 1 : -1) : 0;
    markRow(all[Math.max(0, Math.min(all.length - 1, at))]);
  } else return false;
  return true;
}
function markRow(row) {
  currentRow()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.scrollIntoView({ block: "nearest" });
  sessionStorage.setItem(rowPlace, rows().indexOf(row));
}
const place = sessionStorage.getItem(rowPlace);
if (place !== null && rows().length) markRow(rows()[Math.min(place, rows().length - 1)]);
// What a form does to ticked rows it does to the current one where none is ticked.
document.addEventListener("submit", (event) => {
  const name = event.target.dataset.rowForm;
  if (!name || event.target.querySelector(`tbody input[name="${CSS.escape(name)}"]:checked, input[name=everything]:checked`)) return;
  const box = currentRow()?.querySelector(`input[name="${CSS.escape(name)}"]`);
  if (box) box.checked = true;
});

document.addEventListener("change", (event) => {
  const name = event.target.dataset.checkAll;
  if (name) for (const box of document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`)) box.checked = event.target.checked;
  if (event.target.dataset.submit !== undefined) event.target.form.requestSubmit();
});

// A part that is swapped keeps what a person has opened and scrolled, and waits while he types in it.
const kept = new Map();
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  const busy = document.activeElement;
  const held = part.contains(busy) && (typing(busy) || busy.matches("input[type=checkbox]"));
  if ((held || document.hidden) && event.detail.requestConfig.triggeringEvent?.type !== "submit" && part.id === "part") event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", () => {
  for (const one of document.querySelectorAll("details[data-keep]")) kept.set(one.dataset.keep, one.open);
  kept.set("focus", document.activeElement?.getAttribute("aria-label"));
});
document.addEventListener("htmx:afterSwap", () => {
  for (const one of document.querySelectorAll("details[data-keep]")) if (kept.has(one.dataset.keep)) one.open = kept.get(one.dataset.keep);
  const label = kept.get("focus");
  if (label && document.activeElement === document.body) document.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
  followLogs();
});
function followLogs() {
  for (const log of document.querySelectorAll("pre.log")) log.scrollTop = log.scrollHeight;
}
followLogs();
