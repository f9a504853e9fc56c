// Small help for pages that work without it. Times are shown in the clinic's zone; where the reader's own clock
// differs at that instant, the reader's time is put beside it.
"use strict";

function beside(time) {
  const at = new Date(time.dateTime);
  const language = document.documentElement.lang;
  const clock = (zone) => at.toLocaleTimeString(language, { hour: "numeric", minute: "2-digit", timeZone: zone }).toLowerCase();
  const day = (zone) => at.toLocaleDateString(language, { weekday: "short", timeZone: zone });
  const theirs = time.dataset.zone;
  if (clock() === clock(theirs) && day() === day(theirs)) return;
  const own = document.createElement("span");
  own.className = "own-time";
  const when = day() === day(theirs) ? clock() : `${day()} ${clock()}`;
  own.textContent = ` (${document.documentElement.dataset.yourTime.replace("%s", when)})`;
  time.after(own);
}

document.querySelectorAll("time[data-zone]").forEach(beside);

// How long something is still kept for the reader, beside the time that stands there anyway.
function countDown(place) {
  const left = Math.ceil((new Date(place.dataset.until) - Date.now()) / 60000);
  const words = left > 0 ? place.dataset.left.replace("%s", left) : place.dataset.over;
  place.textContent = ` (${words})`;
  if (left > 0) setTimeout(countDown, 5000, place);
}

document.querySelectorAll("[data-until]").forEach(countDown);

// On a phone the header's entries run out of sight: the one that is open is brought into it.
function bringIntoSight(here) {
  const tabs = here.parentElement;
  tabs.scrollLeft = here.offsetLeft - (tabs.clientWidth - here.offsetWidth) / 2;
}

document.querySelectorAll(".tabs [aria-current]").forEach(bringIntoSight);
