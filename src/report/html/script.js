"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const byId = (id) => document.getElementById(id);
  const make = (tag, props, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };

  // Tables: the heads of columns sort.
  const value = (row, column) => {
    const cell = row.cells[column];
    if (!cell) return null;
    const text = cell.dataset.v ?? cell.textContent.trim();
    if (text === "" || text === "–") return null;
    const number = Number(String(text).replace("−", "-").replace(/[,%]/g, ""));
    return Number.isFinite(number) ? number : text.toLowerCase();
  };
  const sort = (table, column, descending) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    const order = (a, b) =>
      typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return descending ? order(b, a) : order(a, b);
    });
    body.append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (!head.textContent.trim() || head.querySelector(".minor")) return;
      const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const first = head.classList.contains("figure") ? "descending" : "ascending";
        const other = first === "descending" ? "ascending" : "descending";
        const now = before === first ? other : first;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", now);
        sort(table, column, now === "descending");
      });
    });
  }

  // The filter hides rows of the table of models and their sections.
  const filter = byId("filter");
  if (filter) {
    const rows = [...document.querySelectorAll("#summary tr[data-model]")];
    const parts = [...document.querySelectorAll("details.model")];
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const shown = new Set();
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown.add(row.dataset.model);
      }
      for (const part of parts) part.hidden = !shown.has(part.dataset.model);
      byId("filter-count").textContent = words.length ? `${shown.size} of ${rows.length} models` : "";
    });
  }

  // A link to a folded part opens it.
  const open = () => {
    const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", open);

  // A class of the legend of a scatter plot stands alone when it is pressed.
  for (const key of document.querySelectorAll(".class-key")) {
    const plot = key.closest("figure");
    Object.assign(key, { tabIndex: 0, role: "button" });
    key.setAttribute("aria-pressed", "false");
    const press = () => {
      const alone = key.getAttribute("aria-pressed") === "true";
      for (const other of plot.querySelectorAll(".class-key")) other.setAttribute("aria-pressed", "false");
      key.setAttribute("aria-pressed", String(!alone));
      for (const cloud of plot.querySelectorAll(".cloud")) {
        cloud.classList.toggle("faint", !alone && cloud.dataset.class !== key.dataset.class);
      }
    };
    key.addEventListener("click", press);
    key.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      press();
    });
  }

  const holder = byId("page-data");
  if (holder) compare(JSON.parse(holder.textContent));
  open();

  // Two models side by side.
  function compare(data) {
    const [pickA, pickB, pickMetric] = ["pick-a", "pick-b", "pick-metric"].map(byId);
    const name = (label) => data.classes[set.evaluation]?.[label] ?? "?";
    const fill = (select, entries) => {
      const kept = select.value;
      select.replaceChildren(...entries.map(([key, text]) => make("option", { value: key, textContent: text })));
      if (entries.some(([key]) => String(key) === kept)) select.value = kept;
    };
    const names = data.models.map((model, at) => [at, model.name]);
    fill(pickA, names);
    fill(pickB, names);
    [pickA.value, pickB.value] = data.pair;

    const classTable = () => {
      const [a, b] = [data.models[pickA.value], data.models[pickB.value]];
      const of = pickMetric.value;
      const body = byId("class-table").tBodies[0];
      byId("class-a").firstChild.textContent = a.name;
      byId("class-b").firstChild.textContent = b.name;
      byId("class-table").querySelectorAll("th").forEach((head) => head.removeAttribute("aria-sort"));
      if (a.evaluation !== b.evaluation) {
        const told = "They were tested on different images.";
        body.replaceChildren(make("tr", {}, make("td", { colSpan: 5, textContent: told })));
        return;
      }
      const differences = a[of].map((value, at) => value - b[of][at]);
      const most = Math.max(0.0001, ...differences.map(Math.abs));
      body.replaceChildren(...data.classes[a.evaluation].map((label, at) => {
        const difference = differences[at];
        const bar = make("span", { className: difference < 0 ? "bar second" : "bar first" });
        bar.style.width = `${(50 * Math.abs(difference)) / most}%`;
        const sign = difference > 0 ? "+" : difference < 0 ? "−" : "";
        const cells = [
          make("th", { scope: "row", textContent: label }),
          ...[a, b].map((model) => make("td", { className: "figure", textContent: model[of][at].toFixed(4) })),
          make("td", { className: "figure", textContent: sign + Math.abs(100 * difference).toFixed(2) }),
          make("td", { className: "difference" }, bar),
        ];
        cells[3].dataset.v = difference;
        return make("tr", {}, ...cells);
      }));
    };

    const browser = byId("browser");
    const perPage = 24;
    let [set, at, found, page, chosen] = [null, [0, 0], [], 0, 0];
    const draw = (index, size, sheet = "sheet") => {
      const [width, height] = set.cell;
      const canvas = make("canvas", { width, height });
      canvas.style.width = `${size}px`;
      const from = byId(`${sheet}-${data.sets.indexOf(set)}`);
      const [x, y] = [(index % data.columns) * width, Math.floor(index / data.columns) * height];
      const paint = () => canvas.getContext("2d").drawImage(from, x, y, width, height, 0, 0, width, height);
      from.complete ? paint() : from.addEventListener("load", paint, { once: true });
      return canvas;
    };
    const answer = (image, which) => image[2][at[which]];
    const choose = () => {
      const ids = [Number(pickA.value), Number(pickB.value)];
      set = data.sets.find((each) => ids.every((id) => each.models.includes(id)));
      if (!set) return;
      at = ids.map((id) => set.models.indexOf(id));
      const all = set.images.filter((image) => answer(image, 0) !== answer(image, 1));
      const tally = (key) => {
        const counts = new Map();
        for (const image of all) counts.set(key(image), (counts.get(key(image)) ?? 0) + 1);
        return [...counts].sort((a, b) => b[1] - a[1]);
      };
      const text = { truth: (key) => name(key), answers: (key) => key.split(" ").map(name).join(" / ") };
      const entries = (of, key) => [["", "any"], ...tally(key).map(([id, n]) => [id, `${text[of](String(id))} (${n})`])];
      fill(byId("pick-truth"), entries("truth", (image) => image[1]));
      fill(byId("pick-answers"), entries("answers", (image) => `${answer(image, 0)} ${answer(image, 1)}`));
    };
    const select = () => {
      const counter = byId("browser-count");
      for (const id of ["browser-grid", "browser-detail", "browser-pages"]) byId(id).hidden = !set;
      if (!set) {
        counter.textContent = "They were not tested in one run on the same images.";
        return;
      }
      const [truth, answers, right] = ["pick-truth", "pick-answers", "pick-right"].map((id) => byId(id).value);
      const rights = { a: [true, false], b: [false, true], none: [false, false] };
      found = set.images
        .map((image, index) => ({ image, index }))
        .filter(({ image }) => {
          const [a, b] = [answer(image, 0), answer(image, 1)];
          if (a === b || (truth && String(image[1]) !== truth)) return false;
          if (answers && `${a} ${b}` !== answers) return false;
          return !right || (a === image[1]) === rights[right][0] && (b === image[1]) === rights[right][1];
        });
      const [n, first] = [found.length, found.filter(({ image }) => answer(image, 0) === image[1]).length];
      const second = found.filter(({ image }) => answer(image, 1) === image[1]).length;
      counter.textContent = n
        ? `${n} images: on ${first} the first is right, on ${second} the second, on ${n - first - second} neither.`
        : "No image kept is of this kind.";
      page = chosen = 0;
      show();
    };
    const show = (focus) => {
      const nPages = Math.max(1, Math.ceil(found.length / perPage));
      page = Math.min(Math.max(page, 0), nPages - 1);
      const shown = found.slice(page * perPage, (page + 1) * perPage);
      chosen = Math.min(Math.max(chosen, 0), Math.max(shown.length - 1, 0));
      const cells = shown.map(({ image, index }, nth) => {
        const cell = make("button", { type: "button", role: "option", tabIndex: nth === chosen ? 0 : -1 }, draw(index, 56));
        cell.setAttribute("aria-selected", String(nth === chosen));
        cell.setAttribute("aria-label", `Row ${image[0]}, ${name(image[1])}`);
        cell.addEventListener("click", () => { chosen = nth; show(true); });
        return cell;
      });
      byId("browser-grid").replaceChildren(...cells);
      byId("page-number").textContent = `page ${page + 1} of ${nPages}`;
      byId("page-back").disabled = page === 0;
      byId("page-on").disabled = page + 1 >= nPages;
      byId("browser-detail").replaceChildren(...(shown.length ? detail(shown[chosen]) : []));
      if (focus && cells[chosen]) cells[chosen].focus();
    };
    const detail = ({ image, index }) => {
      const [row, truth, answers, scores, nearest, maps] = image;
      const figure = (picture, ...lines) =>
        make("figure", {}, picture, make("figcaption", {}, ...lines.flatMap((line, nth) => (nth ? [make("br"), line] : [line]))));
      const said = (which, title) => {
        const score = scores[at[which]];
        const label = answers[at[which]];
        const line = make("p", { className: label === truth ? "said right" : "said" });
        line.append(make("span", { className: "minor", textContent: title }), make("br"), make("strong", { textContent: name(label) }));
        line.append(label === truth ? " ✓" : " ✗");
        if (score !== null) line.append(make("span", { className: "minor", textContent: ` score ${score}` }));
        return line;
      };
      const looked = maps.filter(([model]) => model !== null).map(([model, heat]) => {
        const both = make("div", { className: "heat" }, draw(index, 112), draw(heat, 112, "heat"));
        return figure(both, "Where it looks", make("span", { className: "minor", textContent: data.models[model].name }));
      });
      const near = nearest.map((id) => {
        const [of, label] = set.neighbors[id];
        return figure(draw(set.images.length + id, 84), name(label), make("span", { className: "minor", textContent: `training row ${of}` }));
      });
      const others = make("table", {}, make("tbody", {}, ...set.models.map((model, nth) => make("tr", {},
        make("th", { scope: "row", textContent: data.models[model]?.name ?? "?" }),
        make("td", { className: answers[nth] === truth ? "" : "wrong", textContent: name(answers[nth]) }),
        make("td", { className: "figure", textContent: scores[nth] ?? "–" })))));
      const parts = [
        make("div", { className: "shown" },
          figure(draw(index, 168), make("strong", { textContent: name(truth) }), make("span", { className: "minor", textContent: `test row ${row}` })),
          make("div", {}, said(0, data.models[pickA.value].name), said(1, data.models[pickB.value].name)),
          ...looked),
        make("details", {}, make("summary", { textContent: `What all ${set.models.length} models say` }), make("div", { className: "scroll" }, others)),
      ];
      if (near.length) parts.splice(1, 0, make("h4", { textContent: "Nearest training images" }), make("div", { className: "shown near" }, ...near));
      return parts;
    };
    const turn = (by) => { page += by; chosen = 0; show(true); };
    const step = (by) => {
      const nth = page * perPage + chosen + by;
      if (nth < 0 || nth >= found.length) return;
      [page, chosen] = [Math.floor(nth / perPage), nth % perPage];
      show(true);
    };
    const columns = () => {
      const cells = [...byId("browser-grid").children];
      return Math.max(1, cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length);
    };
    const all = () => { classTable(); if (browser) { choose(); select(); } };
    for (const pick of [pickA, pickB]) pick.addEventListener("change", all);
    pickMetric.addEventListener("change", classTable);
    byId("swap").addEventListener("click", () => { [pickA.value, pickB.value] = [pickB.value, pickA.value]; all(); });
    if (browser) {
      for (const id of ["pick-truth", "pick-answers", "pick-right"]) byId(id).addEventListener("change", select);
      byId("page-back").addEventListener("click", () => turn(-1));
      byId("page-on").addEventListener("click", () => turn(1));
      byId("browser-grid").addEventListener("keydown", (event) => {
        const moves = {
          ArrowRight: () => step(1), ArrowLeft: () => step(-1),
          ArrowDown: () => step(columns()), ArrowUp: () => step(-columns()),
          PageDown: () => turn(1), PageUp: () => turn(-1),
          Home: () => { chosen = 0; show(true); }, End: () => { chosen = perPage; show(true); },
        };
        if (!moves[event.key]) return;
        event.preventDefault();
        moves[event.key]();
      });
      browser.hidden = false;
      for (const still of document.querySelectorAll(".without-script")) still.hidden = true;
    }
    all();
  }
})();
