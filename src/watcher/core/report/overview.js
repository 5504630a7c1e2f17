"use strict";
// Search and refresh. The page says all it says without this, too.
(() => {
  const tools = document.querySelector(".tools"), found = document.querySelector(".found");
  const jobs = [...document.querySelectorAll("tbody tr")];
  let touched = 0;

  for (const time of document.querySelectorAll("time")) time.textContent = new Date(time.dateTime).toLocaleString();

  // What is searched for stands in the address, so a reload keeps it.
  const filter = () => {
    const sought = tools.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const job of jobs) job.hidden = !sought.every((word) => job.textContent.toLowerCase().includes(word));
    const count = jobs.filter((job) => !job.hidden).length;
    found.textContent = count === jobs.length ? `${count} job${count === 1 ? "" : "s"}` : `${count} of ${jobs.length} jobs`;
    try { history.replaceState(null, "", `#${new URLSearchParams({ q: tools.q.value })}`); } catch { /* an address that stays is no harm */ }
  };
  tools.hidden = jobs.length < 2;
  tools.q.value = new URLSearchParams(location.hash.slice(1)).get("q") ?? "";
  tools.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target === tools.q) return;
    event.preventDefault();
    tools.q.focus();
  });
  filter();

  // Never under somebody's hands.
  const every = Number(document.body.dataset.refresh), begun = Date.now();
  for (const kind of ["keydown", "pointerdown", "wheel", "touchmove"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  }
  setInterval(() => {
    const busy = document.hidden || String(getSelection()) !== "" || Date.now() - touched < 3000 || document.activeElement === tools.q;
    if (!busy && Date.now() - begun > every * 1000) location.reload();
  }, 500);
})();
