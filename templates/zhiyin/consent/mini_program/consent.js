{% autoescape off %}// Asks for consent with what the notice says, and records exactly the lines that were shown.
// token(): a person token with the purpose "consents", from your own server. Nothing is chosen for the person.
const sha256 = require("./sha256");
const API = "{{ here }}", VERSION = "embed/1", LANGUAGE = "{{ language }}";
const WRITE_KEY = "the write key of a source of kind browser";
const plain = (text) => text.normalize("NFC").replace(/\r\n?/g, "\n").replace(/^[ \t\n]+|[ \t\n]+$/g, "");

Component({
  properties: { token: { type: Function } },
  data: { purposes: [] },
  lifetimes: {
    attached() {
      this.said = {};
      this.sent = {};
      this.form = Date.now() + "-" + Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2); // once per form shown
      this.ask("GET", "/api/v1/consent-forms/?purposes={{ purposes }}&language=" + LANGUAGE{% if channel %} + "&channel={{ channel }}"{% endif %}).then((form) =>
        this.setData({ purposes: form.purposes.map((one) => ({ ...one, about: one.about.map(plain) })) })
      );
    },
  },
  methods: {
    choose(event) { this.said[event.currentTarget.dataset.purpose] = event.detail.value; },
    // Call it when your form is sent; who chose nothing has said nothing, and your form goes on all the same.
    // What was decided once is one event, however often this is called; who changes her mind decides anew.
    record() {
      return Promise.all(this.data.purposes.filter((one) => this.said[one.purpose]).map((one) => {
        const state = this.said[one.purpose], before = this.sent[one.purpose] || { times: 0 };
        if (before.state === state && before.answer) return before.answer;
        const now = { state, times: before.times + (before.state !== state) };
        now.answer = this.send(one, state, [this.form, one.purpose, now.times].join("-"));
        now.answer.catch(() => { now.answer = null; }); // the next call sends it again, with its key
        this.sent[one.purpose] = now;
        return now.answer;
      }));
    },
    send(one, state, key) {
      const { purpose, channel, consent_kind, notice, notice_digest } = one;
      const lines = [...one.about, one.where, one.allow, one.refuse].filter(Boolean).map(plain);
      const body = { purpose, channel, consent_kind, notice, notice_digest, state, method: "mini_program",
        language: LANGUAGE, form_version: VERSION, rendered_digest: sha256(lines.join("\n")) };
      // Nobody can tell a lost request from a lost answer, so it is sent again with the key it had, and counts once.
      const attempt = (pauses) => this.ask("POST", "/api/v1/consents/", body, key).catch((error) => {
        const final = error.statusCode && error.statusCode < 500 && ![409, 429].includes(error.statusCode);
        if (final || !pauses.length) throw error;
        return new Promise((done) => setTimeout(done, pauses[0])).then(() => attempt(pauses.slice(1)));
      });
      return attempt([500, 2000, 8000]);
    },
    ask(method, path, data, key) {
      return this.properties.token().then((token) => new Promise((resolve, reject) => wx.request({
        url: API + path, method, data,
        header: { Authorization: "Bearer " + token, "Content-Type": "application/json", ...(key ? { "Idempotency-Key": key } : {}) },
        success: (answer) => (answer.statusCode < 300 ? resolve(answer.data) : reject(answer)), fail: reject,
      })));
    },
  },
});

// WeChat's own privacy guide, agreed to with <button open-type="agreePrivacyAuthorization" bindagreeprivacyauthorization="agreed">.
// It is stored as an event of its own kind and is never a consent to marketing.
module.exports.agreed = function agreed(userId) {
  wx.getPrivacySetting({
    success: (guide) => wx.request({
      url: API + "/v1/track", method: "POST",
      header: { Authorization: "Basic " + wx.arrayBufferToBase64(new Uint8Array([...(WRITE_KEY + ":")].map((c) => c.charCodeAt(0))).buffer), "Content-Type": "application/json" },
      data: { userId, event: "WeChat Privacy Agreed", properties: { contract: guide.privacyContractName, needed: guide.needAuthorization } },
    }),
  });
};
{% endautoescape %}