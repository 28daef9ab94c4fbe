/* Zhiyin: asks for consent on your page, shows what the notice says, and records what was really shown.
 *
 *   <div data-zhiyin-consent data-api="https://crm.example.com" data-purposes="offers,abroad" data-language="en"></div>
 *   <script src="https://crm.example.com/static/zhiyin/embed.js" defer></script>
 *   <script>window.zhiyinToken = () => fetch("/your-server/zhiyin-token").then(r => r.text())</script>
 *
 * The token is a person token with the purpose "consents", which your server gets for whoever is logged in.
 * Nothing is ticked, nothing is required: your form goes on whatever the person decides (PIPL 16).
 */
(function () {
  "use strict";
  const VERSION = "embed/1", PAUSES = [500, 2000, 8000];
  const plain = (text) => text.normalize("NFC").replace(/\r\n?/g, "\n").replace(/^[ \t\n]+|[ \t\n]+$/g, "");

  async function digest(elements) {
    const lines = elements.map((one) => plain(one.textContent)).join("\n");
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines));
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function element(tag, text, facts) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    return Object.assign(made, facts || {});
  }

  function radio(group, value, text) {
    const label = element("label");
    const input = element("input", "", { type: "radio", name: group, value, checked: false, required: false });
    label.append(input, " ", element("span", text));
    return { label, input, text: label.lastChild };
  }

  function control(one, number) {
    const box = element("fieldset", "", { className: "zhiyin-purpose" });
    const about = one.about.map((line, place) => element(place ? "p" : "legend", line, { style: "white-space: pre-line" }));
    const where = one.where ? [element("strong", one.where)] : [];
    const group = "zhiyin-" + number + "-" + one.purpose;
    const yes = radio(group, "given", one.allow), no = radio(group, "refused", one.refuse);
    box.append(...about, ...where, yes.label, no.label);
    const shown = [...about, ...where, yes.text, no.text];
    return { one, box, shown, said: () => (yes.input.checked ? "given" : no.input.checked ? "refused" : ""), form: crypto.randomUUID(), times: 0 };
  }

  async function ask(place, path, options) {
    const token = await (window.zhiyinToken ? window.zhiyinToken() : place.dataset.token);
    const headers = { Authorization: "Bearer " + token, "Content-Type": "application/json", ...(options || {}).headers };
    const answer = await fetch(place.dataset.api.replace(/\/$/, "") + path, { ...options, headers, credentials: "omit" });
    const body = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(body.error ? body.error.message : answer.status), { status: answer.status });
    return body;
  }

  // Nobody can tell a lost request from a lost answer, so it is sent again, with the key it had: it counts once.
  // No status: the network failed, or the answer was cut. 409: the first is still being worked on.
  async function patiently(attempt) {
    for (const wait of PAUSES) {
      try {
        return await attempt();
      } catch (error) {
        if (error.status && error.status < 500 && error.status !== 409 && error.status !== 429) throw error;
        await new Promise((done) => setTimeout(done, wait));
      }
    }
    return attempt();
  }

  // What was decided once is one event, however often the form is sent; who changes her mind decides anew.
  function record(place, made, form) {
    const state = made.said();
    if (!state) return Promise.resolve(null); // who decides nothing has said nothing
    if (made.state !== state) {
      made.state = state;
      made.times += 1;
      made.sent = null;
    }
    made.sent = made.sent || send(place, made, form, state, made.form + "-" + made.times);
    const sent = made.sent;
    sent.catch(() => { if (made.sent === sent) made.sent = null; }); // the next press sends it again, with its key
    return sent;
  }

  async function send(place, made, form, state, key) {
    const { purpose, channel, consent_kind, notice, notice_digest } = made.one;
    const body = JSON.stringify({
      purpose, channel, consent_kind, notice, notice_digest, state, method: "form", language: form.language,
      form_version: VERSION, rendered_digest: await digest(made.shown),
    });
    return patiently(() => ask(place, "/api/v1/consents/", { method: "POST", body, keepalive: true, headers: { "Idempotency-Key": key } }));
  }

  async function start(place, number) {
    const { purposes, channel, language, required } = place.dataset;
    const query = new URLSearchParams({ purposes, language: language || "en" });
    if (channel) query.set("channel", channel);
    if (required) query.set("required", required); // answered with the reason why not
    const form = await ask(place, "/api/v1/consent-forms/?" + query);
    const all = form.purposes.map((one) => control(one, number));
    place.lang = form.language;
    place.replaceChildren(...all.map((one) => one.box));
    place.zhiyinRecord = async () => {
      const done = await Promise.allSettled(all.map((one) => record(place, one, form)));
      const failed = done.filter((one) => one.status === "rejected").map((one) => String(one.reason));
      place.dispatchEvent(new CustomEvent(failed.length ? "zhiyin:failed" : "zhiyin:recorded", { bubbles: true, detail: { done, failed } }));
      return done;
    };
    const around = place.closest("form");
    if (around) around.addEventListener("submit", () => void place.zhiyinRecord());
  }

  function run() {
    document.querySelectorAll("[data-zhiyin-consent]").forEach((place, number) =>
      start(place, number).catch((error) => place.dispatchEvent(new CustomEvent("zhiyin:failed", { bubbles: true, detail: { failed: [String(error)] } })))
    );
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", run);
  else run();
})();
