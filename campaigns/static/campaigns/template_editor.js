// The editor of a template: tabs, and a preview that follows what is typed. The preview is a frame that may do nothing.
"use strict";
(() => {
  const form = document.getElementById("zy-editor");
  if (!form) return;
  const one = (name) => form.querySelector(`[data-${name}]`);
  const all = (selector) => [...form.querySelectorAll(selector)];
  const make = (tag, facts) => Object.assign(document.createElement(tag), facts);
  const used = all("[data-channel]").find((tab) => tab.querySelector(".zy-dot")) || one("channel");
  const now = { channel: used.dataset.channel, language: one("language").dataset.language };
  const filled = all(`[data-panel^="${now.channel}."]`).find((panel) => [...panel.querySelectorAll("input, textarea")].some((input) => input.value.trim()));
  if (filled) now.language = filled.dataset.panel.slice(now.channel.length + 1);
  let last = null, asked = 0, waiting = 0;

  // Of a channel with several forms one is shown, and only that one is sent.
  const choose = () => all("[data-forms]").forEach((set) => {
    const panel = set.closest("[data-panel]"), chosen = set.querySelector("input:checked")?.value;
    panel.querySelectorAll("[data-of]").forEach((field) => {
      field.hidden = !field.dataset.of.split(" ").includes(chosen);
      field.querySelectorAll("[name]").forEach((input) => { input.disabled = field.hidden; });
    });
  });
  // Typed keys as rows; the document that is saved lies in the field behind them.
  const KEY = /^([a-z_]+?)(\d{1,3})$/, types = JSON.parse(document.getElementById("key-types").textContent);
  const rows = (area) => {
    let told = {};
    try { told = JSON.parse(area.value || "{}"); } catch { return; } // what is no document is shown as it is
    const box = make("div", { className: "zy-keys" });
    const write = () => {
      const said = [...box.querySelectorAll(".zy-key-row")].map((row) => [...row.querySelectorAll("select, input")].map((one) => one.value));
      const filled = said.filter(([, number, value]) => number && value.trim()).map(([type, number, value]) => [type + number, value]);
      area.value = filled.length ? JSON.stringify(Object.fromEntries(filled)) : "";
    };
    const add = (key, value) => {
      const [, type, number] = KEY.exec(key) || [null, "thing", String(box.querySelectorAll(".zy-key-row").length + 1)];
      const row = make("div", { className: "zy-key-row" });
      const kind = make("select", { className: "zy-input", disabled: area.readOnly, ariaLabel: form.dataset.type });
      for (const [code, words] of Object.entries(types)) kind.append(make("option", { value: code, textContent: `${code} · ${words}`, selected: code === type }));
      const place = make("input", { className: "zy-input", type: "number", min: 1, max: 999, value: number, readOnly: area.readOnly, ariaLabel: form.dataset.number });
      const text = make("input", { className: "zy-input", value, readOnly: area.readOnly, ariaLabel: form.dataset.value, placeholder: form.dataset.value });
      const drop = make("button", { type: "button", className: "zy-button", textContent: "×", ariaLabel: form.dataset.remove, title: form.dataset.remove, hidden: area.readOnly });
      drop.addEventListener("click", () => { row.remove(); write(); preview(); });
      row.append(kind, place, text, drop);
      box.insertBefore(row, more);
      row.addEventListener("input", write);
    };
    const more = make("button", { type: "button", className: "zy-button", textContent: `+ ${form.dataset.add}`, hidden: area.readOnly });
    more.addEventListener("click", () => { add("", ""); box.querySelector(".zy-key-row:last-of-type input:not([type])")?.focus(); });
    box.append(more);
    Object.entries(told).forEach(([key, value]) => add(key, value));
    if (!Object.keys(told).length && !area.readOnly) add("", "");
    area.hidden = true;
    area.after(box);
  };

  const show = () => {
    const test = one("test");
    if (test) {
      test.hidden = !test.dataset.test.split(" ").includes(now.channel);
      test.querySelector("[name=test_channel]").value = now.channel; test.querySelector("[name=test_language]").value = now.language;
      test.querySelector("[data-test-to]").hidden = now.channel !== "sms";
      test.querySelectorAll("[data-test-note]").forEach((note) => { note.hidden = note.dataset.testNote !== now.channel; });
    }
    all("[data-panel]").forEach((panel) => { panel.hidden = panel.dataset.panel !== `${now.channel}.${now.language}`; });
    ["channel", "language"].forEach((kind) => all(`[data-${kind}]`).forEach((tab) => tab.setAttribute("aria-selected", String(tab.dataset[kind] === now[kind]))));
    preview();
  };
  const line = (name, text, wrap = "pre") => {
    const box = document.createElement("div"), head = document.createElement("b"), body = document.createElement(wrap);
    box.className = "zy-part"; head.textContent = name; body.textContent = text;
    box.append(head, body);
    return box;
  };
  // A part is called what its field is called.
  const called = (name) => form.querySelector(`[data-field="${now.channel}.${now.language}.${name}"]`)?.firstChild?.textContent.trim() || name;
  // A message by a template, as the platform shows it: a line for each key.
  const card = (keyed) => {
    const box = make("dl", { className: "zy-keyed" });
    for (const [key, value] of keyed) box.append(make("dt", { textContent: key }), make("dd", { textContent: value }));
    return box;
  };
  const paint = (told) => {
    const parts = told.parts || {}, frame = one("frame");
    one("failed").hidden = !told.failed; one("failed").textContent = told.failed || "";
    frame.hidden = !parts.html; if (parts.html) frame.srcdoc = parts.html;
    const shown = Object.entries(parts).filter(([name, value]) => name !== "html" && name !== "kind" && value && name !== "body" || name === "body" && !parts.signature && typeof value === "object");
    const keyed = typeof parts.data === "object" && parts.data ? Object.entries(parts.data) : [];
    one("parts").replaceChildren(...(keyed.length ? [card(keyed)] : []), ...shown.filter(([name]) => name !== "data").map(([name, value]) => line(called(name), typeof value === "string" ? value : JSON.stringify(value, null, 2))));
    if (now.channel === "sms") one("parts").querySelectorAll("pre").forEach((text, at) => at === 0 && text.classList.add("zy-bubble"));
    if (!told.parts && !told.failed) one("parts").replaceChildren(Object.assign(document.createElement("p"), { className: "zy-empty", textContent: form.dataset.none }));
    one("sms").hidden = !told.sms; one("sms").textContent = told.sms || "";
    place(told.problems || []);
  };
  // What is wrong stands beside its field; what has none, or lies on another side, in the list.
  const place = (problems) => {
    form.querySelectorAll(".zy-wrong").forEach((note) => note.remove());
    all("[data-channel], [data-language]").forEach((tab) => tab.classList.remove("wrong"));
    const listed = [];
    for (const problem of problems) {
      const field = all("[data-field]").find((one) => !one.hidden && (problem.where === one.dataset.field || problem.where.startsWith(`${one.dataset.field}.`)));
      field?.append(make("span", { className: `zy-wrong${problem.grave ? " bad" : ""}`, textContent: problem.message }));
      if (problem.grave) all("[data-channel]").find((tab) => problem.where.split(".")[0] === tab.dataset.channel)?.classList.add("wrong");
      const box = make("p", { className: problem.grave ? "zy-alert bad" : "zy-alert" });
      box.append(make("span", { className: "zy-mono", textContent: problem.where }), ` ${problem.message}`);
      if (!field || field.closest("[data-panel]").hidden) listed.push(box);
    }
    const well = make("p", { className: "zy-note", textContent: problems.length ? form.dataset.beside : form.dataset.well });
    one("problems").replaceChildren(...(listed.length ? listed : [well]));
  };
  const preview = async () => {
    const mine = ++asked, body = new FormData(form);
    body.set("channel", now.channel); body.set("language", now.language);
    const answer = await fetch(form.dataset.preview, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
    if (answer.ok && mine === asked) paint(await answer.json());
  };
  form.addEventListener("click", (event) => {
    const tab = event.target.closest(".zy-tab"), variable = event.target.closest("[data-variable]");
    if (tab) { Object.assign(now, tab.dataset.channel ? { channel: tab.dataset.channel } : { language: tab.dataset.language }); show(); }
    if (variable && last && !last.readOnly) { last.setRangeText(`{{ ${variable.dataset.variable} }}`, last.selectionStart, last.selectionEnd, "end"); last.focus(); preview(); }
  });
  form.addEventListener("focusin", (event) => { if (event.target.closest("[data-panel]")) last = event.target; });
  form.addEventListener("change", (event) => { if (event.target.closest("[data-forms]")) { choose(); preview(); } });
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(preview, 350); });
  all("[data-keys]").forEach(rows);
  choose();
  show();
})();
