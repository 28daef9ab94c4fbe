{% verbatim %}// SHA-256 (FIPS 180-4) of a text in UTF-8, as small hexadecimal digits: mini programs have none of their own.
const primes = [...Array(312).keys()].filter((n) => n > 1 && [...Array(n).keys()].every((d) => d < 2 || n % d)).slice(0, 64);
const bits = (root) => ((root - Math.floor(root)) * 4294967296) | 0;
const K = primes.map((p) => bits(Math.cbrt(p)));
const turn = (x, n) => (x >>> n) | (x << (32 - n));

module.exports = function sha256(text) {
  const bytes = unescape(encodeURIComponent(text)).split("").map((c) => c.charCodeAt(0)), length = bytes.length;
  bytes.push(128);
  while (bytes.length % 64 !== 56) bytes.push(0);
  for (let n = 7; n >= 0; n--) bytes.push(Math.floor((length * 8) / 256 ** n) & 255);
  const h = primes.slice(0, 8).map((p) => bits(Math.sqrt(p)));
  for (let start = 0; start < bytes.length; start += 64) {
    const w = [...Array(16).keys()].map((n) => bytes.slice(start + 4 * n, start + 4 * n + 4).reduce((all, one) => (all << 8) | one, 0));
    for (let n = 16; n < 64; n++) {
      const a = w[n - 15], b = w[n - 2];
      w[n] = (w[n - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[n - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))) | 0;
    }
    let [a, b, c, d, e, f, g, i] = h;
    for (let n = 0; n < 64; n++) {
      const one = (i + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[n] + w[n]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [i, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, i].forEach((value, n) => { h[n] = (h[n] + value) | 0; });
  }
  return h.map((value) => (value >>> 0).toString(16).padStart(8, "0")).join("");
};
{% endverbatim %}