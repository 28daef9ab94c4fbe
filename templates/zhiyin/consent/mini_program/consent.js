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
      this.ask("GET", "/api/v1/consent-forms/?purposes={{ purposes }}&language=" + LANGUAGE{% if channel %} + "&channel={{ channel }}"{% endif %}).then((form) =>
        this.setData({ purposes: form.purposes.map((one) => ({ ...one, about: one.about.map(plain) })) })
      );
    },
  },
  methods: {
    choose(event) { this.said[event.currentTarget.dataset.purpose] = event.detail.value; },
    // Call it when your form is sent; who chose nothing has said nothing, and your form goes on all the same.
    record() {
      return Promise.all(this.data.purposes.filter((one) => this.said[one.purpose]).map((one) => {
        const { purpose, channel, consent_kind, notice, notice_digest } = one;
        const lines = [...one.about, one.where, one.allow, one.refuse].filter(Boolean).map(plain);
        const body = { purpose, channel, consent_kind, notice, notice_digest, state: this.said[purpose], method: "mini_program",
          language: LANGUAGE, form_version: VERSION, rendered_digest: sha256(lines.join("\n")) };
        return this.ask("POST", "/api/v1/consents/", body, purpose + "-" + Date.now() + "-" + Math.random().toString(36).slice(2));
      }));
    },
    ask(method, path, data, key) {
      return this.properties.token().then((token) => new Promise((resolve, reject) => wx.request({
        url: API + path, method, data,
        header: { Authorization: "Bearer " + token, "Content-Type": "application/json", ...(key ? { "Idempotency-Key": key } : {}) },
        success: (answer) => (answer.statusCode < 300 ? resolve(answer.data) : reject(answer.data)), fail: reject,
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