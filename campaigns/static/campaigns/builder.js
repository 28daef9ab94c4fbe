// The rule builder: a tree of groups and conditions over the hidden JSON field, with what the server makes of it.
(() => {
  "use strict";
  const field = document.getElementById("id_rule");
  const root = document.getElementById("builder");
  const shared = window.zyBuilder;
  if (!field || !root || !shared) return;
  const { T, KINDS, UNKNOWN, el, icon, word, button, select, readOnly } = shared;
  const GROUPS = ["all", "any", "none"];

  const modeOf = (node) => GROUPS.find((mode) => mode in node);
  const kindOf = (node) => Object.keys(KINDS).find((kind) => KINDS[kind].fits(node));
  shared.modeOf = modeOf;

  const drawCondition = (node, siblings, place, path) => {
    const kind = kindOf(node);
    const about = KINDS[kind] || UNKNOWN;
    const kinds = select(T.kind, Object.keys(KINDS).map((one) => [one, T[`kind_${one}`]]), kind, (value) => { siblings[place] = KINDS[value].blank(); }, { class: "zy-input zb-kind" });
    return el("div", { class: "zb-card", "data-path": path, "data-kind": kind || "" },
      el("span", { class: "zb-sign" }, icon(about.icon)),
      el("div", { class: "zb-lines" }, el("div", { class: "zb-row" }, kind ? kinds : null, ...about.form(node)), ...(about.lines ? about.lines(node, path) : [])),
      readOnly ? null : el("span", { class: "zb-tools" },
        button(T.copy, "content_copy", () => { siblings.splice(place + 1, 0, structuredClone(node)); shared.changed(); }),
        button(T.remove, "close", () => { siblings.splice(place, 1); shared.changed(); })));
  };
  const drawGroup = (node, path, drop) => {
    const mode = modeOf(node);
    const parts = node[mode];
    const here = path ? `${path}.${mode}` : mode;
    const head = el("div", { class: "zb-head" }, select(T.group, GROUPS.map((one) => [one, T[one]]), mode, (value) => { delete node[mode]; node[value] = parts; }));
    if (drop && !readOnly) head.append(button(T.remove, "close", () => { drop(); shared.changed(); }));
    const box = el("fieldset", { class: `zb-group ${mode}`, "data-path": path }, head);
    parts.forEach((part, index) => {
      const at = `${here}[${index}]`;
      if (index) box.append(el("span", { class: "zb-between" }, T[`between_${mode}`]));
      box.append(modeOf(part) ? drawGroup(part, at, () => { parts.splice(index, 1); }) : drawCondition(part, parts, index, at));
    });
    if (!parts.length) box.append(el("p", { class: "zy-note" }, T[`empty_${mode}`]));
    if (!readOnly) {
      const add = (name, made) => el("button", { type: "button", class: "zy-button", "data-add": name, onclick: () => { parts.push(made()); shared.changed(); } }, icon(name === "group" ? "account_tree" : "add"), T[name]);
      box.append(el("div", { class: "zy-buttons" }, add("condition", KINDS.field.blank), add("event", KINDS.event.blank), add("group", () => ({ any: [] }))));
    }
    return box;
  };
  shared.drawGroup = drawGroup;

  let tree;
  const read = (text) => {
    try { tree = JSON.parse(text || "null"); } catch { tree = null; }
    if (!tree || typeof tree !== "object") tree = { all: [] };
    if (!modeOf(tree)) tree = { all: [tree] };
  };
  const draw = () => root.replaceChildren(drawGroup(tree, "", null));

  // -- what the server makes of it --
  const answer = document.getElementById("preview");
  const token = () => document.querySelector("[name=csrfmiddlewaretoken]").value;
  const post = (address, more = {}) => fetch(address, { method: "POST", headers: { "X-CSRFToken": token() }, body: new URLSearchParams({ rule: JSON.stringify(tree), ...more }) });
  let timer, asked = 0;
  const settle = async (mine) => { // an estimate is made exact in the background
    const state = answer.querySelector("[data-state]");
    if (!state || state.dataset.state !== "estimated") return;
    const began = await post(root.dataset.exact);
    if (mine !== asked || !began.ok) return;
    const { address } = await began.json();
    state.append(" ", el("span", { class: "zy-tag accent", "data-counting": true }, T.counting));
    for (let waited = 0; mine === asked && waited < 600; waited += 1) {
      await new Promise((done) => { setTimeout(done, waited < 10 ? 500 : 2000); });
      const told = await (await fetch(address)).json();
      if (mine !== asked) return;
      if (told.html) { state.closest("[data-count-box]").outerHTML = told.html; return; }
      if (told.over) break;
    }
    state.querySelector("[data-counting]")?.remove();
  };
  const mark = () => {
    for (const wrong of root.querySelectorAll(".zb-wrong")) wrong.classList.remove("zb-wrong");
    const path = answer.querySelector("[data-path]")?.dataset.path;
    if (path === undefined) return;
    const places = [...root.querySelectorAll("[data-path]")].filter((one) => path.startsWith(one.dataset.path));
    places.sort((one, other) => other.dataset.path.length - one.dataset.path.length)[0]?.classList.add("zb-wrong");
  };
  const ask = async () => {
    const mine = ++asked;
    answer.setAttribute("aria-busy", "true");
    try {
      const got = await post(root.dataset.preview);
      const text = await got.text();
      if (mine !== asked) return; // a later question is under way
      if (!got.ok) throw new Error(String(got.status));
      answer.innerHTML = text;
      mark();
    } catch { if (mine === asked) answer.textContent = T.unreachable; }
    if (mine !== asked) return;
    answer.removeAttribute("aria-busy");
    for (const panel of document.querySelectorAll("[data-ask]")) panel.classList.add("zb-old");
    settle(mine);
  };
  // Panels that are asked for: who they are, how they can be reached, what they share with another segment.
  const fill = async (panel) => {
    const into = panel.querySelector("[data-answer]");
    into.setAttribute("aria-busy", "true");
    const chosen = Object.fromEntries([...panel.querySelectorAll("select")].map((one) => [one.name, one.value]));
    try {
      const got = await post(panel.dataset.ask, chosen);
      if (!got.ok) throw new Error(String(got.status));
      into.innerHTML = await got.text();
      panel.classList.remove("zb-old");
    } catch { into.textContent = T.unreachable; }
    into.removeAttribute("aria-busy");
  };
  for (const panel of document.querySelectorAll("[data-ask]")) {
    panel.addEventListener("click", (event) => { if (event.target.closest("[data-more]")) fill(panel); });
    panel.addEventListener("change", (event) => { if (event.target.tagName === "SELECT" && event.target.value) fill(panel); });
  }
  shared.changed = (redraw = true) => {
    field.value = JSON.stringify(tree);
    if (redraw) draw();
    clearTimeout(timer);
    timer = setTimeout(ask, 350);
  };
  document.addEventListener("click", (event) => { // an earlier version is taken up again
    const taken = event.target.closest("[data-rule]");
    if (!taken) return;
    read(taken.dataset.rule);
    shared.changed();
    root.scrollIntoView({ behavior: "smooth", block: "center" });
  });
  read(field.value);
  field.value = JSON.stringify(tree);
  draw();
  ask();
})();
