"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();

  const said = document.getElementById("said");
  const valueOf = (group, column) => {
    const text = group.rows[0].cells[column].dataset.sort;
    return text === "" ? null : text;
  };
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  for (const table of document.querySelectorAll("table.report")) {
    const headings = [...table.tHead.rows[0].cells];
    const sort = (column, descending) => {
      const groups = [...table.tBodies];
      groups.sort((one, other) => {
        const [a, b] = [valueOf(one, column), valueOf(other, column)];
        if (a === null || b === null) return (a === null) - (b === null); // unknown ones last
        return descending ? compare(b, a) : compare(a, b);
      });
      table.append(...groups);
      headings.forEach((heading, index) => {
        const order = descending ? "descending" : "ascending";
        heading.setAttribute("aria-sort", index === column ? order : "none");
      });
      const order = descending ? "highest first" : "lowest first";
      said.textContent = `Sorted by ${headings[column].textContent.trim()}, ${order}`;
    };
    headings.forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const before = heading.getAttribute("aria-sort");
        sort(column, before === "none" ? column > 0 : before === "ascending");
      });
    });
    const chooser = table.closest("section").querySelector("select");
    chooser.addEventListener("change", () => {
      const [column, order] = chooser.value.split(" ");
      if (order) sort(Number(column), order === "down");
    });
    for (const button of table.querySelectorAll("button[aria-controls]")) {
      const more = document.getElementById(button.getAttribute("aria-controls"));
      more.hidden = true;
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        more.hidden = !more.hidden;
        button.setAttribute("aria-expanded", String(!more.hidden));
      });
    }
  }
})();
