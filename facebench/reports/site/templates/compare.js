(() => {
  const rankings = JSON.parse(document.getElementById("pairs").textContent);
  const form = document.getElementById("two");
  const answer = document.getElementById("answer");
  if (!rankings.length) return;
  const at = (number, base, candidate) => { // of combinations, row by row
    const [low, high] = base < candidate ? [base, candidate] : [candidate, base];
    return low * number - low * (low + 1) / 2 + high - low - 1;
  };
  const points = (value) => (value < 0 ? "−" : "+") + (Math.abs(value) / 100).toFixed(2);
  const test = (ranking, name, base, candidate) => {
    const from = 4 * at(ranking.models.length, base, candidate);
    const [difference, low, high, p] = ranking.tests[name].slice(from, from + 4);
    if (p === null) return { difference: base < candidate ? difference : -difference, p };
    return base < candidate
      ? { difference, low, high, p }
      : { difference: -difference, low: -high, high: -low, p };
  };
  const pText = (p) => (p === null ? "–" : p < 0 ? "< 0.001" : (p / 1000).toFixed(3));
  const SVG = "http://www.w3.org/2000/svg";
  const drawn = (found, widest) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "-104 -10 208 20");
    svg.setAttribute("class", "forest");
    svg.setAttribute("aria-hidden", "true"); // the numbers stand beside it
    const line = (x1, y1, x2, y2, name) => {
      const one = document.createElementNS(SVG, "line");
      Object.entries({ x1, y1, x2, y2, class: name }).forEach(([k, v]) => one.setAttribute(k, v));
      svg.append(one);
    };
    const x = (value) => Math.max(-104, Math.min(104, 100 * value / widest));
    line(0, -10, 0, 10, "zero");
    line(x(found.low), 0, x(found.high), 0, "bar");
    const point = document.createElementNS(SVG, "circle");
    Object.entries({ cx: x(found.difference), cy: 0, r: 5 })
      .forEach(([k, v]) => point.setAttribute(k, v));
    svg.append(point);
    return svg;
  };
  const row = (body, heading, cells) => {
    const tr = body.insertRow();
    const th = document.createElement("th");
    th.scope = "row";
    th.textContent = heading;
    tr.append(th);
    for (const [words, cell] of cells) {
      const label = document.createElement("span");
      label.className = "label";
      label.textContent = words;
      tr.insertCell().append(label, cell);
    }
  };
  const VERDICTS = {
    b: "better than", w: "worse than", n: "not told apart from", u: "undecided against",
  };
  const turned = { b: "w", w: "b" };
  const costs = (one, other) => {
    if (one === null || other === null || one === 0) return "";
    const change = Math.round(100 * (other / one - 1));
    return change === 0 ? "the same" : `${change < 0 ? "−" : "+"}${Math.abs(change)}%`;
  };
  const show = () => {
    const ranking = rankings[Number(form.ranking.value)];
    const [base, candidate] = [Number(form.base.value), Number(form.candidate.value)];
    const [one, other] = [ranking.models[base], ranking.models[candidate]];
    location.replace(`#${ranking.name},${base},${candidate}`);
    answer.hidden = base === candidate;
    if (base === candidate) return;
    for (const [name, model] of [["of-base", one], ["of-candidate", other]]) {
      for (const element of document.querySelectorAll(`.${name}`)) {
        if (element.dataset.of === "record") {
          element.href = model.record.split("/").map(encodeURIComponent).join("/");
          element.textContent = model.record.split("/").pop();
        } else {
          const link = document.createElement("a");
          link.href = model.page;
          link.textContent = model.name;
          element.replaceChildren(link);
        }
      }
    }
    const number = at(ranking.models.length, base, candidate);
    const found = ranking.statistics.map((name) => test(ranking, name, base, candidate));
    const letter = ranking.verdicts[number];
    const verdict = VERDICTS[base < candidate ? letter : turned[letter] || letter];
    const [first] = found;
    const size = costs(one.taken.size[0], other.taken.size[0]);
    const saved = !size ? "" : size === "the same" ? " It takes as many bytes."
      : ` It takes ${size.slice(1)} ${size[0] === "−" ? "fewer" : "more"} bytes.`;
    document.getElementById("said").textContent = verdict === undefined
      ? `${other.name} and ${one.name} cannot be tested: ${ranking.reasons[ranking.why[number]]}.`
      : `${other.name} is ${verdict} ${one.name}: ${points(first.difference)} points `
        + `[${points(first.low)}, ${points(first.high)}] of ${ranking.statistics[0]}.${saved}`
        + (letter !== "n" || first.low >= 0 ? ""
          : ` It could still be ${points(first.low).slice(1)} points worse: “as good” is not shown.`);
    const body = document.querySelector("#tests tbody");
    body.replaceChildren();
    found.forEach((paired, n) => {
      const tested = paired.p !== null;
      // Each to its own scale: they differ a hundredfold.
      const widest = tested
        ? Math.max(Math.abs(paired.low), Math.abs(paired.high), Math.abs(paired.difference), 1) : 1;
      const cell = (model) => `${model.values[n]}${model.told[n] === "0" ? " ‡" : ""}`;
      row(
        body, ranking.headings[n], [
          [one.name, cell(one)],
          [other.name, cell(other)],
          ["difference, points", points(paired.difference)
            + (tested ? ` [${points(paired.low)}, ${points(paired.high)}]` : "")],
          ["0 in the middle", tested ? drawn(paired, widest) : ""],
          ["p", pText(paired.p)],
        ],
      );
    });
    const [only, gained] = ranking.changed.slice(2 * number, 2 * number + 2);
    const [lost, won] = base < candidate ? [only, gained] : [gained, only];
    document.getElementById("changed").textContent = (only < 0 ? ""
      : `${(lost + won).toLocaleString("en")} of ${ranking.total.toLocaleString("en")} comparisons `
        + `changed: ${lost.toLocaleString("en")} right only with ${one.name}, `
        + `${won.toLocaleString("en")} only with ${other.name}. `)
      + "‡ too few non-mated comparisons to tell this rate from zero.";
    const taken = document.querySelector("#costs tbody");
    taken.replaceChildren();
    for (const what of Object.keys(one.taken)) {
      const [a, b] = [one.taken[what], other.taken[what]];
      if (a[0] !== null || b[0] !== null) {
        row(taken, what, [[one.name, a[1]], [other.name, b[1]], ["change", costs(a[0], b[0])]]);
      }
    }
    document.getElementById("command").textContent =
      `facebench compare '${one.record}' '${other.record}'`;
  };
  const fill = (base, candidate) => {
    const { models } = rankings[Number(form.ranking.value)];
    for (const select of [form.base, form.candidate]) {
      select.replaceChildren(...models.map(({ name }, n) => new Option(name, n)));
    }
    form.base.value = Math.min(base, models.length - 1);
    form.candidate.value = Math.min(candidate, models.length - 1);
  };
  rankings.forEach(({ title }, n) => form.ranking.add(new Option(title, n)));
  const follow = () => {
    const [name, base, candidate] = decodeURIComponent(location.hash.slice(1)).split(",");
    const number = rankings.findIndex((one) => one.name === name);
    form.ranking.value = Math.max(0, number);
    fill(Number(base) || 0, number < 0 ? 1 : Number(candidate) || 0);
    show();
  };
  form.ranking.addEventListener("change", () => { fill(0, 1); show(); });
  form.base.addEventListener("change", show);
  form.candidate.addEventListener("change", show);
  form.swap.addEventListener("click", () => {
    [form.base.value, form.candidate.value] = [form.candidate.value, form.base.value];
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    const now = `#${rankings[Number(form.ranking.value)].name},${form.base.value},${form.candidate.value}`;
    if (location.hash !== now) follow();
  });
  form.hidden = false;
  follow();
})();
