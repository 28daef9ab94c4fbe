// Windows run down where one looks at them; the server says when each one ends.
(() => {
  const two = (number) => String(number).padStart(2, "0");
  const tick = () => {
    document.querySelectorAll("time.wx-clock[data-until]").forEach((shown) => {
      const left = Math.max(0, Math.floor((new Date(shown.dataset.until) - Date.now()) / 1000));
      shown.textContent = `${two(Math.floor(left / 3600))}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
    });
  };
  const last = () => { const thread = document.querySelector(".wx-thread"); if (thread) thread.scrollTop = thread.scrollHeight; };
  tick();
  last();
  setInterval(tick, 1000);
  document.body.addEventListener("htmx:afterSwap", () => { tick(); last(); });
})();
