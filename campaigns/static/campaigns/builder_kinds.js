// What can be asked, a form for each kind: `blank` begins one, `fits` knows one, `form` is its first line, `lines` the others.
(() => {
  "use strict";
  const shared = window.zyBuilder;
  if (!shared) return;
  const { catalogue, T, el, word, button, select, input, listed, number, empty, chips, comparison, within, where, more, moreWhere } = shared;
  const first = (pairs, otherwise) => pairs[0]?.[0] ?? otherwise;
  const WHEN = ["first", "last"];

  const events = (node, rest) => [
    select(T.event, catalogue.events, node.event, (value) => { node.event = value; }),
    input(T.any_name, "text", node.name, (text) => { if (text) node.name = text; else delete node.name; }, { list: listed("event.name"), class: "zy-input zb-name" }),
    ...rest,
  ];
  const measured = (node) => {
    const measure = node.measure ? Object.keys(node.measure)[0] : "count";
    const parts = [select(T.measure, ["count", "sum", "first", "last", "never"].map((one) => [one, T[`measure_${one}`]]), measure, (value) => {
      node.measure = value === "never" ? { never: true } : { [value]: WHEN.includes(value) ? { is: "within_days", value: 30 } : { is: "at_least", value: 1 } };
    })];
    if (measure === "never") return parts;
    node.measure ||= { count: { is: "at_least", value: 1 } };
    const dated = WHEN.includes(measure);
    return [...parts, ...comparison(node.measure[measure], dated ? "moment" : "number", [], dated ? catalogue.when : catalogue.counted), measure === "count" ? word(T.times) : null];
  };
  const followed = (node) => {
    const then = node.then;
    return [
      el("div", { class: "zb-row zb-sub zb-then" }, word(T.then),
        ...events(then, [word(T.within), input(T.days, "number", then.within_days, (text) => { then.within_days = number(text); }, { min: 0, class: "zy-input zb-number" }), word(T.days)]),
        shared.readOnly ? null : button(T.remove, "close", () => { delete node.then; shared.changed(); })),
      ...where(then),
      el("div", { class: "zb-adds zb-deep" }, moreWhere(then)),
    ];
  };

  shared.KINDS = {
    field: {
      icon: "person",
      blank: () => ({ field: "city", is: "in", value: [] }),
      fits: (node) => "field" in node,
      form: (node) => {
        const open = (node.field || "").startsWith("attributes.");
        const known = catalogue.profile.find((one) => one.name === node.field) || { type: "any", choices: [], operators: catalogue.any };
        const names = [...catalogue.profile.map((one) => [one.name, one.label]), ["attributes.", T.attribute]];
        const parts = [select(T.field, names, open ? "attributes." : node.field, (value) => {
          const next = catalogue.profile.find((one) => one.name === value);
          node.field = value;
          node.is = next ? next.operators[0] : "is";
          node.value = empty(catalogue.shapes[node.is] || "one", next?.type);
          if (node.value === undefined) delete node.value;
        })];
        if (open) parts.push(input(T.name, "text", node.field.slice(11), (text) => { node.field = `attributes.${text.trim()}`; }));
        return [...parts, ...comparison(node, known.type, known.choices, known.operators, `profile.${node.field}`)];
      },
    },
    event: {
      icon: "bolt",
      blank: () => ({ event: "purchase", within: { days: 30 }, measure: { count: { is: "at_least", value: 1 } } }),
      fits: (node) => "event" in node,
      form: (node) => events(node, []),
      lines: (node) => [
        el("div", { class: "zb-row zb-sub" }, ...measured(node), ...within(node)),
        ...where(node),
        ...(node.then ? followed(node) : []),
        el("div", { class: "zb-adds" }, moreWhere(node), node.then ? null : more(T.more_then, () => { node.then = { event: "purchase", within_days: 3 }; }, "then")),
      ],
    },
    consent: {
      icon: "verified_user",
      blank: () => ({ consent: first(catalogue.purposes, ""), channel: "email", is: "allowed" }),
      fits: (node) => "consent" in node,
      form: (node) => [
        select(T.purpose, catalogue.purposes, node.consent, (value) => { node.consent = value; }),
        select(T.channel, [["", T.every_channel], ...catalogue.channels], node.channel || "", (value) => { if (value) node.channel = value; else delete node.channel; }),
        select(T.state, catalogue.consents, node.is, (value) => { node.is = value; }),
      ],
    },
    address: {
      icon: "alternate_email",
      blank: () => ({ address: "email", is: "known" }),
      fits: (node) => "address" in node,
      form: (node) => [
        select(T.address, catalogue.addresses, node.address, (value) => { node.address = value; }),
        select(T.state, catalogue.address_states, node.is, (value) => { node.is = value; }),
      ],
    },
    related: {
      icon: "group",
      blank: () => ({ related: catalogue.common["relation.kind"]?.[0] || "referred", is: "any" }),
      fits: (node) => "related" in node,
      form: (node) => [
        select(T.state, [["any", T.has_relation], ["none", T.no_relation]], node.is || "any", (value) => { node.is = value; }),
        input(T.relation, "text", node.related, (text) => { node.related = text.trim(); }, { list: listed("relation.kind") }),
        word(node.to ? T.to_those : T.to_anybody),
      ],
      lines: (node, path) => {
        if (!node.to) return [el("div", { class: "zb-adds" }, more(T.more_to, () => { node.to = { all: [shared.KINDS.field.blank()] }; }, "to"))];
        if (!shared.modeOf(node.to)) node.to = { all: [node.to] };
        return [shared.drawGroup(node.to, `${path}.to`, () => { delete node.to; })];
      },
    },
    score: {
      icon: "insights",
      blank: () => ({ score: first(catalogue.scores, "churn"), is: "top_share", value: 0.1 }),
      fits: (node) => "score" in node,
      form: (node) => [
        select(T.score, catalogue.scores, node.score, (value) => { node.score = value; delete node.fact; }),
        ((catalogue.facts || {})[node.score] || []).length > 1 ? select(T.score_fact, catalogue.facts[node.score], node.fact || "", (value) => { if (value) node.fact = value; else delete node.fact; }) : null,
        ...comparison(node, "number", [], ["top_share", "at_least", "at_most", "between"]),
        node.is === "top_share" ? word(T.of_all) : word(((catalogue.units || {})[node.score] || {})[node.fact || ""] || ""),
      ],
    },
    cluster: {
      icon: "bubble_chart",
      blank: () => ({ cluster: first(catalogue.clusters, "rfm"), is: "in", value: [] }),
      fits: (node) => "cluster" in node,
      form: (node) => {
        const groups = catalogue.groups[node.cluster] || [];
        const parts = [
          select(T.cluster, catalogue.clusters, node.cluster, (value) => { node.cluster = value; node.value = []; }),
          select(T.operator, ["in", "not_in"].map((code) => [code, catalogue.operators[code]]), node.is || "in", (value) => { node.is = value; }),
        ];
        if (!groups.length) return [...parts, ...comparison({ ...node, is: "in" }, "number", [], ["in"]).slice(1)];
        return [...parts, chips(T.cluster, groups, node.value || [], (value) => { node.value = value.map(Number); })];
      },
    },
    recommended: {
      icon: "recommend",
      blank: () => ({ recommended: { category: "" }, within_rank: 5 }),
      fits: (node) => "recommended" in node,
      form: (node) => {
        const by = "item" in node.recommended ? "item" : "category";
        return [
          select(T.kind, [["category", T.by_category], ["item", T.by_item]], by, (value) => { node.recommended = { [value]: "" }; }),
          input(by === "item" ? T.item_code : T.category, "text", node.recommended[by], (text) => { node.recommended[by] = text.trim(); }, { list: by === "category" ? listed("event.category") : undefined }),
          word(T.among_first),
          input(T.rank, "number", node.within_rank ?? 5, (text) => { node.within_rank = number(text); }, { min: 1, max: 1000, class: "zy-input zb-number" }),
          word(T.recommendations),
        ];
      },
    },
    repurchase: {
      icon: "autorenew",
      blank: () => ({ repurchase: {}, due_within_days: 7 }),
      fits: (node) => "repurchase" in node,
      form: (node) => {
        const by = Object.keys(node.repurchase)[0] || "";
        return [
          select(T.kind, [["", T.by_anything], ["category", T.by_category], ["item", T.by_item]], by, (value) => { node.repurchase = value ? { [value]: "" } : {}; }),
          by ? input(by === "item" ? T.item_code : T.category, "text", node.repurchase[by], (text) => { node.repurchase[by] = text.trim(); }, { list: by === "category" ? listed("event.category") : undefined }) : null,
          word(T.due_within),
          input(T.days, "number", node.due_within_days, (text) => { node.due_within_days = number(text); }, { min: 0, max: 366, class: "zy-input zb-number" }),
          word(T.days),
        ];
      },
    },
    campaign: {
      icon: "campaign",
      blank: () => ({ campaign: Number(first(catalogue.campaigns, 0)), is: "received" }),
      fits: (node) => "campaign" in node,
      form: (node) => [
        select(T.state, catalogue.of_campaigns, node.is, (value) => { node.is = value; }),
        select(T.campaign, catalogue.campaigns, node.campaign, (value) => { node.campaign = Number(value); }),
        ...within(node),
      ],
    },
    segment: {
      icon: "workspaces",
      blank: () => ({ segment: Number(first(catalogue.segments, 0)) }),
      fits: (node) => "segment" in node,
      form: (node) => [word(T.belongs), select(T.segment, catalogue.segments, node.segment, (value) => { node.segment = Number(value); })],
    },
    bucket: {
      icon: "casino",
      blank: () => ({ bucket: "test", from: 0, until: 0.1 }),
      fits: (node) => "bucket" in node,
      form: (node) => {
        const share = (key) => input(T[key], "number", Math.round(node[key] * 10000) / 100, (text) => { node[key] = text.trim() === "" ? text : Number((Number(text) / 100).toFixed(6)); }, { min: 0, max: 100, step: 0.1, class: "zy-input zb-number" });
        return [word(T.draw), input(T.salt, "text", node.bucket, (text) => { node.bucket = text; }), word(T.between), share("from"), word("–"), share("until"), word("%")];
      },
    },
  };
  // What a later release wrote is shown as it is, and kept.
  shared.UNKNOWN = { icon: "data_object", form: (node) => [el("code", { class: "zy-mono" }, JSON.stringify(node))] };
})();
