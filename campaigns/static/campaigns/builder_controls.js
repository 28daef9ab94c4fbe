// The rule builder's controls: each writes what is typed into its node, and tells the builder that something changed.
(() => {
  "use strict";
  const told = document.getElementById("catalogue");
  if (!told) return;
  const catalogue = JSON.parse(told.textContent);
  const T = catalogue.words;
  const shared = { catalogue, T, readOnly: document.querySelector("#builder, #journey")?.dataset.readonly === "1", changed: () => {} };

  const el = (tag, facts = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(facts)) {
      if (name === "class") made.className = value;
      else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((one) => one !== null && one !== undefined));
    return made;
  };
  const icon = (name) => el("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);
  const word = (text) => el("span", { class: "zb-word" }, text);
  const button = (label, sign, press, facts = {}) => el("button", { type: "button", class: "zb-icon", title: label, "aria-label": label, onclick: press, ...facts }, icon(sign));

  const select = (label, options, value, set, facts = {}) => {
    const made = el("select", { class: "zy-input", "aria-label": label, disabled: shared.readOnly, ...facts });
    const known = options.some(([code]) => String(code) === String(value));
    for (const [code, text] of known || value === undefined ? options : [...options, [value, String(value)]]) {
      made.append(el("option", { value: code, selected: String(code) === String(value) }, text));
    }
    made.addEventListener("change", () => { set(made.value); shared.changed(); });
    return made;
  };
  const input = (label, type, value, set, facts = {}) => {
    const made = el("input", { class: "zy-input", type, value: value ?? "", "aria-label": label, placeholder: label, disabled: shared.readOnly, autocomplete: "off", ...facts });
    made.addEventListener("input", () => { set(made.value); shared.changed(false); });
    return made;
  };
  // What people usually say, offered while typing.
  const listed = (name) => {
    const values = catalogue.common[name];
    if (!values?.length) return undefined;
    const id = `zb-common-${name.replace(/\W/g, "-")}`;
    if (!document.getElementById(id)) document.body.append(el("datalist", { id }, ...values.map((one) => el("option", { value: one }))));
    return id;
  };

  const number = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text));
  const plain = (text) => (/^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text.trim());
  const parser = (type) => (["text", "choice", "category"].includes(type) ? (text) => text.trim() : type === "number" ? number : plain);
  const empty = (shape, type) => (shape === "list" ? [] : shape === "pair" ? ["", ""] : shape === "nothing" ? undefined : type === "flag" ? true : "");

  // Several values: those that are meant stand as chips, the one that is being typed counts already.
  const tokens = (node, type, name) => {
    const parse = parser(type);
    const box = el("span", { class: "zb-tokens" });
    const typed = el("input", { type: "text", "aria-label": T.several, placeholder: T.several, list: listed(name), disabled: shared.readOnly, autocomplete: "off" });
    let kept = Array.isArray(node.value) ? node.value : [];
    const tell = () => {
      const more = typed.value.split(/[,，、]/).map(parse).filter((one) => one !== "");
      node.value = [...kept, ...more.filter((one) => !kept.includes(one))];
      shared.changed(false);
    };
    const draw = () => {
      box.replaceChildren(...kept.map((one, at) => el("span", { class: "zb-token" }, String(one), shared.readOnly ? null : button(`${T.remove}: ${one}`, "close", () => { kept = kept.filter((_, place) => place !== at); draw(); tell(); }))), typed);
    };
    const keep = () => { if (typed.value.trim()) { tell(); kept = node.value; typed.value = ""; draw(); typed.focus(); } };
    typed.addEventListener("input", () => { if (/[,，、]\s*$/.test(typed.value)) keep(); else tell(); });
    typed.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); keep(); }
      if (event.key === "Backspace" && !typed.value && kept.length) { kept = kept.slice(0, -1); draw(); tell(); typed.focus(); }
    });
    box.addEventListener("click", (event) => { if (event.target === box) typed.focus(); });
    draw();
    return box;
  };
  // Several of a few choices.
  const chips = (label, choices, chosen, set) => el("span", { class: "zb-chips", role: "group", "aria-label": label }, ...choices.map(([code, text]) => el("button", {
    type: "button", class: "zb-chip", "aria-pressed": String(chosen.some((one) => String(one) === String(code))), disabled: shared.readOnly,
    onclick: () => { set(chosen.some((one) => String(one) === String(code)) ? chosen.filter((one) => String(one) !== String(code)) : [...chosen, code]); shared.changed(); },
  }, text)));

  // An operator and what it compares with.
  const comparison = (node, type, choices, operators, name = "") => {
    if (type === "flag") return [word(T.is), select(T.value, [["true", T.yes], ["false", T.no]], String(node.value), (value) => { node.value = value === "true"; })];
    const shape = catalogue.shapes[node.is] || "one";
    const parse = parser(type);
    const kind = type === "moment" && shape !== "days" ? "date" : "text";
    const facts = { list: type === "text" || type === "category" ? listed(name) : undefined, inputmode: type === "number" ? "decimal" : undefined, class: type === "number" ? "zy-input zb-number" : "zy-input" };
    const parts = [select(T.operator, operators.map((code) => [code, catalogue.operators[code]]), node.is, (value) => {
      node.is = value;
      const next = catalogue.shapes[value] || "one";
      if (next === "nothing") delete node.value;
      else if (next !== shape) node.value = empty(next, type);
    })];
    if (shape === "list") parts.push(choices?.length ? chips(T.value, choices, node.value || [], (value) => { node.value = value; }) : tokens(node, type, name));
    if (shape === "pair") {
      const pair = Array.isArray(node.value) ? node.value : ["", ""];
      node.value = pair;
      parts.push(input(T.from, kind, pair[0], (text) => { pair[0] = parse(text); }, facts), word(T.and), input(T.until, kind, pair[1], (text) => { pair[1] = parse(text); }, facts));
    }
    if (shape === "days") parts.push(input(T.days, "number", node.value, (text) => { node.value = number(text); }, { min: 0, class: "zy-input zb-number" }), word(T.days));
    if (shape === "one") parts.push(choices?.length ? select(T.value, [["", "–"], ...choices], node.value ?? "", (value) => { node.value = value; }) : input(T.value, kind, node.value, (text) => { node.value = parse(text); }, facts));
    return parts;
  };

  // When something was done: ever, in the last days, or between two dates.
  const within = (node) => {
    const how = !node.within ? "ever" : "days" in node.within ? "days" : "dates";
    const parts = [select(T.within, [["ever", T.ever], ["days", T.last_days], ["dates", T.dates]], how, (value) => {
      if (value === "ever") delete node.within;
      else node.within = value === "days" ? { days: 30 } : { from: "" };
    })];
    if (how === "days") parts.push(input(T.days, "number", node.within.days, (text) => { node.within.days = number(text); }, { min: 1, class: "zy-input zb-number" }), word(T.days));
    if (how === "dates") {
      const set = (key) => (text) => { if (text) node.within[key] = text; else delete node.within[key]; };
      parts.push(input(T.from, "date", (node.within.from || "").slice(0, 10), set("from")), word("–"), input(T.until, "date", (node.within.until || "").slice(0, 10), set("until")));
    }
    return parts;
  };

  // Lines that say of which events: "where category is one of …", any number of them.
  const where = (node) => {
    const lines = (node.where || []).map((line, at) => {
      const open = (line.field || "").startsWith("properties.");
      const known = catalogue.event_fields.find((one) => one.name === line.field) || { type: "any", operators: catalogue.any, choices: [] };
      const names = [...catalogue.event_fields.map((one) => [one.name, one.label]), ["properties.", T.property]];
      const parts = [word(at ? T.and : T.where), select(T.field, names, open ? "properties." : line.field, (value) => {
        const next = catalogue.event_fields.find((one) => one.name === value);
        line.field = value;
        line.is = next ? next.operators[0] : "is";
        line.value = empty(catalogue.shapes[line.is] || "one", next?.type);
      })];
      if (open) parts.push(input(T.name, "text", line.field.slice(11), (text) => { line.field = `properties.${text.trim()}`; }));
      parts.push(...comparison(line, known.type, known.choices, known.operators, `event.${line.field}`));
      if (!shared.readOnly) parts.push(button(T.remove, "close", () => { node.where.splice(at, 1); if (!node.where.length) delete node.where; shared.changed(); }));
      return el("div", { class: "zb-row zb-sub" }, ...parts);
    });
    return lines;
  };
  const more = (label, press, name) => (shared.readOnly ? null : el("button", { type: "button", class: "zb-more", "data-add": name, onclick: () => { press(); shared.changed(); } }, icon("add"), label));
  const moreWhere = (node) => more(T.more_where, () => { (node.where ||= []).push({ field: "category", is: "is", value: "" }); }, "where");

  window.zyBuilder = Object.assign(shared, { el, icon, word, button, select, input, listed, number, empty, chips, comparison, within, where, more, moreWhere });
})();
