/*
 * requestSubscribe: asks a person of a mini program for up to three subscription messages, and reports to Zhiyin
 * exactly what she answered. Copy this file into the mini program.
 *
 *   const { requestSubscribe } = require("./request_subscribe.js");
 *   Page({
 *     onTapRemindMe() {                       // from a tap or a payment's callback, and nothing asked before it
 *       requestSubscribe(["TEMPLATE_ID"], { api: "https://crm.example.com", token: () => app.personToken })
 *         .then((told) => { if (told.accepted.length) wx.showToast({ title: "好的，届时提醒您" }); });
 *     },
 *   });
 *
 * `token` is a person token with the purpose "mini_program", from POST /api/v1/mini-program/login/ by way of your
 * server; a text, or a function that returns one. Each accept lets one message leave, and only once WeChat itself has
 * told the server of it: what is reported here is kept as pending.
 *
 * Resolves, never rejects, with
 *   { accepted: [], rejected: [], banned: [], filtered: [], reported: true|false, error: "" }
 * `banned`: the platform has closed the template. `filtered`: another of the same title was asked for together with it.
 * `error` is WeChat's errMsg where it asked nobody (20004: she has switched all subscriptions off), or why nothing was
 * reported.
 */
(function (root) {
  "use strict";

  var MOST = 3;
  var KINDS = { accept: "accepted", reject: "rejected", ban: "banned", filter: "filtered" };

  function requestSubscribe(templateIds, options) {
    var ids = (templateIds || []).filter(function (id, place, all) {
      return typeof id === "string" && id !== "" && all.indexOf(id) === place;
    });
    var told = { accepted: [], rejected: [], banned: [], filtered: [], reported: false, error: "" };
    if (ids.length === 0 || ids.length > MOST) {
      told.error = "requestSubscribe: give one to three template ids";
      return Promise.resolve(told);
    }
    var wx = options.wx || root.wx;
    // At once, within the tap: after an await or a timeout WeChat refuses (20003 and "can only be invoked by user TAP").
    return new Promise(function (resolve) {
      wx.requestSubscribeMessage({
        tmplIds: ids,
        success: function (answer) {
          var answers = answersOf(ids, answer);
          Object.keys(answers).forEach(function (id) {
            told[KINDS[answers[id]]].push(id);
          });
          if (Object.keys(answers).length === 0) {
            resolve(told);
            return;
          }
          report(wx, options, answers, told, resolve);
        },
        fail: function (problem) {
          told.error = String((problem && problem.errMsg) || "requestSubscribeMessage:fail");
          resolve(told);
        },
      });
    });
  }

  // Of what WeChat answers, the templates that were asked for, and the four words that we know: newer phones say
  // acceptWithAudio, acceptWithAlert and acceptWithForcePush, which are accepts.
  function answersOf(ids, answer) {
    var found = {};
    ids.forEach(function (id) {
      var word = String((answer && answer[id]) || "");
      if (word.indexOf("accept") === 0) word = "accept";
      if (KINDS[word]) found[id] = word;
    });
    return found;
  }

  function report(wx, options, answers, told, resolve) {
    var key = newKey();
    var left = 2;
    function send() {
      left -= 1;
      wx.request({
        url: String(options.api).replace(/\/+$/, "") + "/api/v1/mini-program/subscriptions/",
        method: "POST",
        header: { Authorization: "Bearer " + valueOf(options.token), "Content-Type": "application/json" },
        data: { appid: options.appid || appidOf(wx), key: key, answers: answers },
        success: function (reply) {
          if (reply.statusCode >= 200 && reply.statusCode < 300) {
            told.reported = true;
            resolve(told);
          } else if (reply.statusCode >= 500 && left > 0) {
            send();
          } else {
            told.error = "HTTP " + reply.statusCode;
            resolve(told);
          }
        },
        fail: function (problem) {
          if (left > 0) return send(); // the same key: told twice, it counts once
          told.error = String((problem && problem.errMsg) || "request:fail");
          resolve(told);
        },
      });
    }
    send();
  }

  function appidOf(wx) {
    return wx.getAccountInfoSync().miniProgram.appId;
  }

  function valueOf(token) {
    return typeof token === "function" ? token() : token;
  }

  function newKey() {
    var text = "";
    while (text.length < 32) text += Math.floor(Math.random() * 16).toString(16);
    return text;
  }

  var api = { requestSubscribe: requestSubscribe };
  if (typeof module === "object" && module.exports) module.exports = api;
  else root.zhiyin = Object.assign(root.zhiyin || {}, api);
})(typeof globalThis === "object" ? globalThis : this);
