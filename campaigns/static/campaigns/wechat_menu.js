// The menu editor: a telephone on the left, the fields of the tapped button on the right. The server checks it all.
(() => {
  const form = document.getElementById("menu-editor");
  if (!form) return;
  const json = (id) => JSON.parse(document.getElementById(id).textContent);
  const menu = json("menu-buttons"), types = json("menu-types"), most = json("menu-most");
  const words = (name) => form.getAttribute(`data-words-${name}`), may = form.dataset.may === "1";
  const FIELDS = { view: ["url"], click: ["key"], miniprogram: ["appid", "pagepath", "url"] };
  const bar = document.getElementById("menu-bar"), fields = document.getElementById("menu-fields");
  let at = menu.length ? [0] : [];

  const make = (name, facts = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), facts);
    made.append(...inside);
    return made;
  };
  const width = (text) => [...text].reduce((sum, sign) => sum + (/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/.test(sign) ? 2 : 1), 0);
  const list = (path) => (path.length === 2 ? menu[path[0]].sub_button : menu);
  const chosen = () => (at.length ? list(at)[at.at(-1)] : null);
  const same = (path) => path.length === at.length && path.every((place, n) => place === at[n]);

  const key = (button, path) => {
    const wide = path.length === 2 ? most.entry_width : most.button_width;
    const made = make("button", { type: "button", className: "wx-key", textContent: button.name || "…" });
    if (same(path)) made.setAttribute("aria-current", "true");
    if (!button.name || width(button.name) > wide) made.classList.add("bad");
    made.onclick = () => { at = path; draw(); };
    return made;
  };
  const adder = (label, into, fresh, path) => {
    const made = make("button", { type: "button", className: "wx-key add", textContent: "+", title: label, ariaLabel: label });
    made.onclick = () => { into.push({ name: fresh, type: "view", url: "" }); at = path; draw(); fields.querySelector("input")?.select(); };
    return made;
  };
  const drawBar = () => {
    bar.replaceChildren(...menu.map((button, n) => {
      const column = make("div", { className: "wx-column" });
      const open = at[0] === n;
      if (open) {
        const above = make("div", { className: "wx-above" });
        (button.sub_button || []).forEach((entry, m) => above.append(key(entry, [n, m])));
        if (may && (button.sub_button || []).length < most.entries) above.append(addEntry(button, n));
        if (above.childElementCount) column.append(above);
      }
      column.append(key(button, [n]));
      return column;
    }));
    if (may && menu.length < most.buttons) bar.append(make("div", { className: "wx-column" }, adder(words("add"), menu, words("new"), [menu.length])));
  };
  const addEntry = (button, n) => {
    const made = adder(words("add-entry"), [], "", []);
    made.onclick = () => {
      if (!button.sub_button) { ["type", "url", "key", "appid", "pagepath"].forEach((name) => delete button[name]); button.sub_button = []; }
      button.sub_button.push({ name: words("entry"), type: "view", url: "" });
      at = [n, button.sub_button.length - 1];
      draw();
      fields.querySelector("input")?.select();
    };
    return made;
  };

  const line = (label, value, change, facts = {}) => {
    const input = make("input", { className: "zy-input", value: value || "", disabled: !may, ...facts });
    input.oninput = () => { change(input.value); drawBar(); };
    return make("label", { className: "zy-field" }, label, input);
  };
  const drawFields = () => {
    const button = chosen();
    if (!button) return fields.replaceChildren(make("p", { className: "zy-note", textContent: words("choose") }));
    const shown = [line(words("name"), button.name, (value) => { button.name = value; }, { maxLength: 40, name: "menu-name" })];
    if (button.sub_button?.length) {
      shown.push(make("p", { className: "zy-note", textContent: words("opens") }));
    } else {
      const does = make("select", { className: "zy-input", disabled: !may, name: "menu-type" });
      Object.entries(types).forEach(([code, text]) => does.append(make("option", { value: code, textContent: text, selected: code === button.type })));
      does.onchange = () => { button.type = does.value; draw(); };
      shown.push(make("label", { className: "zy-field" }, words("does"), does));
      (FIELDS[button.type] || []).forEach((name) => {
        const label = name === "url" && button.type === "miniprogram" ? words("fallback") : words(name);
        shown.push(line(label, button[name], (value) => { button[name] = value; }, { name: `menu-${name}`, placeholder: name === "url" ? "https://" : "" }));
      });
    }
    if (may) shown.push(controls());
    return fields.replaceChildren(...shown);
  };
  const controls = () => {
    const among = list(at), place = at.at(-1);
    const move = (step) => () => {
      [among[place], among[place + step]] = [among[place + step], among[place]];
      at = [...at.slice(0, -1), place + step];
      draw();
    };
    const button = (label, icon, act, off) => {
      const made = make("button", { type: "button", className: "zy-button", disabled: off }, make("span", { className: "material-symbols-outlined", textContent: icon }), label);
      made.onclick = act;
      return made;
    };
    const remove = () => {
      among.splice(place, 1);
      if (at.length === 2 && !among.length) { const parent = menu[at[0]]; delete parent.sub_button; parent.type = "view"; parent.url = ""; at = [at[0]]; }
      else at = among.length ? [...at.slice(0, -1), Math.max(0, place - 1)] : at.slice(0, -1);
      draw();
    };
    return make("div", { className: "zy-buttons" }, button(words("left"), "arrow_back", move(-1), place === 0), button(words("right"), "arrow_forward", move(1), place === among.length - 1), button(words("remove"), "delete", remove, false));
  };
  const draw = () => { drawBar(); drawFields(); };
  form.addEventListener("submit", () => { form.elements.buttons.value = JSON.stringify(menu); });
  draw();
})();
