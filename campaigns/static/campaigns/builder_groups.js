// The rule builder's boxes: groups of conditions, each drawn by its kind; what is changed is told to ``changed``.
(() => {
  "use strict";
  const shared = window.zyBuilder;
  if (!shared) return;
  const { T, KINDS, UNKNOWN, el, icon, button, select } = shared;
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
      shared.readOnly ? null : el("span", { class: "zb-tools" },
        button(T.copy, "content_copy", () => { siblings.splice(place + 1, 0, structuredClone(node)); shared.changed(); }),
        button(T.remove, "close", () => { siblings.splice(place, 1); shared.changed(); })));
  };
  const drawGroup = (node, path, drop) => {
    const mode = modeOf(node);
    const parts = node[mode];
    const here = path ? `${path}.${mode}` : mode;
    const head = el("div", { class: "zb-head" }, select(T.group, GROUPS.map((one) => [one, T[one]]), mode, (value) => { delete node[mode]; node[value] = parts; }));
    if (drop && !shared.readOnly) head.append(button(T.remove, "close", () => { drop(); shared.changed(); }));
    const box = el("fieldset", { class: `zb-group ${mode}`, "data-path": path }, head);
    parts.forEach((part, index) => {
      const at = `${here}[${index}]`;
      if (index) box.append(el("span", { class: "zb-between" }, T[`between_${mode}`]));
      box.append(modeOf(part) ? drawGroup(part, at, () => { parts.splice(index, 1); }) : drawCondition(part, parts, index, at));
    });
    if (!parts.length) box.append(el("p", { class: "zy-note" }, T[`empty_${mode}`]));
    if (!shared.readOnly) {
      const add = (name, made) => el("button", { type: "button", class: "zy-button", "data-add": name, onclick: () => { parts.push(made()); shared.changed(); } }, icon(name === "group" ? "account_tree" : "add"), T[name]);
      box.append(el("div", { class: "zy-buttons" }, add("condition", KINDS.field.blank), add("event", KINDS.event.blank), add("group", () => ({ any: [] }))));
    }
    return box;
  };
  shared.drawGroup = drawGroup;
})();
