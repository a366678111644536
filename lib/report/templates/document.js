"use strict";
// tables sort on a click on a heading; the page reads the same without this script
for (const table of document.querySelectorAll("table.cells, table.plain")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.tabIndex = 0;
    const sort = () => {
      const rising = head.getAttribute("aria-sort") === "descending";
      const key = row => {
        const cell = row.cells[column];
        if (!cell) return "";
        return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.classList.contains("number") ? NaN : cell.textContent.trim();
      };
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (typeof x === "string" || typeof y === "string") return String(x).localeCompare(String(y)) * (rising ? 1 : -1);
        if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
        return (x - y) * (rising ? 1 : -1);
      };
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      body.append(...[...body.rows].sort(order));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
  });
}
// a pointer over a chart of lines reads the values at its date
for (const chart of document.querySelectorAll("figure.chart[data-readings]")) {
  const panels = JSON.parse(chart.dataset.readings);
  const tip = document.createElement("div"), mark = document.createElement("div");
  tip.className = "tip"; mark.className = "mark"; tip.hidden = mark.hidden = true;
  chart.append(mark, tip);
  const write = (panel, value) => panel.percent ? (100 * value).toFixed(2) + "%" : value.toFixed(3);
  chart.addEventListener("pointermove", event => {
    const box = chart.querySelector("svg").getBoundingClientRect(), frame = chart.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
    const panel = panels.find(p => x >= p.left && x <= p.right && y >= p.top && y <= p.bottom);
    tip.hidden = mark.hidden = !panel;
    if (!panel) return;
    const first = Date.parse(panel.first), last = Date.parse(panel.last);
    const wanted = first + (x - panel.left) / (panel.right - panel.left) * (last - first);
    let date = "";
    const lines = panel.series.map(series => {
      let best = series.points[0];
      for (const point of series.points) if (Math.abs(Date.parse(point[0]) - wanted) < Math.abs(Date.parse(best[0]) - wanted)) best = point;
      date = best[0];
      return `<span style="color:${series.colour}">■</span> ${series.name ? series.name.replace(/[<&]/g, "") + " " : ""}${write(panel, best[1])}`;
    });
    tip.innerHTML = [date, ...lines].join("<br>");
    mark.style.left = event.clientX - frame.left + "px";
    tip.style.left = Math.min(event.clientX - frame.left + 12, frame.width - tip.offsetWidth) + "px";
    tip.style.top = event.clientY - frame.top + 12 + "px";
  });
  chart.addEventListener("pointerleave", () => { tip.hidden = mark.hidden = true; });
}
// on a phone the table of a wide figure takes its place
if (matchMedia("(max-width: 40rem)").matches)
  for (const folded of document.querySelectorAll(".weekly .exhibit.wide details.figures")) folded.open = true;
// search: hides the exhibits and sentences without the words
const field = document.querySelector("#search");
if (field) {
  field.parentElement.hidden = false;
  field.addEventListener("input", () => {
    const words = field.value.trim().toLowerCase();
    for (const part of document.querySelectorAll("main article, main li, main .changes > div"))
      part.classList.toggle("unmatched", Boolean(words) && !part.textContent.toLowerCase().includes(words));
  });
}
