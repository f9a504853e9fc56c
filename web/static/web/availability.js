// Choose half hours of one day, by drawing or by keys, to fill the forms beside the week. Without a script one types.
"use strict";

const week = document.querySelector(".week"), painted = document.getElementById("painted");
const cells = [...week.querySelectorAll("tbody td")];
let anchor = null, drawing = false;

const columnOf = (cell) => cells.filter((each) => each.dataset.day === cell.dataset.day);

// The half hours of the anchor's day from the anchor to this row, in order.
function span(cell) {
  const column = columnOf(anchor), rows = [column.indexOf(anchor), cell.parentElement.sectionRowIndex].sort((a, b) => a - b);
  return column.slice(rows[0], rows[1] + 1);
}

function mark(cell) {
  const chosen = new Set(span(cell));
  for (const each of cells) each.classList.toggle("chosen", chosen.has(each));
  return [...chosen];
}

function set(name, value) {
  for (const field of document.querySelectorAll(`.card [name="${name}"]`)) field.value = value;
}

function spoken(wall) {
  const at = new Date(`1970-01-01T${wall}:00Z`);
  return at.toLocaleTimeString(document.documentElement.lang, { hour: "numeric", minute: "2-digit", timeZone: "UTC" }).toLowerCase();
}

// Both forms are filled: whoever draws decides afterwards what it is to be.
function fill(cell) {
  const chosen = mark(cell), day = anchor.dataset.day, from = chosen[0].dataset.from, until = chosen[chosen.length - 1].dataset.to;
  const last = until === "00:00" ? new Date(Date.parse(day) + 86400000).toISOString().slice(0, 10) : day;
  set("weekday", String((new Date(day).getUTCDay() + 6) % 7));
  set("start_time", from);
  set("end_time", until);
  set("first_day", day);
  set("effective_from", day);
  set("from_time", from);
  set("last_day", last);
  set("until_time", until);
  const said = new Date(day).toLocaleDateString(document.documentElement.lang, { weekday: "long", day: "numeric", month: "short", timeZone: "UTC" });
  painted.querySelector("span").textContent = `${week.dataset.paint}: ${said}, ${spoken(from)} \u2013 ${spoken(until)}`;
  painted.hidden = false;
  cell.scrollIntoView({ block: "nearest" });
}

function go(cell) {
  for (const each of cells) each.tabIndex = each === cell ? 0 : -1;
  cell.focus();
}

week.addEventListener("pointerdown", (event) => {
  const cell = event.target.closest("tbody td");
  if (!cell || event.button || event.pointerType === "touch") return;
  event.preventDefault();
  anchor = cell;
  drawing = true;
  go(cell);
  mark(cell);
});
week.addEventListener("pointerover", (event) => {
  const cell = event.target.closest("tbody td");
  if (drawing && cell) mark(cell);
});
addEventListener("pointerup", (event) => {
  if (!drawing) return;
  drawing = false;
  const chosen = week.querySelectorAll(".chosen"), below = chosen[chosen.length - 1];
  fill(below === anchor ? chosen[0] : below);
});
// A thumb scrolls, so it does not draw: it taps the first half hour, then the last.
week.addEventListener("click", (event) => {
  const cell = event.target.closest("tbody td");
  if (!cell || event.pointerType !== "touch") return;
  if (!anchor || anchor.dataset.day !== cell.dataset.day || week.querySelectorAll(".chosen").length > 1) anchor = cell;
  fill(cell);
});
week.addEventListener("keydown", (event) => {
  const cell = event.target.closest("tbody td"), step = { ArrowUp: -7, ArrowDown: 7, ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!cell) return;
  if (step) {
    const next = cells[cells.indexOf(cell) + step];
    event.preventDefault();
    if (!next || (event.shiftKey && Math.abs(step) === 1)) return;
    if (!event.shiftKey) anchor = next;
    else anchor = anchor || cell;
    go(next);
    mark(next);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    anchor = anchor || cell;
    fill(cell);
  }
});

week.setAttribute("role", "grid");
week.classList.add("paints");
for (const each of cells) each.tabIndex = each === cells[0] ? 0 : -1;
document.getElementById("how").hidden = false;
