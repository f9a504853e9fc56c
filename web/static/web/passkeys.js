// Passkeys: has the browser make one or sign with one, and sends what it says with the form. Where there are no scripts or the
// browser has no passkeys, the form stays out of sight.
"use strict";

const asBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
const asText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const PARTS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

async function answer(form) {
  const reply = await fetch(form.dataset.passkey, { method: "POST", body: new FormData(form) });
  if (!reply.ok) return ""; // the form sent without an answer leads to the page that says why
  const publicKey = await reply.json();
  publicKey.challenge = asBytes(publicKey.challenge);
  for (const each of publicKey.excludeCredentials || []) each.id = asBytes(each.id);
  if (publicKey.user) publicKey.user.id = asBytes(publicKey.user.id);
  const found = await navigator.credentials[publicKey.user ? "create" : "get"]({ publicKey });
  const response = {};
  for (const part of PARTS) if (found.response[part]) response[part] = asText(found.response[part]);
  return JSON.stringify({ id: asText(found.rawId), response });
}

async function usePasskey(event) {
  event.preventDefault();
  const form = event.target, button = form.querySelector("button"), said = form.querySelector("[data-said]");
  said.hidden = button.disabled = true;
  try {
    form.elements.credential.value = await answer(form);
    form.submit();
  } catch (fault) {
    said.textContent = fault.name === "InvalidStateError" ? said.dataset.known : said.dataset.said;
    said.hidden = false;
  } finally {
    button.disabled = false;
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", usePasskey);
  }
}
