// Drag a visit to another chair or time. It lands where the rules let it, and slides back with the reason where not.
// By keyboard: M picks a visit up, arrows move it, Enter lands it, Escape leaves it. The same without a script or by thumb:
// the visit is a link to the form that this sends.
"use strict";

const STEP = 5, NEAR = 6, BACK = 240, HOUR = 12;
const board = document.getElementById("board"), refused = document.getElementById("refused");
const told = document.getElementById("told");
let drag = null;

function slotWidth(lane) {
  const name = lane.querySelector(".name").offsetWidth;
  return (lane.clientWidth - name) / (12 * lane.closest(".board").dataset.hours);
}

// Where the visit would land: a lane, and how many steps later than it stands.
function target(event) {
  const lanes = [...board.querySelectorAll(".lane")];
  const lane = lanes.find((each) => { const box = each.getBoundingClientRect(); return event.clientY >= box.top && event.clientY < box.bottom; });
  const steps = Math.round((event.clientX - drag.x) / drag.width);
  return { lane: lane || drag.lane, steps: Math.max(steps, -drag.at) };
}

function say(words) {
  refused.querySelector("p").textContent = words;
  refused.hidden = !words;
}

function label(to) {
  const at = new Date(new Date(drag.lane.closest(".board").dataset.since).getTime() + (drag.at + to.steps) * STEP * 60000);
  const zone = drag.lane.closest(".board").dataset.zone;
  const time = at.toLocaleTimeString(document.documentElement.lang, { hour: "numeric", minute: "2-digit", timeZone: zone }).toLowerCase();
  return `${time} \u00b7 ${to.lane.querySelector(".name").firstChild.textContent}`;
}

function hold(visit, from) {
  const lane = visit.closest(".lane");
  if (getComputedStyle(lane).gridTemplateRows === "none") return; // a phone shows a list
  drag = { visit, lane, at: Number(visit.dataset.at), width: slotWidth(lane), on: false, ...from };
}

function begin(event) {
  const visit = event.target.closest(".visit[data-seat]");
  if (drag || !visit || event.button || event.pointerType === "touch") return;
  hold(visit, { x: event.clientX, y: event.clientY });
}

function lift() {
  drag.on = held = true;
  drag.visit.classList.add("dragged");
  drag.tip = document.createElement("span");
  drag.tip.className = "drag-tip";
  drag.visit.append(drag.tip);
  say("");
}

function put(to) {
  drag.visit.style.setProperty("--dx", `${to.steps * drag.width}px`);
  drag.visit.style.setProperty("--dy", `${to.lane.offsetTop - drag.lane.offsetTop}px`);
  drag.tip.textContent = label(to);
}

function go(event) {
  if (!drag || drag.to) return;
  if (!drag.on && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > NEAR) lift();
  if (drag.on) put(target(event));
}

function rest(visit) {
  visit.style.setProperty("--dx", "0px");
  visit.style.setProperty("--dy", "0px");
  visit.querySelector(".drag-tip").remove();
  setTimeout(() => { visit.classList.remove("dragged"); held = Boolean(drag && drag.on); }, BACK);
}

function drop(event) {
  if (!drag || drag.to) return;
  if (!drag.on) { drag = null; return; }
  const { visit } = drag;
  const click = (each) => each.preventDefault();
  visit.addEventListener("click", click, { once: true });
  setTimeout(() => visit.removeEventListener("click", click), 0);
  land(target(event));
}

async function land(to) {
  const { visit, lane } = drag;
  drag = null;
  if (to.lane === lane && !to.steps) return rest(visit);
  const form = new FormData(document.getElementById("drag"));
  form.set("version", visit.dataset.version);
  form.set("chair", to.lane.dataset.chair);
  form.set("steps", to.steps);
  try {
    const answer = await fetch(visit.dataset.seat, { method: "POST", body: form, headers: { Accept: "text/plain" } });
    const words = await answer.text();
    if (answer.ok) { held = false; told.textContent = board.dataset.moved; return await look(); }
    say(words);
  } catch (error) {
    say(refused.dataset.away);
  }
  rest(visit);
}

function leave() {
  const { visit } = drag;
  drag = null;
  rest(visit);
  told.textContent = board.dataset.left;
}

// Where an arrow leads from where the visit is now; null for every other key.
function beside(event) {
  const lanes = [...board.querySelectorAll(".lane[data-chair]")], here = lanes.indexOf(drag.to.lane);
  const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key], down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (across) return { lane: drag.to.lane, steps: Math.max(drag.to.steps + across * (event.shiftKey ? HOUR : 1), -drag.at) };
  return down ? { lane: lanes[here + down] || drag.to.lane, steps: drag.to.steps } : null;
}

function pickUp(visit) {
  if (!visit.dataset.seat) return say(board.dataset.fixed);
  hold(visit, {});
  if (!drag) return;
  drag.to = { lane: drag.lane, steps: 0 };
  lift();
  put(drag.to);
  told.textContent = board.dataset.picked;
}

function key(event) {
  if (event.key === "Escape" && drag && drag.on) return leave();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const visit = event.target.closest(".visit");
  if (!drag && visit && event.key.toLowerCase() === "m") { event.preventDefault(); return pickUp(visit); }
  if (!drag || !drag.to || visit !== drag.visit) return;
  const to = beside(event);
  if (to) { drag.to = to; put(to); told.textContent = label(to); }
  if (to || event.key === "Enter") event.preventDefault();
  if (event.key === "Enter") land(drag.to);
}

board.addEventListener("pointerdown", begin);
addEventListener("pointermove", go);
addEventListener("pointerup", drop);
addEventListener("keydown", key);
board.addEventListener("focusout", () => { if (drag && drag.to) leave(); });
