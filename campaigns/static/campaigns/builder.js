// The rule builder: a tree of groups and conditions over the hidden JSON field, with what the server makes of it.
(() => {
  "use strict";
  const field = document.getElementById("id_rule");
  const root = document.getElementById("builder");
  const shared = window.zyBuilder;
  if (!field || !root || !shared) return;
  const { T, el, modeOf, drawGroup } = shared;
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
