// Drag a visit to another chair or time. It lands where the rules let it, and slides back with the reason where not.
// The same without a script, by keyboard or by thumb: the visit is a link to the form that this sends.
"use strict";

const STEP = 5, NEAR = 6, BACK = 240;
const board = document.getElementById("board"), refused = document.getElementById("refused");
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

function begin(event) {
  const visit = event.target.closest(".visit[data-seat]");
  if (!visit || event.button || event.pointerType === "touch") return;
  const lane = visit.closest(".lane");
  if (getComputedStyle(lane).gridTemplateRows === "none") return; // a phone shows a list
  drag = { visit, lane, x: event.clientX, y: event.clientY, at: Number(visit.dataset.at), width: slotWidth(lane), on: false };
}

function go(event) {
  if (!drag) return;
  const far = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > NEAR;
  if (!drag.on && far) {
    drag.on = held = true;
    drag.visit.classList.add("dragged");
    drag.tip = document.createElement("span");
    drag.tip.className = "drag-tip";
    drag.visit.append(drag.tip);
    say("");
  }
  if (!drag.on) return;
  const to = target(event);
  drag.visit.style.setProperty("--dx", `${to.steps * drag.width}px`);
  drag.visit.style.setProperty("--dy", `${to.lane.offsetTop - drag.lane.offsetTop}px`);
  drag.tip.textContent = label(to);
}

function rest(visit) {
  visit.style.setProperty("--dx", "0px");
  visit.style.setProperty("--dy", "0px");
  visit.querySelector(".drag-tip").remove();
  setTimeout(() => { visit.classList.remove("dragged"); held = false; }, BACK);
}

async function drop(event) {
  if (!drag || !drag.on) { drag = null; return; }
  const { visit, lane } = drag, to = target(event);
  const click = (each) => each.preventDefault();
  visit.addEventListener("click", click, { once: true });
  setTimeout(() => visit.removeEventListener("click", click), 0);
  drag = null;
  if (to.lane === lane && !to.steps) return rest(visit);
  const form = new FormData(document.getElementById("drag"));
  form.set("version", visit.dataset.version);
  form.set("chair", to.lane.dataset.chair);
  form.set("steps", to.steps);
  try {
    const answer = await fetch(visit.dataset.seat, { method: "POST", body: form, headers: { Accept: "text/plain" } });
    const words = await answer.text();
    if (answer.ok) { held = false; return await look(); }
    say(words);
  } catch (error) {
    say(refused.dataset.away);
  }
  rest(visit);
}

board.addEventListener("pointerdown", begin);
addEventListener("pointermove", go);
addEventListener("pointerup", drop);
addEventListener("keydown", (event) => { if (event.key === "Escape" && drag && drag.on) { rest(drag.visit); drag = null; } });
