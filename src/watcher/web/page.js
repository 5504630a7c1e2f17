"use strict";
const live = document.getElementById("live"), link = document.getElementById("link");
const told = (root) => {
  for (const time of root.querySelectorAll("time")) time.textContent = new Date(time.dateTime).toLocaleString();
  return root;
};
const keyed = (node) => node.children.length > 0 && [...node.children].every((child) => child.id);
/* Only what changed is replaced: a button that has the focus keeps it. */
const merge = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (!keyed(old) || !keyed(fresh) || old.className !== fresh.className) { old.replaceWith(fresh); return; }
  const wanted = [...fresh.children], had = new Map([...old.children].map((child) => [child.id, child]));
  let at = old.firstElementChild;
  for (const child of wanted) {
    const mine = had.get(child.id);
    if (mine && mine === at) at = at.nextElementSibling;
    else old.insertBefore(mine ?? child, at);
    if (mine) merge(mine, child);
  }
  for (const [id, child] of had) if (!wanted.some((one) => one.id === id)) child.remove();
};
const show = (html) => {
  const focus = document.activeElement?.id, fresh = document.createElement("div");
  fresh.innerHTML = html;
  merge(live, Object.assign(told(fresh), { id: "live" }));
  if (focus && document.activeElement?.id !== focus) document.getElementById(focus)?.focus({ preventScroll: true });
  document.title = `${document.getElementById("headline").textContent} · image-watcher`;
};
told(document);
if (window.EventSource) {
  const source = new EventSource("./live");
  source.onopen = () => { link.textContent = "Live."; };
  source.onerror = () => { link.textContent = "Not connected: what you see may be old. Trying again."; };
  source.onmessage = (event) => show(JSON.parse(event.data));
}
