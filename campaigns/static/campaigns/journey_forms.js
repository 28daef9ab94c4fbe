// What a step says in a line, and the fields with which it is changed: a form for each kind.
(() => {
  "use strict";
  const shared = window.zyJourney;
  if (!shared) return;
  const { data, T, START, get, step, wayTo, wordOf, outcomes, change, rename, kind } = shared;
  const builder = window.zyBuilder;
  const { el, icon } = builder;
  const off = () => shared.readOnly;
  const words = (pairs, code) => pairs.find(([one]) => String(one) === String(code))?.[1] ?? code;
  const fill = (text, facts) => text.replace(/%\((\w+)\)s/g, (_all, name) => facts[name]);

  // -- in words --
  const UNITS = [["week", 10080], ["day", 1440], ["hour", 60], ["minute", 1]];
  const unitOf = (minutes) => UNITS.find(([, size]) => minutes % size === 0) || UNITS[3];
  const lasting = (minutes) => { const [unit, size] = unitOf(minutes); const number = minutes / size; return fill(T[`${unit}_${number === 1 ? "one" : "many"}`], { n: number }); };
  const days = (chosen) => (chosen?.length && chosen.length < 7 ? chosen.map((one) => data.weekdays[one]).join(T.comma) : "");
  const eventOf = (one) => (one.name ? `${words(data.events, one.event)} “${one.name}”` : words(data.events, one.event));
  const templateOf = (id) => data.templates.find((one) => one.id === id)?.name || data.otherTemplates[id] || T.no_template;
  const SAYS = {
    wait: (one) => lasting(one.minutes),
    wait_for_time: (one) => [`${one.begins}–${one.ends}`, days(one.weekdays)].filter(Boolean).join(", "),
    wait_for_event: (one) => fill(T.within_time, { event: eventOf(one), time: lasting(one.minutes) }),
    wait_for_next: (one) => fill(one.days_before ? T.usual_before : T.usual_on, { event: words(data.events, one.event), n: one.days_before }),
    condition: (one, key) => shared.sentences[key] || T.rule_to_come,
    split: (one) => fill(T.of_rules, { n: one.branches.length }),
    random_split: (one) => { const all = one.branches.reduce((sum, branch) => sum + Number(branch.weight || 0), 0) || 1; return one.branches.map((branch) => `${branch.name} ${Math.round((100 * branch.weight) / all)} %`).join(" · "); },
    send: (one) => [one.channels.map((code) => words(data.channels, code)).join(" → "), one.variants.map((variant) => templateOf(variant.template)).join(" / ")].join(": "),
    update: (one) => Object.entries(one.set || {}).map(([name, value]) => `${name} = ${value ?? "–"}`).join(T.comma),
    webhook: (one) => one.name || "–",
    goal: () => T.goal_says,
    exit: () => T.exit_says,
    event: (one) => eventOf(one),
    segment: (one) => (one.present ? T.trigger_present_says : T.trigger_segment_says),
    date: (one) => fill(one.days_before ? T.trigger_before : T.trigger_on, { n: one.days_before, at: one.at || "10:00" }),
    api: () => T.trigger_api_says,
  };
  shared.summary = (key) => {
    const one = key === START ? get().trigger : step(key);
    try { return String((SAYS[one.kind] || (() => kind(one.kind).hint || ""))(one, key)); } catch { return "–"; }
  };

  // -- fields --
  const field = (label, control, note) => el("label", { class: "zy-field" }, el("span", {}, label), control, note ? el("span", { class: "zy-note" }, note) : null);
  const group = (label, ...parts) => el("div", { class: "zy-field", role: "group", "aria-label": label }, el("span", {}, label), ...parts);
  const input = (key, name, facts = {}, read = (text) => text, write = (one, value) => { one[name] = value; }) => {
    const one = key === START ? get().trigger : step(key);
    const made = el("input", { class: "zy-input", type: "text", value: one[name] ?? "", disabled: off(), autocomplete: "off", name, ...facts });
    made.addEventListener("input", () => change(() => write(key === START ? get().trigger : step(key), read(made.value)), { merge: `${key} ${name}`, redraw: false }));
    return made;
  };
  const select = (options, value, set, facts = {}) => {
    const known = options.some(([code]) => String(code) === String(value));
    const made = el("select", { class: "zy-input", disabled: off(), ...facts }, ...(known ? options : [[value, String(value || "–")], ...options]).map(([code, text]) => el("option", { value: code, selected: String(code) === String(value) }, text)));
    made.addEventListener("change", () => { change(() => set(made.value)); shared.inspect(); });
    return made;
  };
  const whole = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text);
  const length = (key) => {
    const one = step(key), [unit, size] = unitOf(one.minutes);
    const number = el("input", { class: "zy-input jc-short", type: "number", min: 1, value: one.minutes / size, disabled: off(), name: "minutes", "aria-label": T.how_long });
    const units = el("select", { class: "zy-input", disabled: off(), "aria-label": T.unit }, ...UNITS.map(([name]) => el("option", { value: name, selected: name === unit }, T[`${name}s`])));
    const tell = () => change(() => { step(key).minutes = Math.round(Number(number.value) * UNITS.find(([name]) => name === units.value)[1]); }, { merge: `${key} minutes`, redraw: false });
    number.addEventListener("input", tell);
    units.addEventListener("change", tell);
    return el("div", { class: "jc-row" }, number, units);
  };
  const event = (key) => {
    const one = () => (key === START ? get().trigger : step(key));
    return [field(T.event, select(data.events, one().event, (value) => { one().event = value; }, { name: "event" })), field(T.event_name, input(key, "name", { placeholder: T.any_name, list: builder.listed("event.name") }, (text) => text.trim(), (of, value) => { if (value) of.name = value; else delete of.name; }))];
  };
  const iconButton = (label, sign, press) => (off() ? null : el("button", { type: "button", class: "zb-icon", title: label, "aria-label": label, onclick: press }, icon(sign)));
  const moreButton = (label, press) => (off() ? null : el("button", { type: "button", class: "zb-more", onclick: press }, icon("add"), label));
  const after = (act) => () => { change(act); shared.inspect(); };
  const ruleButton = (key, title, get_, set) => el("div", { class: "jc-rule" }, el("p", { class: "zy-note" }, title), el("button", { type: "button", class: "zy-button", "data-rule-of": key, onclick: () => shared.editRule(get_(), set) }, icon(off() ? "visibility" : "rule"), off() ? T.see_rule : T.edit_rule));
  const freeName = (names) => { for (let code = 65; code < 91; code += 1) if (!names.includes(String.fromCharCode(code))) return String.fromCharCode(code); return `${names.length + 1}`; };

  const named = (key, list, index) => {
    const made = el("input", { class: "zy-input", value: list[index].name, disabled: off(), "aria-label": T.name, maxlength: 24 });
    made.addEventListener("change", () => change(() => {
      const of = step(key), before = of.branches[index].name, name = made.value.trim();
      if (!name || name === "else" || of.branches.some((one, at) => at !== index && one.name === name)) { made.value = before; return; }
      of.branches[index].name = name;
      rename(key, before, name);
    }));
    return made;
  };
  const branches = (key, what) => {
    const list = step(key).branches;
    return group(T.branches, ...list.map((one, index) => el("div", { class: "jc-branch" },
      el("div", { class: "jc-row" }, named(key, list, index),
        what === "weight" ? weight(key, (of) => of.branches[index]) : null,
        list.length > 1 ? iconButton(T.remove, "close", after(() => { const of = step(key); delete of.ways?.[list[index].name]; of.branches.splice(index, 1); })) : null),
      what === "rule" ? ruleButton(key, shared.sentences[`${key} ${one.name}`] || "", () => step(key).branches[index].rule, (rule) => { step(key).branches[index].rule = rule; }) : null)),
    moreButton(T.more_branch, after(() => { const of = step(key).branches; of.push({ name: freeName(of.map((one) => one.name)), ...(what === "rule" ? { rule: { all: [] } } : { weight: 1 }) }); })));
  };
  const weight = (key, find) => {
    const made = el("input", { class: "zy-input jc-short", type: "number", min: 1, max: 1000, value: find(step(key)).weight ?? 1, disabled: off(), title: T.weight, "aria-label": T.weight });
    made.addEventListener("input", () => change(() => { find(step(key)).weight = whole(made.value); }, { merge: `${key} weight`, redraw: false }));
    return made;
  };
  const channels = (key) => {
    const chosen = step(key).channels;
    return group(T.channels, el("div", { class: "zb-chips" }, ...data.channels.map(([code, text]) => el("button", {
      type: "button", class: "zb-chip", "aria-pressed": String(chosen.includes(code)), disabled: off(), "data-channel": code,
      onclick: after(() => { const of = step(key); of.channels = of.channels.includes(code) ? of.channels.filter((one) => one !== code) : [...of.channels, code]; }),
    }, chosen.includes(code) && chosen.length > 1 ? `${chosen.indexOf(code) + 1} · ${text}` : text))), el("span", { class: "zy-note" }, T.channels_note));
  };
  const messages = (key) => {
    const list = step(key).variants;
    return group(list.length > 1 ? T.messages : T.message, ...list.map((one, index) => el("div", { class: "jc-branch" },
      el("div", { class: "jc-row" }, list.length > 1 ? el("span", { class: "jc-letter" }, one.name) : null,
        select(data.templates.map((of) => [of.id, of.name]).concat(data.otherTemplates[one.template] ? [[one.template, data.otherTemplates[one.template]]] : []), one.template, (value) => { step(key).variants[index].template = Number(value); }, { "aria-label": T.template, "data-template": index }),
        list.length > 1 ? weight(key, (of) => of.variants[index]) : null,
        list.length > 1 ? iconButton(T.remove, "close", after(() => { step(key).variants.splice(index, 1); })) : null),
      ...says(step(key), one))),
    data.templates.length ? null : el("span", { class: "zy-note" }, T.no_templates), moreButton(T.more_message, after(() => { const of = step(key).variants; of.push({ name: freeName(of.map((one) => one.name)), template: data.templates[0]?.id ?? 0, weight: 1 }); })));
  };
  const says = (of, variant) => { // a channel for which the message says nothing
    const known = data.templates.find((one) => one.id === variant.template);
    const none = known ? of.channels.filter((code) => !known.channels.includes(code)) : [];
    return none.length ? [el("span", { class: "jc-problem" }, fill(T.says_nothing, { channels: none.map((code) => words(data.channels, code)).join(T.comma) }))] : [];
  };
  const plain = (text) => (/^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text === "true" ? true : text === "false" ? false : text);
  const attributes = (key) => {
    const rows = Object.entries(step(key).set || {});
    const write = (found) => change(() => { step(key).set = Object.fromEntries(found.filter(([name]) => name)); }, { merge: `${key} set`, redraw: false });
    return group(T.attributes, ...rows.map(([name, value], index) => {
      const names = el("input", { class: "zy-input", value: name, disabled: off(), "aria-label": T.name, placeholder: T.name });
      const values = el("input", { class: "zy-input", value: String(value ?? ""), disabled: off(), "aria-label": T.value, placeholder: T.value });
      const tell = () => { rows[index] = [names.value.trim(), plain(values.value)]; write(rows); };
      names.addEventListener("input", tell);
      values.addEventListener("input", tell);
      return el("div", { class: "jc-row" }, names, values, rows.length > 1 ? iconButton(T.remove, "close", after(() => { delete step(key).set[rows[index][0]]; })) : null);
    }), moreButton(T.more_attribute, after(() => { let n = 1; while (`attribute_${n}` in step(key).set) n += 1; step(key).set[`attribute_${n}`] = ""; })));
  };
  const FORMS = {
    wait: (key) => [group(T.how_long, length(key))],
    wait_for_time: (key) => [
      el("div", { class: "jc-row" }, field(T.from, input(key, "begins", { type: "time" })), field(T.until, input(key, "ends", { type: "time" }))),
      group(T.weekdays, el("div", { class: "zb-chips" }, ...data.weekdays.map((text, day) => { const chosen = step(key).weekdays || []; return el("button", { type: "button", class: "zb-chip", disabled: off(), "aria-pressed": String(!chosen.length || chosen.includes(day)), onclick: after(() => { const all = chosen.length ? chosen : [0, 1, 2, 3, 4, 5, 6]; const next = all.includes(day) ? all.filter((one) => one !== day) : [...all, day].sort(); step(key).weekdays = next.length === 7 ? [] : next; }) }, text); }))),
    ],
    wait_for_event: (key) => [...event(key), group(T.longest, length(key))],
    wait_for_next: (key) => [field(T.event, select(data.events, step(key).event, (value) => { step(key).event = value; }, { name: "event" })), field(T.days_before, input(key, "days_before", { type: "number", min: 0, max: 60 }, whole)), group(T.longest, length(key))],
    condition: (key) => [group(T.rule, ruleButton(key, shared.sentences[key] || T.rule_to_come, () => step(key).rule, (rule) => { step(key).rule = rule; }))],
    split: (key) => [branches(key, "rule"), el("p", { class: "zy-note" }, T.split_note)],
    random_split: (key) => [branches(key, "weight")],
    send: (key) => [channels(key), data.byPreference ? field(T.order, select([["", T.order_given], ["preference", T.order_preference]], step(key).order || "", (value) => { if (value) step(key).order = value; else delete step(key).order; }, { name: "order" })) : null, messages(key)],
    update: (key) => [attributes(key)],
    webhook: (key) => [field(T.webhook_name, input(key, "name", { maxlength: 80 }), T.webhook_note)],
  };
  const triggers = {
    event: () => event(START),
    segment: () => [field(T.present, select([["", T.present_not], ["1", T.present_too]], get().trigger.present ? "1" : "", (value) => { if (value) get().trigger.present = true; else delete get().trigger.present; }, { name: "present" }))],
    date: () => [field(T.days_before, input(START, "days_before", { type: "number", min: 0, max: 60 }, whole)), field(T.at, input(START, "at", { type: "time" }))],
  };
  const BLANK = { event: { event: "purchase" }, segment: {}, date: { field: "birthday", days_before: 0, at: "10:00" }, api: {} };
  const waysOf = (key) => outcomes(step(key)).map((outcome) => field(outcome === "next" && outcomes(step(key)).length === 1 ? T.way_on : wordOf(outcome), select([["", T.ends_here], ...Object.keys(get().steps).filter((one) => one !== key).map((one) => [one, nameOf(one)])], wayTo(key, outcome), (value) => { (step(key).ways ||= {})[outcome] = value; }, { "data-way": outcome })));
  const nameOf = (key) => step(key).title || `${kind(step(key).kind).label}: ${shared.summary(key).slice(0, 40)}`;
  const problems = (key) => shared.findings.filter((one) => one.step === key).map((one) => el("p", { class: `jc-problem${one.blocking ? " bad" : ""}` }, icon("error"), one.text));

  shared.formOf = (key) => {
    if (key === START) {
      const one = get().trigger;
      return [field(T.trigger, select(data.triggers, one.kind, (value) => { get().trigger = { kind: value, ...BLANK[value] }; }, { name: "trigger" })), ...(triggers[one.kind]?.() || []), field(T.first, select(Object.keys(get().steps).map((of) => [of, nameOf(of)]), get().first, (value) => { get().first = value; }))];
    }
    const one = step(key);
    return [...problems(key), field(T.title, input(key, "title", { maxlength: 80, placeholder: kind(one.kind).label }, (text) => text, (of, value) => { if (value) of.title = value; else delete of.title; })), ...(FORMS[one.kind]?.(key) || []).filter(Boolean), ...(outcomes(one).length ? [el("h4", { class: "jc-sub" }, T.then), ...waysOf(key)] : [])];
  };
  Object.assign(shared, { nameOf, fill, lasting });
})();
