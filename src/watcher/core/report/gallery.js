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
  const shown = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

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
  let read = 0;
  const readAhead = (idle) => {  // while nobody wants anything, so that the first letter finds it done
    for (; read < cards.length && idle.timeRemaining() > 2; read += 1) text(cards[read]);
    if (read < cards.length) requestIdleCallback(readAhead);
  };
  self.requestIdleCallback?.(readAhead);
  const kinds = [".list", ".grid"].map((kind) => all(kind)).filter((lists) => lists.length)
    .map((lists) => ({ lists, size: lists[0].children.length, inside: lists.flatMap((list) => [...list.children]) }));
  const fill = ({ lists, size, inside }) => {  // what is visible moves up, so that no list of 60 has gaps
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
    kinds.forEach(fill);
    for (const section of all("section")) section.hidden = !one(".card:not([hidden])", section) && !(count === 0 && section.classList.contains("all"));
    one(".nothing").hidden = count > 0 || cards.length === 0;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.state === state));
    const words = count === cards.length ? shown(count, "row") : `${count.toLocaleString("en")} of ${shown(cards.length, "row")}`;
    if (found.textContent !== words) found.textContent = words;
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
  const inViewer = (part) => {  // under a heading; lines of facts as a list
    const heading = made("h3", part.dataset.heading);
    if (part.tagName !== "PRE") return [heading, part.cloneNode(true)];
    const list = document.createElement("dl");
    for (const line of part.textContent.trimEnd().split("\n")) {
      const [label, value] = line.split("\t");
      list.append(made("dt", label), made("dd", value));
    }
    for (const element of list.children) element.dir = "auto";
    return [heading, list];
  };
  // A drawing is shown as an image, in which nothing runs, and never opened as a page.
  const address = (shot) => shot.dataset.drawing ?? (shot.matches(".text, .empty, .name") ? "" : shot.href);
  const said = (shot, card) => shot.matches(".text") ? one(".facts p", card).textContent
    : shot.matches(".name") ? all(".what, .hint", card).map((part) => part.textContent).join("\n\n") : shot.innerText;
  const show = (position) => {
    if (position < 0 || position >= shots.length) return;
    at = position;
    const shot = shots[at], card = shot.closest(".card"), siblings = all(".shot", card);
    const source = address(shot), number = card.id.slice(1), name = one("h3 bdi", card).textContent;
    image.hidden = !source;
    words.hidden = Boolean(source);
    if (source) {
      image.alt = one("img", shot)?.alt ?? shot.textContent;
      image.src = source;
    } else {
      image.removeAttribute("src");
      words.textContent = said(shot, card);
      words.scrollTop = 0;
    }
    const place = `Row ${number}` + (siblings.length > 1 ? ` · picture ${siblings.indexOf(shot) + 1} of ${siblings.length}` : "");
    title.textContent = name;
    one(".place", viewer).textContent = place;
    one(".said", viewer).textContent = `${name}, ${place}`;
    one(".original", viewer).href = shot.href;
    one(".more", viewer).hidden = !source || "drawing" in shot.dataset;
    const parts = all(".facts [data-heading]", card).slice(shot.matches(".text") ? 1 : 0);  // a text is on the stage
    const about = parts.flatMap(inViewer);
    if (source) about.unshift(made("p", shot.dataset.about));
    one(".about", viewer).replaceChildren(...about);
    one("aside", viewer).scrollTop = 0;
    one(".back").disabled = at === 0;
    one(".on").disabled = at === shots.length - 1;
    const next = shots[at + 1] && address(shots[at + 1]);
    if (next) new Image().src = next;
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
  const busy = () => document.hidden || String(getSelection()) !== "" || Date.now() - touched < (viewer.open ? 20000 : 3000);
  const focus = () => {  // a picture by its row, a control by its name
    const holder = document.activeElement, card = holder.closest(".card");
    return card ? `${card.id.slice(1)}.${all(".shot", card).indexOf(holder)}` : holder.name ?? "";
  };
  const anchor = () => {  // the first card in view and how far below the top it is: rows above it may come and go
    const ends = (element) => !element.hidden && element.getBoundingClientRect().bottom > 0;
    const list = scrollY > 0 && all(".list, .grid").find(ends), card = list && [...list.children].find(ends);
    return card ? `${card.id.slice(1)}.${Math.round(card.getBoundingClientRect().top)}` : "";
  };
  if (live) {
    const pressed = (on) => { live.setAttribute("aria-pressed", String(on)); keep("still", on ? "" : "1"); };
    pressed(!kept.has("still"));
    live.addEventListener("click", () => pressed(kept.has("still")));
    for (const kind of ["keydown", "pointerdown", "wheel", "touchmove", "input"]) {
      addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
    }
    setInterval(() => {
      if (kept.has("still") || Date.now() - begun < every * 1000 || busy()) return;
      keep("y", anchor());
      keep("f", focus());
      history.scrollRestoration = "manual";
      location.reload();
    }, 500);
  }

  // --- as it was before the reload
  addEventListener("load", () => setTimeout(() => { history.scrollRestoration = "auto"; }));
  tools.q.value = kept.get("q") ?? "";
  tools.m.value = models.includes(kept.get("m")) ? kept.get("m") : "";
  tools.adjusted.checked = kept.has("a");
  filter();
  const pair = (name) => (kept.get(name) ?? "").split(".").map(Number);
  const shotOf = ([row, index]) => row && all(`[id="r${row}"] .shot`)[index];
  const [row, below] = pair("y"), anchored = row && one(`[id="r${row}"]`);
  const settle = () => { anchored.scrollIntoView(); scrollBy(0, anchored.getBoundingClientRect().top - below); };
  if (anchored) { settle(); requestAnimationFrame(settle); }
  const before = shotOf(pair("open"));
  if (before) open(before);
  else if (kept.has("f")) (shotOf(pair("f")) || tools.elements[kept.get("f")])?.focus({ preventScroll: true });
  keep("f", "");
  keep("y", "");
})();
