// Shows what changes while the page is open: after each event of the account, the parts with `data-live` are fetched again. The stream
// begins with what came after the page was made.
"use strict";
(() => {
  const parts = () => [...document.querySelectorAll("[data-live][id]")];
  if (!window.EventSource || parts().length === 0) return;
  // After a refused form, the address of the browser is that of the form.
  const here = document.documentElement.dataset.here;
  // What a person has opened is no difference.
  const html = (part) => {
    const copy = part.cloneNode(true);
    copy.querySelectorAll("details").forEach((details) => (details.open = false));
    return copy.innerHTML;
  };
  let isBusy = false;
  let isAgain = false;
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
      for (const part of parts()) {
        const next = fresh.getElementById(part.id);
        // A form that somebody fills in stays.
        if (next && html(next) !== html(part) && !part.contains(document.activeElement?.closest("form"))) {
          const opened = [...part.querySelectorAll("details")].map((details) => details.open);
          part.replaceChildren(...next.childNodes);
          part.querySelectorAll("details").forEach((details, at) => (details.open = opened[at] ?? false));
        }
      }
    } catch {
      // The next event, or the stream's next connection, tries again.
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
    // What changed during a broken connection.
    if (!isFirst) refresh();
    isFirst = false;
  };
  stream.onmessage = refresh;
  addEventListener("pagehide", () => stream.close());
})();
