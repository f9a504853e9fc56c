// Says when the network is away and keeps what was typed, and when an answer takes longer than a second. A form that is on its
// way is not sent twice. Pages work without it.
"use strict";

const offline = document.getElementById("offline"), working = document.getElementById("working");
const sent = new WeakSet();

function network() {
  offline.hidden = navigator.onLine;
}

addEventListener("online", network);
addEventListener("offline", network);
network();

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (!navigator.onLine || sent.has(form)) {
    event.preventDefault();
    if (!navigator.onLine) offline.scrollIntoView({ block: "nearest" });
    return;
  }
  if ("download" in form.dataset) return;
  sent.add(form);
  setTimeout(() => {
    if (!sent.has(form)) return;
    working.querySelector("p").textContent = form.dataset.working || working.dataset.usual;
    working.hidden = false;
  }, 1000);
  addEventListener("pageshow", () => {
    sent.delete(form);
    working.hidden = true;
  }, { once: true });
});
