"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const kept = (value) => { // what a browser refuses to keep is not kept
    try {
      if (value) localStorage.setItem("facebench-theme", value);
      return localStorage.getItem("facebench-theme");
    } catch { return null; }
  };
  if (["light", "dark"].includes(kept())) root.dataset.theme = kept();
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const named = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept(root.dataset.theme);
    named();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", named);
  named();

  const said = document.getElementById("said");
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  // Words, ranks and what a model takes begin with the lowest; rates with the highest.
  const fromHighest = (words) => /%|points/.test(words) && !/^(FNMR|FMR|EER|kept)/.test(words);
  for (const table of document.querySelectorAll("table.ranking")) {
    const headings = [...table.tHead.rows[0].cells].filter((cell) => cell.querySelector("button"));
    const body = table.tBodies[0];
    const sort = (column, descending) => {
      const rows = [...body.rows];
      rows.sort((one, other) => {
        const [a, b] = [one.cells[column].dataset.sort, other.cells[column].dataset.sort];
        if (a === "" || b === "") return (a === "") - (b === ""); // unknown ones last
        return descending ? compare(b, a) : compare(a, b);
      });
      body.append(...rows);
      headings.forEach((heading, index) => {
        const order = descending ? "descending" : "ascending";
        heading.setAttribute("aria-sort", index === column ? order : "none");
      });
      const order = descending ? "highest first" : "lowest first";
      said.textContent = `Sorted by ${headings[column].dataset.words}, ${order}`;
    };
    const chooser = table.classList.contains("by-group")
      ? null : table.closest("section").querySelector(".sort-by");
    headings.forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const before = heading.getAttribute("aria-sort");
        const first = fromHighest(heading.textContent);
        sort(column, before === "none" ? first : before === "ascending");
        if (chooser) chooser.querySelector("select").value = "";
      });
    });
    if (chooser) {
      const select = chooser.querySelector("select");
      select.add(new Option("…", ""));
      headings.forEach((heading, column) => {
        const words = heading.dataset.words;
        const order = fromHighest(heading.textContent) ? "down" : "up";
        select.add(new Option(words, `${column} ${order}`));
      });
      chooser.hidden = false;
      select.addEventListener("change", () => {
        const [column, order] = select.value.split(" ");
        if (order) sort(Number(column), order === "down");
      });
    }
  }

  const form = document.getElementById("filters");
  if (!form) return;
  const sections = [...document.querySelectorAll(".one-ranking")];
  const kinds = ["protocol", "kind", "similarity"];
  const fits = (section, but) => kinds.every((name) => name === but || !form[name].value
    || form[name].value === section.dataset[name]);
  const passes = (row) => {
    const { bytes, kept: share, front, name } = row.dataset;
    const most = (field, value, unit) => field.value === ""
      || (value !== "" && Number(value) <= Number(field.value) * unit + 1e-9);
    return name.includes(form.name.value.trim().toLowerCase())
      && most(form.megabytes, bytes, 1e6)
      && most(form.percent, share, 0.01)
      && (!form.front.checked || front !== "");
  };
  const filter = () => {
    let shown = 0;
    let all = 0;
    const rankings = [];
    for (const section of sections) {
      section.hidden = !fits(section);
      if (section.hidden) continue;
      rankings.push(section);
      for (const row of section.querySelector("table.ranking:not(.by-group)").tBodies[0].rows) {
        row.hidden = !passes(row);
        all += 1;
        shown += row.hidden ? 0 : 1;
      }
      const group = form.group ? form.group.value : "";
      for (const row of section.querySelectorAll("[data-group]")) {
        row.hidden = group !== "" && row.dataset.group !== group;
      }
    }
    const of = rankings.length === 1 ? "one ranking" : `${rankings.length} rankings`;
    said.textContent = rankings.length
      ? `${shown} of ${all} records shown, ${of}; ranks stay those among all.`
      : "No ranking is of these; choose “all” in one of the lists.";
  };
  for (const name of kinds) {
    form[name].addEventListener("change", () => {
      if (sections.some((section) => fits(section))) return;
      for (const other of kinds) if (other !== name) form[other].value = ""; // the latest wish wins
    });
  }
  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  const choose = (section) => {
    for (const name of kinds) form[name].value = section.dataset[name];
    filter();
  };
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && sections.includes(target)) {
      choose(target);
      target.scrollIntoView();
    }
  };
  form.hidden = false;
  form.querySelector("details").open = innerWidth > 640;
  choose(sections[0]);
  follow();
  window.addEventListener("hashchange", follow);
})();
