"use strict";
// Search, filters, the viewer and the refresh. The page says all it says without this, too.
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const tools = one(".tools"), viewer = one(".viewer"), cards = all(".card");
  const chips = all("button[data-state]"), live = one(".live"), found = one(".found");
  const image = one(".stage img"), words = one(".words"), title = one("#viewer-title");
  const fragment = location.hash.slice(1);
  const kept = new URLSearchParams(fragment.includes("=") ? fragment : "");
  let shots = [], at = -1, opener = null, touched = 0;

  document.documentElement.classList.add("js");
  tools.hidden = false;
  one(".keys").hidden = false;
  for (const time of all("time")) time.textContent = new Date(time.dateTime).toLocaleString();

  // What is searched for, filtered and open stands in the address, so a reload or a copied link keeps it.
  const keep = (name, value) => {
    if (value) kept.set(name, value); else kept.delete(name);
    const address = kept.size ? `#${kept}` : location.pathname.replace(/.*\//, "") || "#";
    try { history.replaceState(null, "", address); } catch { location.replace(`#${kept}`); }
  };

  // --- search and filters
  const models = [...new Set(cards.map((card) => card.dataset.model))].filter(Boolean).sort();
  for (const model of models) tools.m.add(new Option(model));
  one(".model").hidden = models.length < 2;
  one(".tick").hidden = !cards.some((card) => "adjusted" in card.dataset);

  const texts = new Map();
  const text = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };
  const fill = (lists) => {  // what is visible moves up, so that no list of 60 has gaps
    const size = lists[0]?.children.length, inside = cards.filter((card) => lists.includes(card.parentElement));
    const order = [...inside.filter((card) => !card.hidden), ...inside.filter((card) => card.hidden)];
    lists.forEach((list, number) => {
      const part = order.slice(number * size, (number + 1) * size);
      if (part.some((card, place) => card !== list.children[place])) list.replaceChildren(...part);
      list.hidden = part[0].hidden;
    });
  };
  const filter = () => {
    const state = kept.get("s") ?? "", model = tools.m.value, sought = tools.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const card of cards) {
      const data = card.dataset;
      card.hidden = !((!state || data.state === state) && (!model || data.model === model)
        && (!tools.adjusted.checked || "adjusted" in data) && sought.every((word) => text(card).includes(word)));
      count += !card.hidden;
    }
    for (const kind of [".list", ".grid"]) fill(all(kind));
    for (const section of all("section")) section.hidden = !one(".card:not([hidden])", section) && !(count === 0 && section.classList.contains("all"));
    one(".nothing").hidden = count > 0 || cards.length === 0;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.state === state));
    found.textContent = count === cards.length ? "" : `${count.toLocaleString("en")} of ${cards.length.toLocaleString("en")} rows`;
  };
  const changed = () => {
    keep("q", tools.q.value);
    keep("m", tools.m.value);
    keep("a", tools.adjusted.checked ? "1" : "");
    filter();
  };
  const reset = () => { tools.reset(); keep("s", ""); changed(); };
  tools.addEventListener("input", changed);
  tools.addEventListener("submit", (event) => event.preventDefault());
  for (const chip of chips) chip.addEventListener("click", () => { keep("s", chip.dataset.state); filter(); });
  one(".reset").addEventListener("click", () => { reset(); tools.q.focus(); });

  // --- the viewer
  const visible = () => all(".shot").filter((shot) => !shot.closest("[hidden]"));
  const made = (name, content) => {
    const element = document.createElement(name);
    element.textContent = content;
    return element;
  };
  const inViewer = (part) => {  // a heading one step below the viewer's own; lines of facts as a list
    if (part.tagName === "H4") return made("h3", part.textContent);
    if (part.tagName !== "PRE") return part;
    const list = document.createElement("dl");
    for (const line of part.textContent.trimEnd().split("\n")) {
      const [label, value] = line.split("\t");
      list.append(made("dt", label), made("dd", value));
    }
    for (const element of list.children) element.dir = "auto";
    return list;
  };
  const show = (position) => {
    if (position < 0 || position >= shots.length) return;
    at = position;
    const shot = shots[at], card = shot.closest(".card"), small = one("img", shot), siblings = all(".shot", card);
    const number = card.id.slice(1);
    image.hidden = !small;
    words.hidden = Boolean(small);
    if (small) {
      image.alt = small.alt;
      image.src = shot.href;
    } else {
      words.textContent = (one(".facts p", card) ?? shot).textContent;
    }
    title.textContent = one("h3 bdi", card).textContent;
    one(".place", viewer).textContent = `Row ${number}` + (siblings.length > 1 ? ` · picture ${siblings.indexOf(shot) + 1} of ${siblings.length}` : "");
    const original = one(".original", viewer);
    original.href = shot.href;
    one(".more", viewer).hidden = !small;
    const about = [...one(".facts", card).cloneNode(true).children].slice(1).map(inViewer);
    if (small) about.unshift(made("p", shot.dataset.about));
    else about.splice(0, 2);  // the text itself is on the stage
    one(".about", viewer).replaceChildren(...about);
    one(".back").disabled = at === 0;
    one(".on").disabled = at === shots.length - 1;
    if (at + 1 < shots.length && one("img", shots[at + 1])) new Image().src = shots[at + 1].href;
    keep("open", `${number}.${siblings.indexOf(shot)}`);
  };
  const open = (shot) => {
    shots = visible();
    opener = shot;
    if (!viewer.open) viewer.showModal();
    show(shots.indexOf(shot));
    title.focus();
  };
  viewer.addEventListener("close", () => {
    keep("open", "");
    const last = shots[at] ?? opener;
    last.scrollIntoView({ block: "nearest" });
    last.focus();
  });
  one(".close").addEventListener("click", () => viewer.close());
  one(".back").addEventListener("click", () => show(at - 1));
  one(".on").addEventListener("click", () => show(at + 1));
  one("main").addEventListener("click", (event) => {
    const shot = event.target.closest(".shot");
    if (!shot || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(shot);
  });

  // --- the keyboard
  const turns = { ArrowLeft: () => show(at - 1), ArrowRight: () => show(at + 1), Home: () => show(0), End: () => show(shots.length - 1) };
  const beside = (shot, step) => { const reachable = visible(); return reachable[reachable.indexOf(shot) + step]; };
  const across = (shot, step) => {  // the card above or below: one of the next dozen, a line has at most six
    const reachable = all(".card:not([hidden])").filter((card) => one(".shot", card));
    const place = reachable.indexOf(shot.closest(".card")), here = reachable[place].getBoundingClientRect();
    const ahead = step > 0 ? reachable.slice(place + 1, place + 13) : reachable.slice(Math.max(0, place - 12), place).reverse();
    const boxes = ahead.map((card) => [card, card.getBoundingClientRect()]).filter(([, box]) => (box.top - here.top) * step > 8);
    const line = boxes.filter(([, box]) => Math.abs(box.top - boxes[0][1].top) < 8);
    line.sort(([, a], [, b]) => Math.abs(a.left - here.left) - Math.abs(b.left - here.left));
    return line.length ? one(".shot", line[0][0]) : undefined;
  };
  const steps = { ArrowLeft: (shot) => beside(shot, -1), ArrowRight: (shot) => beside(shot, 1), ArrowUp: (shot) => across(shot, -1), ArrowDown: (shot) => across(shot, 1) };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select"), shot = event.target.closest(".shot");
    if (viewer.open) {
      if (!turns[event.key] || event.target === words) return;
      turns[event.key]();
    } else if (event.key === "/" && !typing) {
      tools.q.focus();
    } else if (event.key === "Escape" && typing) {
      reset();
    } else if (shot && steps[event.key]) {
      steps[event.key](shot)?.focus();
    } else {
      return;
    }
    event.preventDefault();
  });

  // --- the refresh: never under somebody's hands
  const every = Number(document.body.dataset.refresh), begun = Date.now();
  const busy = () => document.hidden || viewer.open || Date.now() - touched < 3000 || String(getSelection()) !== "";
  if (live) {
    const pressed = (on) => { live.setAttribute("aria-pressed", String(on)); keep("still", on ? "" : "1"); };
    pressed(!kept.has("still"));
    live.addEventListener("click", () => pressed(kept.has("still")));
    for (const kind of ["keydown", "pointerdown", "wheel", "touchmove", "input"]) {
      addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
    }
    setInterval(() => {
      if (kept.has("still") || Date.now() - begun < every * 1000 || busy()) return;
      keep("y", String(Math.round(scrollY)));
      keep("f", document.activeElement?.closest(".card")?.id ?? "");
      location.reload();
    }, 500);
  }

  // --- as it was before the reload
  tools.q.value = kept.get("q") ?? "";
  tools.m.value = models.includes(kept.get("m")) ? kept.get("m") : "";
  tools.adjusted.checked = kept.has("a");
  filter();
  const [row, index] = (kept.get("open") ?? "").split(".");
  const before = row && all(`[id="r${CSS.escape(row)}"] .shot`)[Number(index)];
  if (before) open(before);
  const focused = kept.get("f") && one(`#${CSS.escape(kept.get("f"))} .shot`);
  focused?.focus({ preventScroll: true });
  if (kept.has("y")) scrollTo(0, Number(kept.get("y")));
  keep("f", "");
  keep("y", "");
})();
