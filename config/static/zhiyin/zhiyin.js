// Charts from their JSON, redrawn when the theme changes; copy buttons; questions before what cannot be taken back.
(() => {
  "use strict";

  const drawn = new Map();
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = () => document.documentElement.classList.contains("dark");

  const palette = () => ({
    primary: css(dark() ? "--color-primary-500" : "--color-primary-600"),
    soft: css(dark() ? "--color-primary-800" : "--color-primary-200"),
    amber: dark() ? "#fbbf24" : "#d97706",
    red: dark() ? "#f87171" : "#dc2626",
    blue: dark() ? "#60a5fa" : "#2563eb",
    grey: css("--color-base-400"),
    ink: css(dark() ? "--color-base-300" : "--color-base-600"),
    grid: css(dark() ? "--color-base-800" : "--color-base-200"),
  });

  const WRITE = {
    integer: { maximumFractionDigits: 0 },
    money: { maximumFractionDigits: 0 },
    percent: { style: "percent", maximumFractionDigits: 1 },
    decimal: { maximumFractionDigits: 3 },
  };
  const writer = (unit, language) => {
    const format = new Intl.NumberFormat(language, WRITE[unit] || WRITE.decimal);
    return (value) => (value === null || value === undefined ? "–" : format.format(value));
  };
  const compact = (unit, language) => {
    if (unit === "percent" || unit === "decimal") return writer(unit, language);
    const format = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
    return (value) => format.format(value);
  };

  const seen = (colour) => `color-mix(in oklab, ${colour} 16%, transparent)`;

  const dataset = (series, chart, colours, spark) => {
    const colour = colours[series.colour] || colours.primary;
    const each = chart.colours.map((name) => colours[name] || colours.primary);
    const bar = series.kind === "bar";
    const band = typeof series.fill === "string"; // up to another line, as Chart.js names it: the room between two ends
    return {
      type: series.kind,
      label: series.label,
      data: series.values,
      unit: series.unit,
      yAxisID: chart.horizontal ? undefined : series.axis,
      borderColor: colour,
      backgroundColor: bar ? (each.length ? each : colour) : seen(colour),
      borderWidth: bar ? 0 : band ? 1 : 2,
      borderDash: series.dashed ? [5, 4] : undefined,
      borderRadius: 3,
      maxBarThickness: 34,
      fill: band ? series.fill : series.fill ? "origin" : false,
      pointRadius: spark || band || series.values.length > 31 ? 0 : 2.5,
      pointHitRadius: 12,
      tension: 0.25,
      spanGaps: true,
    };
  };

  const valueAxis = (series, chart, colours, position) => ({
    position,
    beginAtZero: chart.from_zero,
    grace: chart.from_zero ? 0 : "20%",
    border: { display: false },
    grid: { color: colours.grid, drawOnChartArea: position !== "right" },
    title: { display: Boolean(chart.y_title) && position !== "right", text: chart.y_title, color: colours.grey },
    ticks: { color: colours.grey, maxTicksLimit: 6, callback: compact(series.unit, chart.language) },
  });

  const categoryAxis = (chart, colours) => ({
    border: { display: false },
    grid: { display: false },
    title: { display: Boolean(chart.x_title), text: chart.x_title, color: colours.grey },
    ticks: { color: colours.grey, maxRotation: 0, autoSkipPadding: 18, autoSkip: !chart.horizontal },
  });

  const scales = (chart, colours) => {
    const [first] = chart.series;
    if (chart.horizontal) {
      return { x: valueAxis(first, { ...chart, y_title: chart.x_title }, colours, "bottom"),
               y: categoryAxis({ ...chart, x_title: chart.y_title }, colours) };
    }
    const axes = { x: categoryAxis(chart, colours), y: valueAxis(first, chart, colours, "left") };
    const second = chart.series.find((series) => series.axis === "y2");
    if (second) axes.y2 = valueAxis(second, chart, colours, "right");
    if (chart.stacked) axes.x.stacked = axes.y.stacked = true;
    return axes;
  };

  const draw = (canvas) => {
    const source = document.getElementById(canvas.dataset.chart);
    if (!source || typeof Chart === "undefined") return;
    const chart = JSON.parse(source.textContent);
    const colours = palette();
    const spark = canvas.classList.contains("zy-spark");
    drawn.get(canvas)?.destroy();
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    drawn.set(canvas, new Chart(canvas, {
      type: "bar",
      data: { labels: chart.labels, datasets: chart.series.map((series) => dataset(series, chart, colours, spark)) },
      options: {
        indexAxis: chart.horizontal ? "y" : "x",
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false, axis: chart.horizontal ? "y" : "x" },
        events: spark ? [] : undefined,
        elements: spark ? { point: { radius: 0 } } : undefined,
        plugins: {
          legend: { display: !spark && chart.legend && chart.series.length > 1, align: "end",
                    labels: { color: colours.ink, boxWidth: 10, boxHeight: 10, usePointStyle: true } },
          tooltip: { callbacks: { label: (item) =>
            `${item.dataset.label}: ${writer(item.dataset.unit, chart.language)(item.raw)}` } },
        },
        scales: spark ? { x: { display: false }, y: { display: false, grace: "15%" } } : scales(chart, colours),
      },
    }));
  };

  const drawAll = (root) => root.querySelectorAll("canvas[data-chart]").forEach(draw);

  const copy = async (button) => {
    const text = document.getElementById(button.dataset.copy).textContent.trim();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      document.execCommand("copy");
    }
    button.querySelector("[data-label]").textContent = button.dataset.done;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("input[type=file][data-name]")) return;
    event.stopPropagation(); // Unfold looks for a text field of its own beside every file, and fails without one
    document.getElementById(event.target.dataset.name).textContent = event.target.files[0]?.name || "";
  }, true);
  document.addEventListener("DOMContentLoaded", () => {
    drawAll(document);
    document.body.addEventListener("htmx:afterSettle", (event) => drawAll(event.target));
    let before = dark();
    new MutationObserver(() => {
      if (dark() === before) return;
      before = dark();
      drawn.forEach((_chart, canvas) => canvas.isConnected && draw(canvas));
    }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  });
})();
