// The rule builder: a tree of groups and conditions over the hidden JSON field, with what the server makes of it.
// What it has no form for it shows as JSON and keeps as it is.
(() => {
  "use strict";
  const field = document.getElementById("id_rule");
  const root = document.getElementById("builder");
  if (!field || !root) return;
  const catalogue = JSON.parse(document.getElementById("catalogue").textContent);
  const T = catalogue.words;
  const readOnly = root.dataset.readonly === "1";
  const GROUPS = ["all", "any", "none"];

  const el = (tag, facts = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(facts)) {
      if (name === "class") made.className = value;
      else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  };
  const select = (label, options, value, set) => {
    const made = el("select", { class: "zy-input", "aria-label": label, disabled: readOnly });
    const known = options.some(([code]) => String(code) === String(value));
    for (const [code, text] of known || value === undefined ? options : [...options, [value, String(value)]]) {
      made.append(el("option", { value: code, selected: String(code) === String(value) }, text));
    }
    made.addEventListener("change", () => { set(made.value); changed(); });
    return made;
  };
  const input = (label, type, value, set, facts = {}) => {
    const made = el("input", { class: "zy-input", type, value: value ?? "", "aria-label": label, placeholder: facts.placeholder || label, disabled: readOnly, ...facts });
    made.addEventListener("input", () => { set(made.value); changed(false); });
    return made;
  };
  const word = (text) => el("span", { class: "zy-note" }, text);
  const number = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text));
  const plain = (text) => (/^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text.trim());

  // An operator and what it compares with.
  const comparison = (node, type, choices, operators) => {
    const shape = catalogue.shapes[node.is] || "one";
    const parse = type === "text" || type === "choice" || type === "category" ? (text) => text.trim() : type === "number" ? number : plain;
    const kind = type === "moment" && shape !== "days" ? "date" : "text";
    const parts = [select(T.operator, operators.map((code) => [code, catalogue.operators[code]]), node.is, (value) => {
      node.is = value;
      const next = catalogue.shapes[value] || "one";
      if (next === "nothing") delete node.value;
      else if (next !== shape) node.value = next === "list" ? [] : next === "pair" ? ["", ""] : "";
    })];
    if (type === "flag") return [word(T.is), select(T.value, [["true", T.yes], ["false", T.no]], String(node.value), (value) => { node.value = value === "true"; })];
    if (shape === "list") {
      parts.push(input(T.several, "text", (node.value || []).join(", "), (text) => { node.value = text.split(/[,，、]/).map((one) => parse(one)).filter((one) => one !== ""); }));
    } else if (shape === "pair") {
      const pair = Array.isArray(node.value) ? node.value : ["", ""];
      node.value = pair;
      parts.push(input(T.from, kind, pair[0], (text) => { pair[0] = parse(text); }), word("–"), input(T.until, kind, pair[1], (text) => { pair[1] = parse(text); }));
    } else if (shape === "days") {
      parts.push(input(T.days, "number", node.value, (text) => { node.value = number(text); }, { min: 0 }), word(T.days));
    } else if (shape === "one") {
      parts.push(choices && choices.length ? select(T.value, [["", "–"], ...choices], node.value ?? "", (value) => { node.value = value; }) : input(T.value, kind, node.value, (text) => { node.value = parse(text); }));
    }
    return parts;
  };

  const within = (node) => [
    word(T.within),
    input(T.days, "number", node.within?.days, (text) => { if (text === "") delete node.within; else node.within = { days: number(text) }; }, { min: 1, placeholder: T.ever }),
    word(T.days),
  ];
  const only = (node, ...keys) => Object.keys(node).every((key) => keys.includes(key));
  const counted = (node) => !node.measure || node.measure.never || ["count", "sum"].some((one) => node.measure[one]);
  const KINDS = {
    field: {
      blank: () => ({ field: "city", is: "in", value: [] }),
      fits: (node) => "field" in node,
      form: (node) => {
        const known = catalogue.profile.find((one) => one.name === node.field) || { name: node.field, label: node.field, type: "any", choices: [], operators: catalogue.any };
        const names = [...catalogue.profile.map((one) => [one.name, one.label]), ["attributes.", T.attribute]];
        const open = (node.field || "").startsWith("attributes.");
        const parts = [select(T.field, names, open ? "attributes." : node.field, (value) => {
          const next = catalogue.profile.find((one) => one.name === value);
          node.field = value;
          node.is = next ? next.operators[0] : "is";
          const shape = catalogue.shapes[node.is] || "one";
          if (shape === "nothing") delete node.value;
          else node.value = shape === "list" ? [] : shape === "pair" ? ["", ""] : next && next.type === "flag" ? true : "";
        })];
        if (open) parts.push(input(T.name, "text", node.field.slice(11), (text) => { node.field = `attributes.${text.trim()}`; }));
        return [...parts, ...comparison(node, known.type, known.choices, known.operators)];
      },
    },
    event: {
      blank: () => ({ event: "purchase", within: { days: 30 }, measure: { count: { is: "at_least", value: 1 } } }),
      fits: (node) => "event" in node && only(node, "event", "name", "where", "within", "measure") && counted(node)
        && (node.where || []).length < 2 && (!node.within || only(node.within, "days")),
      form: (node) => {
        const measure = node.measure?.never ? "never" : node.measure?.sum ? "sum" : "count";
        const parts = [
          select(T.event, catalogue.events, node.event, (value) => { node.event = value; }),
          input(T.name, "text", node.name, (text) => { if (text) node.name = text; else delete node.name; }, { placeholder: T.any_name }),
          select(T.measure, [["count", T.times], ["sum", T.sum], ["never", T.never]], measure, (value) => {
            node.measure = value === "never" ? { never: true } : { [value]: { is: "at_least", value: 1 } };
          }),
        ];
        if (measure !== "never") {
          node.measure ||= { count: { is: "at_least", value: 1 } };
          parts.push(...comparison(node.measure[measure], "number", [], catalogue.counted));
        }
        parts.push(...within(node));
        const where = node.where?.[0];
        parts.push(select(T.where, [["", T.anything], ...catalogue.event_fields.map((one) => [one.name, one.label])], where ? where.field : "", (value) => {
          if (!value) delete node.where;
          else node.where = [{ field: value, is: "is", value: "" }];
        }));
        if (where) {
          const known = catalogue.event_fields.find((one) => one.name === where.field) || { type: "any", operators: catalogue.any, choices: [] };
          parts.push(...comparison(where, known.type, known.choices, known.operators));
        }
        return parts;
      },
    },
    consent: {
      blank: () => ({ consent: catalogue.purposes[0]?.[0] || "", channel: "email", is: "allowed" }),
      fits: (node) => "consent" in node,
      form: (node) => [
        select(T.purpose, catalogue.purposes, node.consent, (value) => { node.consent = value; }),
        select(T.channel, [["", T.every_channel], ...catalogue.channels], node.channel || "", (value) => { if (value) node.channel = value; else delete node.channel; }),
        select(T.state, catalogue.consents, node.is, (value) => { node.is = value; }),
      ],
    },
    address: {
      blank: () => ({ address: "email", is: "known" }),
      fits: (node) => "address" in node,
      form: (node) => [
        select(T.address, catalogue.addresses, node.address, (value) => { node.address = value; }),
        select(T.state, catalogue.address_states, node.is, (value) => { node.is = value; }),
      ],
    },
    score: {
      blank: () => ({ score: catalogue.scores[0]?.[0] || "churn", is: "top_share", value: 0.1 }),
      fits: (node) => "score" in node,
      form: (node) => [
        select(T.score, catalogue.scores, node.score, (value) => { node.score = value; }),
        ...comparison(node, "number", [], ["top_share", "at_least", "at_most", "between"]),
      ],
    },
    cluster: {
      blank: () => ({ cluster: catalogue.clusters[0]?.[0] || "rfm", is: "in", value: [0] }),
      fits: (node) => "cluster" in node,
      form: (node) => [
        select(T.cluster, catalogue.clusters, node.cluster, (value) => { node.cluster = value; }),
        ...comparison(node, "number", [], ["in", "not_in"]),
      ],
    },
    campaign: {
      blank: () => ({ campaign: Number(catalogue.campaigns[0]?.[0] || 0), is: "received" }),
      fits: (node) => "campaign" in node && (!node.within || only(node.within, "days")),
      form: (node) => [
        select(T.state, catalogue.of_campaigns, node.is, (value) => { node.is = value; }),
        select(T.campaign, catalogue.campaigns, node.campaign, (value) => { node.campaign = Number(value); }),
        ...within(node),
      ],
    },
    segment: {
      blank: () => ({ segment: Number(catalogue.segments[0]?.[0] || 0) }),
      fits: (node) => "segment" in node,
      form: (node) => [word(T.belongs), select(T.segment, catalogue.segments, node.segment, (value) => { node.segment = Number(value); })],
    },
    bucket: {
      blank: () => ({ bucket: "test", from: 0, until: 0.1 }),
      fits: (node) => "bucket" in node,
      form: (node) => [
        input(T.salt, "text", node.bucket, (text) => { node.bucket = text; }),
        input(T.from, "number", node.from, (text) => { node.from = number(text); }, { min: 0, max: 1, step: 0.01 }), word("–"),
        input(T.until, "number", node.until, (text) => { node.until = number(text); }, { min: 0, max: 1, step: 0.01 }),
      ],
    },
    other: {
      blank: () => ({ related: "referred", is: "any" }),
      fits: () => true,
      form: (node) => {
        const area = el("textarea", { class: "zy-input zy-mono", rows: 3, "aria-label": "JSON", disabled: readOnly }, JSON.stringify(node));
        area.addEventListener("input", () => {
          let told;
          try { told = JSON.parse(area.value); } catch { area.setAttribute("aria-invalid", "true"); return; }
          area.removeAttribute("aria-invalid");
          for (const key of Object.keys(node)) delete node[key];
          Object.assign(node, told);
          changed(false);
        });
        return [area];
      },
    },
  };

  const modeOf = (node) => GROUPS.find((mode) => mode in node);
  const kindOf = (node) => Object.keys(KINDS).find((kind) => KINDS[kind].fits(node));

  const drawCondition = (node, siblings, place, path) => {
    const kind = kindOf(node);
    const row = el("div", { class: "zb-row", "data-path": path, "data-kind": kind });
    row.append(select(T.kind, Object.keys(KINDS).map((one) => [one, T[`kind_${one}`]]), kind, (value) => { siblings[place] = KINDS[value].blank(); }));
    row.append(...KINDS[kind].form(node));
    if (!readOnly) row.append(remove(siblings, place));
    return row;
  };
  const remove = (siblings, place) => el("button", { type: "button", class: "zb-icon", title: T.remove, "aria-label": T.remove, onclick: () => { siblings.splice(place, 1); changed(); } }, el("span", { class: "material-symbols-outlined" }, "close"));
  const drawGroup = (node, siblings, place, path) => {
    const mode = modeOf(node);
    const parts = node[mode];
    const here = path ? `${path}.${mode}` : mode;
    const box = el("fieldset", { class: `zb-group ${mode}`, "data-path": path });
    const head = el("div", { class: "zb-head" }, select(T.group, GROUPS.map((one) => [one, T[one]]), mode, (value) => { delete node[mode]; node[value] = parts; }));
    if (siblings && !readOnly) head.append(remove(siblings, place));
    box.append(head);
    parts.forEach((part, index) => {
      const at = `${here}[${index}]`;
      box.append(modeOf(part) ? drawGroup(part, parts, index, at) : drawCondition(part, parts, index, at));
    });
    if (!parts.length) box.append(el("p", { class: "zy-note" }, T[`empty_${mode}`]));
    if (!readOnly) {
      box.append(el("div", { class: "zy-buttons" },
        el("button", { type: "button", class: "zy-button", "data-add": "condition", onclick: () => { parts.push(KINDS.field.blank()); changed(); } }, `+ ${T.condition}`),
        el("button", { type: "button", class: "zy-button", "data-add": "group", onclick: () => { parts.push({ any: [] }); changed(); } }, `+ ${T.group}`)));
    }
    return box;
  };

  let tree;
  try { tree = JSON.parse(field.value || "null"); } catch { tree = null; }
  if (!tree || typeof tree !== "object") tree = { all: [] };
  if (!modeOf(tree)) tree = { all: [tree] };

  const draw = () => root.replaceChildren(drawGroup(tree, null, 0, ""));
  let timer, asked = 0;
  const answer = document.getElementById("preview");
  const ask = async (more) => {
    const mine = ++asked;
    answer.setAttribute("aria-busy", "true");
    const body = new URLSearchParams({ rule: JSON.stringify(tree) });
    if (more) body.set("more", "1");
    try {
      const got = await fetch(root.dataset.preview, { method: "POST", body, headers: { "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value } });
      const text = await got.text();
      if (mine !== asked) return; // a later question is under way
      if (!got.ok) throw new Error(String(got.status));
      answer.innerHTML = text;
      for (const wrong of root.querySelectorAll(".zb-wrong")) wrong.classList.remove("zb-wrong");
      const path = answer.querySelector("[data-path]")?.dataset.path;
      if (path !== undefined) {
        const places = [...root.querySelectorAll("[data-path]")].filter((one) => path.startsWith(one.dataset.path));
        places.sort((one, other) => other.dataset.path.length - one.dataset.path.length)[0]?.classList.add("zb-wrong");
      }
    } catch { if (mine === asked) answer.textContent = T.unreachable; }
    if (mine === asked) answer.removeAttribute("aria-busy");
  };
  const changed = (redraw = true) => {
    field.value = JSON.stringify(tree);
    if (redraw) draw();
    clearTimeout(timer);
    timer = setTimeout(ask, 350);
  };
  answer.addEventListener("click", (event) => { if (event.target.closest("[data-more]")) ask(true); });
  field.value = JSON.stringify(tree);
  draw();
  ask();
})();
