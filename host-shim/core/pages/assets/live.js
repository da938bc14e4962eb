// Shows what changes while the page is open: after each event of the account, the parts with `data-live` are fetched again. The stream
// begins with what came after the page was made.
"use strict";
(() => {
  const parts = () => [...document.querySelectorAll("[data-live][id]")];
  if (!window.EventSource || parts().length === 0) return;
  let isBusy = false;
  let isAgain = false;
  const refresh = async () => {
    if (isBusy) {
      isAgain = true;
      return;
    }
    isBusy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected && answer.url !== location.href) {
        location.assign(answer.url);
        return;
      }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const next = fresh.getElementById(part.id);
        // A form that somebody fills in stays.
        if (next && next.innerHTML !== part.innerHTML && !part.contains(document.activeElement?.closest("form"))) {
          part.replaceChildren(...next.childNodes);
        }
      }
      if (fresh.documentElement.dataset.next) location.assign(fresh.documentElement.dataset.next);
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
