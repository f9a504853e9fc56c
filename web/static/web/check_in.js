// Keeps what is filled in: after each answer the form is sent with `save`, as its second button would send it.
"use strict";

const form = document.querySelector("form[data-saved]");
const kept = document.getElementById("kept");
let waiting;

async function save() {
  const filled = new URLSearchParams(new FormData(form));
  filled.set("save", "1");
  try {
    const answer = await fetch(location.pathname, { method: "POST", body: filled, credentials: "omit" });
    kept.textContent = answer.ok ? form.dataset.saved : "";
  } catch {
    kept.textContent = ""; // Offline: the page still holds the answers, and the next one tries again.
  }
}

form?.addEventListener("change", () => {
  kept.textContent = "";
  clearTimeout(waiting);
  waiting = setTimeout(save, 500);
});
form?.addEventListener("submit", () => clearTimeout(waiting));
