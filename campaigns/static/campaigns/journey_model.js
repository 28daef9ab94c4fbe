// The journey that is drawn: its steps, what may come of each, where they stand, and every change with its undo.
(() => {
  "use strict";
  const told = document.getElementById("journey-data");
  if (!told) return;
  const data = JSON.parse(told.textContent);
  const shared = { data, T: data.words, readOnly: data.readOnly, counts: data.counts || {}, findings: [], looked: false, sentences: data.sentences || {}, changed: () => {} };
  const WIDE = 236, HIGH = 128, ACROSS = 36, DOWN = 66, UNDONE = 200;
  const START = "@start"; // the trigger, drawn like a step

  const blank = {
    wait: () => ({ minutes: 1440 }),
    wait_for_time: () => ({ begins: "09:00", ends: "20:00", weekdays: [] }),
    wait_for_event: () => ({ event: "purchase", minutes: 7 * 1440 }),
    wait_for_next: () => ({ event: "purchase", days_before: 2, minutes: 90 * 1440 }),
    condition: () => ({ rule: { all: [] } }),
    split: () => ({ branches: [{ name: "A", rule: { all: [] } }, { name: "B", rule: { all: [] } }] }),
    random_split: () => ({ branches: [{ name: "A", weight: 1 }, { name: "B", weight: 1 }] }),
    send: () => ({ channels: data.journeyChannels.slice(0, 1), variants: [{ name: "A", template: data.templates[0]?.id ?? 0, weight: 1 }] }),
    update: () => ({ set: { stage: "" } }),
    webhook: () => ({ name: "" }),
  };
  const OUTCOMES = { wait_for_event: ["came", "not"], wait_for_next: ["next", "unknown"], condition: ["yes", "no"], send: data.sendWays, goal: [], exit: [] };
  const outcomes = (step) => {
    const names = (step.branches || []).map((one) => one.name);
    if (step.kind === "split") return [...names, "else"];
    if (step.kind === "random_split") return names;
    return OUTCOMES[step.kind] || ["next"];
  };
  const wordOf = (outcome) => data.outcomes[outcome] || outcome;

  let graph = data.graph;
  const get = () => graph;
  const step = (key) => graph.steps[key];
  const wayTo = (key, outcome) => (key === START ? graph.first : graph.steps[key]?.ways?.[outcome]) || "";
  const set = (key, outcome, to) => {
    if (key === START) graph.first = to;
    else (graph.steps[key].ways ||= {})[outcome] = to;
  };
  const ways = () => {
    const found = graph.first ? [{ from: START, outcome: "next", to: graph.first }] : [];
    for (const [key, one] of Object.entries(graph.steps)) for (const outcome of outcomes(one)) if (graph.steps[wayTo(key, outcome)]) found.push({ from: key, outcome, to: wayTo(key, outcome) });
    return found;
  };

  // -- changes, each undone as one --
  const past = [], future = [];
  let last = "";
  const change = (act, { merge = "", redraw = true } = {}) => {
    if (shared.readOnly) return;
    if (!merge || merge !== last) { past.push(JSON.stringify(graph)); if (past.length > UNDONE) past.shift(); }
    last = merge;
    future.length = 0;
    act(graph);
    shared.changed({ redraw });
  };
  const turn = (from, to) => {
    if (!from.length) return;
    to.push(JSON.stringify(graph));
    graph = JSON.parse(from.pop());
    last = "";
    shared.changed({ redraw: true, whole: true });
  };
  const undo = () => turn(past, future);
  const redo = () => turn(future, past);

  const fresh = (kind) => {
    let number = 1;
    while (graph.steps[`${kind.slice(0, 18)}-${number}`]) number += 1;
    return `${kind.slice(0, 18)}-${number}`;
  };
  // A new step; on a way it stands between, and its first way goes on to where that led.
  const add = (kind, { from, outcome, place } = {}) => {
    const key = fresh(kind);
    change(() => {
      const made = { kind, ...(blank[kind]?.() || {}), ways: {} };
      graph.steps[key] = made;
      if (from) {
        const on = wayTo(from, outcome);
        const first = outcomes(made)[0];
        if (on && first) made.ways[first] = on;
        set(from, outcome, key);
      } else if (!graph.first) graph.first = key;
      if (place) made.place = place; else if (from) makeRoom(key, from, outcome);
      if (!made.place) layout();
    });
    return key;
  };
  const remove = (key) => change(() => {
    const on = outcomes(step(key)).map((outcome) => wayTo(key, outcome)).find((to) => to && to !== key) || "";
    if (graph.first === key) graph.first = on;
    for (const [other, one] of Object.entries(graph.steps)) for (const outcome of Object.keys(one.ways || {})) if (one.ways[outcome] === key) one.ways[outcome] = other === on ? "" : on;
    delete graph.steps[key];
  });
  const copy = (key) => {
    const made = fresh(step(key).kind);
    change(() => {
      const [x, y] = placeOf(key);
      graph.steps[made] = { ...structuredClone(step(key)), ways: {}, place: [x + WIDE + ACROSS, y + 24] };
    });
    return made;
  };
  const connect = (from, outcome, to) => change(() => set(from, outcome, to));
  const rename = (key, before, after) => { // a branch's name is the name of its way
    const { ways: all } = step(key);
    if (all && before in all) { all[after] = all[before]; delete all[before]; }
  };

  // -- where the steps stand: by the longest way to each, branches side by side --
  const placeOf = (key) => (key === START ? startPlace() : step(key).place || [0, 0]);
  const startPlace = () => { const [x, y] = (graph.first && step(graph.first)?.place) || [0, 0]; return [x, y - HIGH - DOWN + 26]; };
  const ranks = () => {
    const rank = {}, parent = {}, open = new Set(), seen = new Set(), order = [], back = new Set();
    const visit = (key) => {
      seen.add(key); open.add(key);
      for (const outcome of outcomes(step(key))) {
        const to = wayTo(key, outcome);
        if (!step(to)) continue;
        if (open.has(to)) back.add(`${key} ${to}`); else if (!seen.has(to)) visit(to);
      }
      open.delete(key); order.unshift(key);
    };
    if (step(graph.first)) { visit(graph.first); rank[graph.first] = 0; }
    for (const key of order) for (const outcome of outcomes(step(key))) {
      const to = wayTo(key, outcome);
      if (step(to) && !back.has(`${key} ${to}`) && (rank[to] ?? -1) < rank[key] + 1) { rank[to] = rank[key] + 1; parent[to] = key; }
    }
    return { rank, parent };
  };
  const layout = () => {
    const { rank, parent } = ranks();
    const children = {};
    for (const key of Object.keys(rank)) if (parent[key]) (children[parent[key]] ||= []).push(key);
    const order = (key) => outcomes(step(parent[key])).findIndex((outcome) => wayTo(parent[key], outcome) === key);
    for (const some of Object.values(children)) some.sort((one, other) => order(one) - order(other));
    const width = (key) => Math.max(1, (children[key] || []).reduce((sum, one) => sum + width(one), 0));
    const put = (key, left) => {
      const wide = width(key);
      step(key).place = [Math.round((left + wide / 2) * (WIDE + ACROSS)), rank[key] * (HIGH + DOWN)];
      let at = left;
      for (const one of children[key] || []) { put(one, at); at += width(one); }
    };
    if (step(graph.first)) put(graph.first, 0);
    const aside = (step(graph.first) ? width(graph.first) + 1 : 0) * (WIDE + ACROSS);
    Object.keys(graph.steps).filter((key) => !(key in rank)).forEach((key, index) => { step(key).place = [aside + (index % 3) * (WIDE + ACROSS), Math.floor(index / 3) * (HIGH + DOWN)]; });
  };
  // What follows a new step moves down to make room for it.
  const makeRoom = (key, from, outcome) => {
    const [x, y] = placeOf(from);
    const names = from === START ? ["next"] : outcomes(step(from));
    const beside = (names.indexOf(outcome) - (names.length - 1) / 2) * (WIDE + ACROSS);
    step(key).place = [Math.round(x + beside), y + HIGH + DOWN];
    const after = new Set();
    const follow = (one) => { for (const way of outcomes(step(one))) { const to = wayTo(one, way); if (step(to) && to !== key && !after.has(to) && step(to).place[1] > y) { after.add(to); follow(to); } } };
    follow(key);
    const near = [...after].some((one) => Math.abs(step(one).place[0] - step(key).place[0]) < WIDE && Math.abs(step(one).place[1] - step(key).place[1]) < HIGH);
    if (near) for (const one of after) step(one).place = [step(one).place[0], step(one).place[1] + HIGH + DOWN];
  };
  if (Object.values(graph.steps).some((one) => !one.place)) layout();

  window.zyJourney = Object.assign(shared, { WIDE, HIGH, START, get, step, ways, wayTo, wordOf, outcomes, change, undo, redo, add, remove, copy, connect, rename, layout, placeOf, canUndo: () => past.length > 0, canRedo: () => future.length > 0, kind: (code) => data.kinds.find((one) => one.code === code) || { code, label: code, icon: "help", tone: "" } });
})();
