// The board reads itself anew: every 1.5 seconds a question that is answered "nothing new" from one number.
"use strict";

const EVERY = 1500, STALE = 15000;
const place = document.getElementById("board");
let tag = null, fresh = Date.now();
// Whoever drags a visit holds the board still: what changes meanwhile is shown when they let go.
let held = false;

function show(html) {
  const had = document.activeElement && place.contains(document.activeElement) ? document.activeElement.id : "";
  const rail = place.querySelector(".rail"), down = rail ? rail.scrollTop : 0;
  const before = place.querySelector(".count").textContent;
  place.innerHTML = html;
  if (rail) place.querySelector(".rail").scrollTop = down;
  if (had && document.getElementById(had)) document.getElementById(had).focus({ preventScroll: true });
  const after = place.querySelector(".count").textContent;
  if (after !== before) document.getElementById("told").textContent = place.dataset.told.replace("%s", after);
}

async function look() {
  if (held) return next();
  try {
    const answer = await fetch(place.dataset.now, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.redirected || answer.status === 403 || answer.status === 404) return location.reload();
    if (answer.ok) {
      const html = await answer.text();
      if (held) return next();
      show(html);
      tag = answer.headers.get("ETag");
    }
    if (answer.ok || answer.status === 304) fresh = Date.now();
  } catch (error) {
    // The network is away; the page says so below, and asks again.
  }
  document.getElementById("stale").hidden = Date.now() - fresh < STALE;
  next();
}

function next() {
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", look, { once: true }) : look()), EVERY);
}

next();
