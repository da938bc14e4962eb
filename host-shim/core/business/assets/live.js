// Shows changes while the page is open: fetches the page again after each event of the account, and replaces the parts with `data-live`.
// The stream begins after the last event that the page shows.
"use strict";
// What is too long for a cookie is shown at the address of the form. Loading the page again must not send the form again.
if (location.pathname.includes("/do/")) history.replaceState(null, "", document.documentElement.dataset.here);
(() => {
  const parts = () => [...document.querySelectorAll("[data-live][id]")];
  if (!window.EventSource || !document.documentElement.dataset.stream || parts().length === 0) return;
  const here = document.documentElement.dataset.here;
  // Opened `details` are not counted as a change, and stay open.
  const html = (part) => {
    const copy = part.cloneNode(true);
    copy.querySelectorAll("details").forEach((details) => (details.open = false));
    return copy.innerHTML;
  };
  // True if a person has written or chosen something that is not sent yet.
  const isChanged = (input) => {
    if (input.type === "hidden") return false;
    if (input instanceof HTMLSelectElement) {
      const first = [...input.options].findIndex((option) => option.defaultSelected);
      return input.selectedIndex !== Math.max(first, 0);
    }
    return input.type === "checkbox" || input.type === "radio" ? input.checked !== input.defaultChecked : input.value !== input.defaultValue;
  };
  // A form that a person is filling in is not replaced, nor is one that says what is wrong: the page says it only once.
  const isInUse = (part) =>
    part.querySelector("form .error") !== null ||
    part.contains(document.activeElement?.closest("form")) || [...part.querySelectorAll("input, textarea, select")].some(isChanged);
  let isBusy = false;
  let isAgain = false;
  let isBehind = false;
  const refresh = async () => {
    if (isBusy) {
      isAgain = true;
      return;
    }
    isBusy = true;
    try {
      const answer = await fetch(here, { headers: { accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected && answer.url !== new URL(here, location.href).href) {
        location.assign(answer.url);
        return;
      }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      isBehind = false;
      for (const part of parts()) {
        const next = fresh.getElementById(part.id);
        if (!next || html(next) === html(part)) continue;
        if (isInUse(part)) {
          isBehind = true;
        } else {
          const opened = [...part.querySelectorAll("details")].map((details) => details.open);
          part.replaceChildren(...next.childNodes);
          part.querySelectorAll("details").forEach((details, at) => (details.open = opened[at] ?? false));
        }
      }
    } catch {
      // The next event or connection fetches the page again.
    } finally {
      isBusy = false;
      if (isAgain) {
        isAgain = false;
        refresh();
      }
    }
  };
  const stream = new EventSource(document.documentElement.dataset.stream);
  let isFirst = true;
  stream.onopen = () => {
    // Shows what has changed while the connection was broken.
    if (!isFirst) refresh();
    isFirst = false;
  };
  stream.onmessage = refresh;
  // When a person leaves a form, the page replaces the parts that it did not replace before.
  addEventListener("focusout", () => isBehind && setTimeout(refresh));
  addEventListener("pagehide", () => stream.close());
})();
