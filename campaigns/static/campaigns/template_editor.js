// The editor of a template: tabs, and a preview that follows what is typed. The preview is a frame that may do nothing.
"use strict";
(() => {
  const form = document.getElementById("zy-editor");
  if (!form) return;
  const one = (name) => form.querySelector(`[data-${name}]`);
  const all = (selector) => [...form.querySelectorAll(selector)];
  const used = all("[data-channel]").find((tab) => tab.querySelector(".zy-dot")) || one("channel");
  const now = { channel: used.dataset.channel, language: one("language").dataset.language };
  const filled = all(`[data-panel^="${now.channel}."]`).find((panel) => [...panel.querySelectorAll("input, textarea")].some((input) => input.value.trim()));
  if (filled) now.language = filled.dataset.panel.slice(now.channel.length + 1);
  let last = null, asked = 0, waiting = 0;

  const show = () => {
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
  const paint = (told) => {
    const parts = told.parts || {}, frame = one("frame");
    one("failed").hidden = !told.failed; one("failed").textContent = told.failed || "";
    frame.hidden = !parts.html; if (parts.html) frame.srcdoc = parts.html;
    const shown = Object.entries(parts).filter(([name, value]) => name !== "html" && value && name !== "body" || name === "body" && !parts.signature && typeof value === "object");
    one("parts").replaceChildren(...shown.map(([name, value]) => line(name, typeof value === "string" ? value : JSON.stringify(value, null, 2))));
    if (now.channel === "sms") one("parts").querySelectorAll("pre").forEach((text, at) => at === 0 && text.classList.add("zy-bubble"));
    if (!told.parts && !told.failed) one("parts").replaceChildren(Object.assign(document.createElement("p"), { className: "zy-empty", textContent: form.dataset.none }));
    one("sms").hidden = !told.sms; one("sms").textContent = told.sms || "";
    const wrong = (told.problems || []).map((problem) => {
      const box = document.createElement("p"), where = document.createElement("span");
      box.className = problem.grave ? "zy-alert bad" : "zy-alert"; where.className = "zy-mono"; where.textContent = problem.where;
      box.append(where, ` ${problem.message}`);
      return box;
    });
    one("problems").replaceChildren(...(wrong.length ? wrong : [Object.assign(document.createElement("p"), { className: "zy-note", textContent: form.dataset.well })]));
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
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(preview, 350); });
  show();
})();
