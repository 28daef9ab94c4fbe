// The canvas as a whole: its bar, its side, its keys; what the server says of the steps, saves and counts.
(() => {
  "use strict";
  const shared = window.zyJourney;
  const stage = document.getElementById("journey");
  if (!shared?.draw || !stage) return;
  const { data, T, START, get, step, wayTo, outcomes, kind, fill } = shared;
  const builder = window.zyBuilder;
  const { el, icon } = builder;
  const $ = (name) => document.querySelector(`[data-${name}]`);
  const side = $("side"), state = $("state"), menu = $("menu");
  const token = () => document.querySelector("[name=csrfmiddlewaretoken]")?.value || "";
  const post = (address, facts) => fetch(address, { method: "POST", headers: { "X-CSRFToken": token() }, body: new URLSearchParams(facts) });

  // -- what is chosen, and the side --
  shared.chosen = null;
  shared.choose = (chosen) => {
    shared.chosen = chosen;
    shared.markChosen();
    shared.inspect();
    stage.closest(".jc-frame").classList.toggle("aside", Boolean(chosen));
  };
  const openPeople = async (key, status) => {
    const into = side.querySelector("[data-people-of]");
    if (!into || !data.addresses.people) return;
    into.setAttribute("aria-busy", "true");
    try {
      const got = await fetch(`${data.addresses.people}?${new URLSearchParams({ version: data.version, step: key, status, part: 1 })}`);
      if (!got.ok) throw new Error(String(got.status));
      into.innerHTML = await got.text();
    } catch { into.textContent = T.unreachable; }
    into.removeAttribute("aria-busy");
  };
  shared.inspect = () => {
    const key = shared.chosen?.key;
    if (!key || (key !== START && !step(key))) { overview(); return; }
    const about = key === START ? { icon: "bolt", label: T.trigger, hint: "" } : kind(step(key).kind);
    const told = shared.counts[key];
    const tools = shared.readOnly || key === START ? null : el("div", { class: "zb-tools" },
      el("button", { type: "button", class: "zb-icon", title: T.copy, "aria-label": T.copy, onclick: () => shared.choose({ key: shared.copy(key) }) }, icon("content_copy")),
      el("button", { type: "button", class: "zb-icon", title: T.remove, "aria-label": T.remove, "data-remove": true, onclick: () => drop(key) }, icon("delete")));
    const close = el("button", { type: "button", class: "zb-icon jc-close", title: T.close, "aria-label": T.close, onclick: () => shared.choose(null) }, icon("close"));
    side.replaceChildren(
      el("header", { class: "jc-sidehead" }, el("span", { class: `jc-sign ${about.tone || "start"}` }, icon(about.icon)), el("h3", {}, about.label), tools, close),
      about.hint ? el("p", { class: "zy-note" }, about.hint) : "",
      ...shared.formOf(key),
      ...(told && (told.walking || told.failed) && data.addresses.people ? [el("h4", { class: "jc-sub" }, T.people), el("div", { class: "zy-buttons" },
        ...[["walking", T.walking, told.walking], ["failed", T.failed, told.failed]].filter((one) => one[2]).map(([status, text, number]) => el("button", { type: "button", class: "zy-button", "data-open": status, onclick: () => openPeople(key, status) }, `${text}: ${shared.grouped(number)}`))),
      el("div", { "data-people-of": key, "aria-live": "polite" })] : []));
    if (shared.chosen.people) { openPeople(key, shared.chosen.people); delete shared.chosen.people; }
  };
  const overview = () => {
    if (data.shown) { side.replaceChildren(el("p", { class: "zy-note" }, T.choose_step)); return; }
    const blocking = shared.findings.filter((one) => one.blocking);
    const list = (some) => el("ul", { class: "jc-findings" }, ...some.map((one) => el("li", {}, el("button", { type: "button", class: `jc-problem${one.blocking ? " bad" : ""}`, onclick: () => { if (step(one.step)) { shared.choose({ key: one.step }); shared.show(one.step); } } }, icon(one.blocking ? "error" : "info"), el("span", {}, step(one.step) ? el("strong", {}, shared.nameOf(one.step)) : "", step(one.step) ? " – " : "", one.text)))));
    side.replaceChildren(...[
      ...(shared.readOnly ? [] : [el("header", { class: "jc-sidehead" }, el("h3", {}, T.steps)), el("p", { class: "zy-note" }, T.palette_note), palette()]),
      ...(shared.findings.length ? [el("h4", { class: "jc-sub" }, blocking.length ? T.before_submit : T.to_know), list(shared.findings)] : shared.looked ? [el("p", { class: "jc-fine" }, icon("check_circle"), T.fine)] : []),
    ], ...[$("aside-facts")?.content.cloneNode(true)].filter(Boolean));
  };
  const palette = () => el("div", { class: "jc-palette" }, ...data.kinds.map((one) => {
    const made = el("button", { type: "button", class: `jc-tile ${one.tone}`, title: one.hint, "data-kind": one.code }, el("span", { class: "jc-sign" }, icon(one.icon)), one.label);
    made.addEventListener("pointerdown", (event) => carry(event, one));
    made.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); append(one.code); } });
    return made;
  }));
  // A tile is carried to where its step is to stand; on a line it stands between; a click hangs it on what is chosen.
  const carry = (event, one) => {
    if (event.button) return;
    event.preventDefault();
    const ghost = el("div", { class: `jc-carried ${one.tone}` }, icon(one.icon), one.label);
    const began = [event.clientX, event.clientY];
    let going = false;
    const nearest = (at) => { // the line under the hand
      for (const path of stage.querySelectorAll(".jc-reach")) {
        const [x, y] = shared.inWorld(at), length = path.getTotalLength();
        for (let way = 0; way <= length; way += 16) { const point = path.getPointAtLength(way); if (Math.hypot(point.x - x, point.y - y) < 26) return path.parentNode; }
      }
      return null;
    };
    const move = (at) => {
      if (!going && Math.hypot(at.clientX - began[0], at.clientY - began[1]) < 6) return;
      if (!going) { going = true; document.body.append(ghost); }
      ghost.style.left = `${at.clientX}px`; ghost.style.top = `${at.clientY}px`;
      const line = nearest(at);
      for (const other of stage.querySelectorAll(".jc-line")) other.classList.toggle("aim", other === line);
    };
    const end = (at) => {
      removeEventListener("pointermove", move); removeEventListener("pointerup", end); removeEventListener("pointercancel", end);
      ghost.remove();
      if (at.type === "pointercancel") return;
      if (!going) { append(one.code); return; }
      if (!document.elementFromPoint(at.clientX, at.clientY)?.closest("#journey")) return;
      const line = nearest(at);
      const [x, y] = shared.inWorld(at).map((number) => Math.round(number / 12) * 12);
      if (line) shared.choose({ key: shared.add(one.code, { from: line.dataset.from, outcome: line.dataset.outcome }) });
      else shared.choose({ key: shared.add(one.code, { place: [x, y - 30] }) });
    };
    addEventListener("pointermove", move); addEventListener("pointerup", end); addEventListener("pointercancel", end);
  };
  const append = (code) => {
    const key = shared.chosen?.key ?? lastFree();
    const free = key === START ? (wayTo(START) ? "" : "next") : key ? outcomes(step(key)).find((outcome) => !wayTo(key, outcome)) : "";
    const made = key && (free || key === START || outcomes(step(key)).length) ? shared.add(code, { from: key, outcome: free || (key === START ? "next" : outcomes(step(key))[0]) }) : shared.add(code);
    shared.choose({ key: made });
    shared.show(made);
  };
  const lastFree = () => Object.keys(get().steps).reverse().find((key) => outcomes(step(key)).some((outcome) => !wayTo(key, outcome))) || (get().first ? "" : START);
  const drop = (key) => { shared.choose(null); shared.remove(key); };

  // -- the menu of kinds, where a line ends in nothing --
  shared.menu = (x, y, where) => {
    const pick = (code) => { menu.close(); const key = shared.add(code, where); shared.choose({ key }); shared.show(key); };
    menu.replaceChildren(el("p", { class: "jc-sub" }, T.next_step), el("div", { class: "jc-palette" }, ...data.kinds.map((one) => el("button", { type: "button", class: `jc-tile ${one.tone}`, "data-pick": one.code, title: one.hint, onclick: () => pick(one.code) }, el("span", { class: "jc-sign" }, icon(one.icon)), one.label))));
    menu.showModal();
    const box = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(8, Math.min(x, innerWidth - box.width - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(y, innerHeight - box.height - 8))}px`;
  };
  menu.addEventListener("click", (event) => { if (event.target === menu) menu.close(); });

  // -- a rule, in the builder of segments --
  const dialog = $("rule"), root = dialog.querySelector("[data-builder]"), answer = dialog.querySelector("[data-answer]");
  let rule, keep, timer;
  const drawRule = () => root.replaceChildren(builder.drawGroup(rule, "", null));
  const preview = async () => {
    try {
      const got = await post(data.addresses.preview, { rule: JSON.stringify(rule) });
      answer.innerHTML = got.ok ? await got.text() : T.unreachable;
    } catch { answer.textContent = T.unreachable; }
  };
  shared.editRule = (before, set) => {
    rule = structuredClone(before);
    if (!builder.modeOf(rule)) rule = { all: [rule] };
    keep = set;
    builder.changed = (redraw = true) => { if (redraw) drawRule(); clearTimeout(timer); timer = setTimeout(preview, 350); };
    drawRule();
    answer.replaceChildren();
    preview();
    dialog.showModal();
  };
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "keep" && !shared.readOnly) { const told = rule, put = keep; shared.change(() => put(told)); shared.inspect(); }
    dialog.returnValue = "";
  });

  // -- every change is drawn, and looked at by the server --
  let asked = 0, waits, saved = JSON.stringify(get());
  const dirty = () => JSON.stringify(get()) !== saved;
  const say = (text, tone = "") => { state.textContent = text; state.className = `zy-tag ${tone}`; };
  const bar = () => {
    for (const [name, on] of [["undo", shared.canUndo()], ["redo", shared.canRedo()], ["save", dirty()]]) { const one = $(name); if (one) one.disabled = !on; }
    if (dirty()) say(T.unsaved, "warn"); else if (state.textContent === T.unsaved) say("");
  };
  shared.changed = ({ redraw, whole } = {}) => {
    if (whole && shared.chosen && shared.chosen.key !== START && !step(shared.chosen.key)) shared.chosen = null;
    if (redraw) { shared.draw(); shared.inspect(); } else refresh(shared.chosen?.key);
    bar();
    clearTimeout(waits);
    waits = setTimeout(check, 500);
  };
  const refresh = (key) => { // what is typed shows on the card, and the form keeps the cursor
    const says = key && shared.cardOf(key)?.querySelector(".jc-says");
    if (says) says.textContent = shared.summary(key);
    const title = key && key !== START && shared.cardOf(key)?.querySelector(".jc-name strong");
    if (title) title.textContent = step(key).title || kind(step(key).kind).label;
  };
  const check = async () => {
    const mine = ++asked;
    try {
      const got = await post(data.addresses.check, { graph: JSON.stringify(get()) });
      if (mine !== asked) return;
      if (!got.ok) throw new Error(String(got.status));
      const told = await got.json();
      shared.findings = told.findings;
      shared.looked = true;
      shared.sentences = told.sentences;
      shared.draw();
      if (!side.contains(document.activeElement)) shared.inspect();
      const number = told.findings.filter((one) => one.blocking).length;
      $("problems").hidden = !number;
      $("problems").lastChild.textContent = fill(number === 1 ? T.problem_one : T.problem_many, { n: number });
    } catch { if (mine === asked) say(T.unreachable, "bad"); }
  };
  const save = async (anyway = "") => {
    if (shared.readOnly || !dirty()) return;
    const sent = JSON.stringify(get());
    say(T.saving);
    try {
      const got = await post(data.addresses.save, { graph: sent, base: data.newest, note: $("note")?.value || "", anyway });
      const told = await got.json();
      if (got.status === 409) { if (confirm(told.problem)) await save("1"); else bar(); return; }
      if (!got.ok) { shared.findings = told.findings || []; shared.choose(null); shared.draw(); say(told.problem || T.not_saved, "bad"); return; }
      saved = sent;
      Object.assign(data, { newest: told.newest, version: told.version });
      for (const one of document.querySelectorAll("[data-version-name]")) one.textContent = told.name;
      history.replaceState(null, "", told.address);
      $("versions")?.classList.add("fresh");
      bar();
      if (!dirty()) say(T.saved, "good");
      document.dispatchEvent(new CustomEvent("journey:saved", { detail: told }));
    } catch { say(T.unreachable, "bad"); }
  };

  // -- how many stand where, while somebody looks --
  const count = async () => {
    if (document.hidden || !data.addresses.counts) return;
    try {
      const got = await fetch(`${data.addresses.counts}?version=${data.version}`);
      if (!got.ok) return;
      const told = await got.json();
      stage.dataset.counted = "1";
      if (JSON.stringify(told.steps) === JSON.stringify(shared.counts)) return;
      shared.counts = told.steps;
      shared.recount();
      for (const one of side.querySelectorAll("[data-open]")) one.textContent = `${T[one.dataset.open]}: ${shared.grouped(shared.counts[shared.chosen?.key]?.[one.dataset.open] || 0)}`;
    } catch { /* asked again soon */ }
  };
  const watch = async () => { // of a million people counting takes a while: it is asked less often then
    const began = performance.now();
    await count();
    setTimeout(watch, Math.max(4000, 10 * (performance.now() - began)));
  };
  document.addEventListener("submit", async (event) => { // people at a step: skipped, moved, tried again, taken out
    const form = event.target.closest("[data-people-form]");
    if (!form || !side.contains(form)) return;
    event.preventDefault();
    const facts = new FormData(form, event.submitter);
    const into = form.closest("[data-people-of]");
    const got = await fetch(form.action, { method: "POST", headers: { "X-CSRFToken": token() }, body: new URLSearchParams([...facts, ["part", "1"]]) });
    if (got.ok) into.innerHTML = await got.text(); else into.textContent = T.unreachable;
    count();
  });

  // -- the bar and the keys --
  const press = (name, act) => $(name)?.addEventListener("click", act);
  press("undo", shared.undo); press("redo", shared.redo); press("save", () => save());
  press("nearer", () => shared.zoom(shared.view.zoom * 1.2)); press("farther", () => shared.zoom(shared.view.zoom / 1.2)); press("fit", () => shared.fit());
  press("tidy", () => { shared.change(() => shared.layout()); shared.fit(); });
  press("problems", () => shared.choose(null));
  press("whole", () => { const frame = stage.closest(".jc-frame"); if (document.fullscreenElement) document.exitFullscreen(); else frame.requestFullscreen?.(); });
  const neighbour = (key, arrow) => {
    if (arrow === "ArrowDown") return key === START ? wayTo(START) : outcomes(step(key)).map((outcome) => wayTo(key, outcome)).find(Boolean);
    if (arrow === "ArrowUp") return shared.ways().find((one) => one.to === key)?.from;
    const [x, y] = shared.placeOf(key), right = arrow === "ArrowRight" ? 1 : -1;
    return Object.keys(get().steps).map((one) => [one, ...shared.placeOf(one)]).filter(([, ox, oy]) => (ox - x) * right > 20 && Math.abs(oy - y) < 150).sort((one, other) => Math.abs(one[1] - x) - Math.abs(other[1] - x))[0]?.[0];
  };
  const typing = (event) => event.target.closest("input, textarea, select, dialog, [contenteditable]");
  addEventListener("keydown", (event) => {
    const ctrl = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    if (ctrl && key === "s") { event.preventDefault(); save(); return; }
    if (typing(event)) return;
    if (ctrl && key === "z") { event.preventDefault(); if (event.shiftKey) shared.redo(); else shared.undo(); return; }
    if (ctrl && key === "y") { event.preventDefault(); shared.redo(); return; }
    const focused = event.target.closest(".jc-card")?.dataset.key;
    if (event.key === "Escape" && shared.chosen) { shared.choose(null); return; }
    if (["Delete", "Backspace"].includes(event.key) && !shared.readOnly) {
      if (shared.chosen?.way) { event.preventDefault(); shared.connect(shared.chosen.key, shared.chosen.way, ""); shared.choose(null); } else if (focused && focused !== START) { event.preventDefault(); drop(focused); }
      return;
    }
    if (!focused && !stage.contains(event.target) && event.target !== document.body) return;
    if (focused && event.key.startsWith("Arrow")) {
      const to = neighbour(focused, event.key);
      if (to) { event.preventDefault(); shared.choose({ key: to }); shared.show(to); shared.cardOf(to).focus({ preventScroll: true }); }
    } else if (focused && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault(); shared.choose({ key: focused }); side.querySelector("input, select, button")?.focus();
    } else if (focused && event.key === "a" && !ctrl && !shared.readOnly) {
      event.preventDefault(); const box = shared.cardOf(focused).getBoundingClientRect(); const free = focused === START ? "next" : outcomes(step(focused)).find((outcome) => !wayTo(focused, outcome)) || outcomes(step(focused))[0]; if (free) shared.menu(box.left, box.bottom, { from: focused, outcome: free });
    } else if (event.key === "+" || event.key === "=") shared.zoom(shared.view.zoom * 1.2);
    else if (event.key === "-") shared.zoom(shared.view.zoom / 1.2);
    else if (event.key === "0") shared.fit();
  });
  addEventListener("beforeunload", (event) => { if (dirty()) event.preventDefault(); });

  saved = JSON.stringify(get());
  shared.draw();
  shared.fit(0.75);
  shared.inspect();
  bar();
  const ask = () => { if (data.addresses.counts) watch(); if (data.addresses.check) check(); };
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(ask))); // once it can be seen
  stage.dataset.ready = "1";
})();
