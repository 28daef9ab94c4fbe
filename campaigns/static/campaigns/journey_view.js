// The journey as it is drawn: cards, lines between them, moved about and connected by hand, near or far.
(() => {
  "use strict";
  const shared = window.zyJourney;
  const stage = document.getElementById("journey");
  if (!shared || !stage) return;
  const { T, WIDE, START, get, step, ways, wayTo, wordOf, outcomes, change, placeOf, kind } = shared;
  const { el, icon } = window.zyBuilder;
  const world = stage.querySelector("[data-world]");
  const lines = stage.querySelector("[data-lines]");
  const cards = stage.querySelector("[data-cards]");
  const SVG = "http://www.w3.org/2000/svg";
  const svg = (tag, facts) => { const made = document.createElementNS(SVG, tag); for (const [name, value] of Object.entries(facts)) made.setAttribute(name, value); return made; };
  const grouped = (number) => Number(number).toLocaleString(document.documentElement.lang || "en");

  // -- near and far --
  const view = { x: 0, y: 0, zoom: 1 };
  const look = () => {
    world.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    stage.style.setProperty("--grid", `${24 * view.zoom}px`);
    stage.style.backgroundPosition = `${view.x}px ${view.y}px`;
    const told = document.querySelector("[data-zoom]");
    if (told) told.textContent = `${Math.round(view.zoom * 100)} %`;
  };
  const zoom = (to, at) => {
    const box = stage.getBoundingClientRect();
    const [x, y] = at || [box.width / 2, box.height / 2];
    const next = Math.min(2, Math.max(0.15, to));
    view.x = x - ((x - view.x) / view.zoom) * next;
    view.y = y - ((y - view.y) / view.zoom) * next;
    view.zoom = next;
    look();
  };
  const extent = () => {
    const places = [START, ...Object.keys(get().steps)].map(placeOf);
    const xs = places.map(([x]) => x), ys = places.map(([, y]) => y);
    return { left: Math.min(...xs) - WIDE / 2, right: Math.max(...xs) + WIDE / 2, top: Math.min(...ys), bottom: Math.max(...ys) + 170 };
  };
  const fit = (least = 0.15) => {
    const { left, right, top, bottom } = extent();
    const box = stage.getBoundingClientRect();
    view.zoom = Math.min(1, Math.max(least, Math.min((box.width - 48) / (right - left), (box.height - 64) / (bottom - top))));
    view.x = box.width / 2 - ((left + right) / 2) * view.zoom;
    view.y = Math.max(24, box.height / 2 - ((top + bottom) / 2) * view.zoom);
    if ((bottom - top) * view.zoom > box.height - 48) view.y = 24 - top * view.zoom;
    if ((right - left) * view.zoom > box.width - 24) { const [x] = placeOf(START); view.x = box.width / 2 - x * view.zoom; }
    look();
  };
  const show = (key) => { // bring a card into sight
    const [x, y] = placeOf(key);
    const box = stage.getBoundingClientRect();
    const [sx, sy] = [x * view.zoom + view.x, y * view.zoom + view.y];
    if (sx < 140 || sx > box.width - 140) view.x += box.width / 2 - sx;
    if (sy < 20 || sy > box.height - 160) view.y += box.height / 3 - sy;
    look();
  };
  const inWorld = (event) => { const box = stage.getBoundingClientRect(); return [(event.clientX - box.left - view.x) / view.zoom, (event.clientY - box.top - view.y) / view.zoom]; };

  // -- cards --
  const figure = (key) => {
    const told = shared.counts[key];
    if (!told) return [];
    const pill = (sign, number, tone, title, status) => (number ? el("button", { type: "button", class: `jc-pill ${tone}`, title, "aria-label": `${title}: ${grouped(number)}`, "data-people": status || "", tabindex: -1 }, icon(sign), grouped(number)) : null);
    return [pill("directions_walk", told.walking, "", T.walking, "walking"), pill("error", told.failed, "bad", T.failed, "failed"), ...Object.entries(told.reached || {}).map(([name, number]) => pill("outgoing_mail", number, "good", name))].filter(Boolean);
  };
  const passed = (key, outcome) => shared.counts[key]?.passed?.[outcome] || 0;
  const port = (key, outcome, plain) => {
    const number = passed(key, outcome);
    return el("button", { type: "button", class: `jc-port${plain ? " plain" : ""}${wayTo(key, outcome) ? "" : " free"}`, "data-port": outcome, tabindex: -1, title: plain ? T.way_on : wordOf(outcome) },
      plain && !number ? "" : el("span", {}, plain ? "" : wordOf(outcome), number ? el("b", {}, `${plain ? "" : " "}${grouped(number)}`) : ""));
  };
  const card = (key) => {
    const one = key === START ? { ...get().trigger, kind: "trigger" } : step(key);
    const about = key === START ? { icon: "bolt", label: T.trigger, tone: "start" } : kind(one.kind);
    const [x, y] = placeOf(key);
    const names = key === START ? ["next"] : outcomes(one);
    const wrong = shared.findings.filter((found) => found.step === (key === START ? "" : key) && (key !== START || found.trigger));
    const mark = shared.data.marks?.[key];
    const made = el("div", {
      class: `jc-card ${about.tone || ""}${wrong.some((found) => found.blocking) ? " wrong" : wrong.length ? " warned" : ""}${mark ? ` ${mark}` : ""}`, "data-key": key, tabindex: 0, role: "button",
      "aria-label": [about.label, one.title, shared.summary(key), ...wrong.map((found) => found.text)].filter(Boolean).join(". "),
    },
      el("div", { class: "jc-head" }, el("span", { class: "jc-sign" }, icon(about.icon)), el("div", { class: "jc-name" }, el("span", { class: "jc-kind" }, about.label), el("strong", {}, one.title || (key === START ? T.enters : about.label))), wrong.length ? el("span", { class: "jc-warn", title: wrong.map((found) => found.text).join("\n") }, icon("error")) : null),
      el("p", { class: "jc-says" }, shared.summary(key)),
      el("div", { class: "jc-figures" }, ...figure(key)),
      el("div", { class: "jc-ports" }, ...names.map((outcome) => port(key, outcome, names.length === 1 && outcome === "next"))));
    made.style.left = `${x - WIDE / 2}px`;
    made.style.top = `${y}px`;
    return made;
  };
  const cardOf = (key) => cards.querySelector(`[data-key="${CSS.escape(key)}"]`);

  // -- lines --
  const portAt = (key, outcome) => {
    const box = cardOf(key), dot = box?.querySelector(`[data-port="${CSS.escape(outcome)}"]`);
    if (!dot) return placeOf(key);
    const row = dot.offsetParent; // the row of ways
    return [box.offsetLeft + row.offsetLeft + dot.offsetLeft + dot.offsetWidth / 2, box.offsetTop + row.offsetTop + dot.offsetTop + dot.offsetHeight];
  };
  const curve = (sx, sy, tx, ty) => {
    if (ty > sy + 12) { const bend = Math.min(90, Math.max(24, (ty - sy) / 2)); return `M${sx},${sy} C${sx},${sy + bend} ${tx},${ty - bend} ${tx},${ty}`; }
    const side = Math.max(sx, tx) + WIDE * 0.85; // back up, round the side
    return `M${sx},${sy} C${sx},${sy + 90} ${side},${sy + 90} ${side},${(sy + ty) / 2} S${tx},${ty - 90} ${tx},${ty}`;
  };
  // A line that passes other cards goes round them, in the nearest lane that is free.
  const route = (from, to, sx, sy, tx, ty) => {
    const between = [...cards.children].filter((one) => one.dataset.key !== from && one.dataset.key !== to && one.offsetTop + one.offsetHeight > sy + 8 && one.offsetTop < ty - 8);
    const free = (x) => between.every((one) => x < one.offsetLeft - 10 || x > one.offsetLeft + WIDE + 10);
    if (ty < sy + 12 || !between.length || (ty - sy < 160 && free((sx + tx) / 2))) return curve(sx, sy, tx, ty);
    if (free(sx) && free(tx) && free((sx + tx) / 2)) return curve(sx, sy, tx, ty);
    const lanes = [sx, tx, ...between.flatMap((one) => [one.offsetLeft - 18, one.offsetLeft + WIDE + 18])].filter(free);
    if (!lanes.length) return curve(sx, sy, tx, ty);
    const lane = lanes.reduce((best, x) => (Math.abs(x - sx) + Math.abs(x - tx) < Math.abs(best - sx) + Math.abs(best - tx) ? x : best));
    const bend = Math.min(70, (ty - sy) / 3);
    return `M${sx},${sy} C${sx},${sy + bend * 0.6} ${lane},${sy + bend * 0.4} ${lane},${sy + bend} L${lane},${ty - bend} C${lane},${ty - bend * 0.4} ${tx},${ty - bend * 0.6} ${tx},${ty}`;
  };
  const drawLines = () => {
    const made = [];
    const most = Math.max(1, ...Object.values(shared.counts).flatMap((one) => Object.values(one.passed || {})));
    for (const { from, outcome, to } of ways()) {
      const [sx, sy] = portAt(from, outcome), [tx, ty] = placeOf(to);
      const path = route(from, to, sx, sy, tx, ty);
      const chosen = shared.chosen?.way && shared.chosen.key === from && shared.chosen.way === outcome;
      const group = svg("g", { class: `jc-line${chosen ? " chosen" : ""}`, "data-from": from, "data-outcome": outcome });
      const number = from === START ? 0 : passed(from, outcome);
      group.append(svg("path", { d: path, class: "jc-reach" }), svg("path", { d: path, class: "jc-stroke", "marker-end": "url(#jc-arrow)", style: number ? `stroke-width:${1.6 + 4.4 * Math.sqrt(number / most)}px` : "" }));
      made.push(group);
    }
    lines.querySelector("[data-all]").replaceChildren(...made);
  };
  stage.addEventListener("pointerover", (event) => { // in the middle of a line: a step between, or none any more
    const group = event.target.closest?.(".jc-line");
    if (shared.readOnly || !group || group.querySelector(".jc-mid")) return;
    const path = group.lastChild, middle = path.getPointAtLength(path.getTotalLength() / 2);
    for (const [name, dx, sign] of [["insert", -11, "M-4,0H4M0,-4V4"], ["detach", 11, "M-3,-3L3,3M3,-3L-3,3"]]) {
      const one = svg("g", { class: `jc-mid ${name}`, transform: `translate(${middle.x + dx},${middle.y})`, "data-mid": name });
      const title = svg("title", {});
      title.textContent = T[name];
      one.append(title, svg("circle", { r: 9 }), svg("path", { d: sign }));
      group.append(one);
    }
  });

  const draw = () => {
    const focused = document.activeElement?.closest?.(".jc-card")?.dataset.key;
    cards.replaceChildren(...[START, ...Object.keys(get().steps)].map(card));
    drawLines();
    choose();
    if (focused) cardOf(focused)?.focus({ preventScroll: true });
  };
  const choose = () => { for (const one of cards.children) one.classList.toggle("chosen", !shared.chosen?.way && shared.chosen?.key === one.dataset.key); };
  const recount = () => {
    for (const one of cards.children) {
      const key = one.dataset.key, names = [...one.querySelectorAll("[data-port]")];
      one.querySelector(".jc-figures").replaceChildren(...figure(key));
      for (const dot of names) dot.replaceWith(port(key, dot.dataset.port, dot.classList.contains("plain")));
    }
    drawLines();
  };

  // -- by hand: look about, move a card, draw a line from a way --
  const pointers = new Map();
  let held = null, pinch = 0;
  const ghost = lines.querySelector("[data-ghost]");
  stage.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest(".jc-menu, .jc-tools")) return;
    pointers.set(event.pointerId, event);
    if (pointers.size === 2) { held = null; return; }
    const box = event.target.closest(".jc-card"), dot = event.target.closest("[data-port]");
    const line = event.target.closest(".jc-line");
    const at = inWorld(event);
    if (event.target.closest("[data-people]") || event.target.closest("[data-mid]")) return;
    if (dot && box && !shared.readOnly) held = { what: "way", key: box.dataset.key, outcome: dot.dataset.port, began: [event.clientX, event.clientY] };
    else if (box) held = { what: "card", key: box.dataset.key, at, began: [event.clientX, event.clientY], place: placeOf(box.dataset.key) };
    else held = { what: "look", line, began: [event.clientX, event.clientY], x: view.x, y: view.y };
    stage.setPointerCapture(event.pointerId);
  });
  const moved = (event) => Math.hypot(event.clientX - held.began[0], event.clientY - held.began[1]) > 5;
  stage.addEventListener("pointermove", (event) => {
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event);
    if (pointers.size === 2) {
      const [one, other] = [...pointers.values()], apart = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const box = stage.getBoundingClientRect();
      if (pinch) zoom((view.zoom * apart) / pinch, [(one.clientX + other.clientX) / 2 - box.left, (one.clientY + other.clientY) / 2 - box.top]);
      pinch = apart;
      return;
    }
    if (!held || (!held.going && !moved(event))) return;
    held.going = true;
    if (held.what === "look") { view.x = held.x + event.clientX - held.began[0]; view.y = held.y + event.clientY - held.began[1]; look(); }
    if (held.what === "card" && !shared.readOnly && held.key !== START) {
      const [x, y] = inWorld(event);
      held.to = [Math.round((held.place[0] + x - held.at[0]) / 12) * 12, Math.round((held.place[1] + y - held.at[1]) / 12) * 12];
      const box = cardOf(held.key);
      box.style.left = `${held.to[0] - WIDE / 2}px`; box.style.top = `${held.to[1]}px`;
      box.classList.add("held");
      const before = step(held.key).place;
      step(held.key).place = held.to;
      drawLines();
      step(held.key).place = before;
    }
    if (held.what === "way") {
      const [x, y] = inWorld(event), [sx, sy] = portAt(held.key, held.outcome);
      ghost.setAttribute("d", curve(sx, sy, x, y));
      const over = document.elementFromPoint(event.clientX, event.clientY)?.closest(".jc-card");
      for (const one of cards.children) one.classList.toggle("aim", one === over && one.dataset.key !== START);
    }
  });
  const drop = (event) => {
    pointers.delete(event.pointerId);
    pinch = 0;
    if (!held) return;
    const was = held;
    held = null;
    ghost.setAttribute("d", "");
    for (const one of cards.children) one.classList.remove("aim", "held");
    if (event.type === "pointercancel") { draw(); return; }
    if (was.what === "look" && !was.going) shared.choose(was.line ? { key: was.line.dataset.from, way: was.line.dataset.outcome } : null);
    if (was.what === "card" && was.going && was.to) change(() => { step(was.key).place = was.to; });
    if (was.what === "card" && !was.going) { shared.choose({ key: was.key }); cardOf(was.key)?.focus({ preventScroll: true }); }
    if (was.what === "way") {
      const over = document.elementFromPoint(event.clientX, event.clientY)?.closest(".jc-card")?.dataset.key;
      if (was.going && over && over !== START) shared.connect(was.key, was.outcome, over);
      else if (!was.going || !over) shared.menu(event.clientX, event.clientY, { from: was.key, outcome: was.outcome, place: was.going ? inWorld(event).map(Math.round) : undefined });
    }
  };
  stage.addEventListener("pointerup", drop);
  stage.addEventListener("pointercancel", drop);
  stage.addEventListener("click", (event) => {
    const mid = event.target.closest("[data-mid]"), told = event.target.closest("[data-people]");
    if (told?.dataset.people) shared.choose({ key: told.closest(".jc-card").dataset.key, people: told.dataset.people });
    if (!mid || shared.readOnly) return;
    const { from, outcome } = mid.closest(".jc-line").dataset;
    if (mid.dataset.mid === "detach") shared.connect(from, outcome, "");
    else shared.menu(event.clientX, event.clientY, { from, outcome });
  });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) zoom(view.zoom * Math.exp(-event.deltaY / 300), [event.clientX - box.left, event.clientY - box.top]);
    else { view.x -= event.shiftKey ? event.deltaY : event.deltaX; view.y -= event.shiftKey ? 0 : event.deltaY; look(); }
  }, { passive: false });

  Object.assign(shared, { draw, drawLines, recount, fit, show, zoom, view, inWorld, cardOf, markChosen: () => { choose(); drawLines(); }, grouped });
})();
