// Appended to a copy of the page by the browser tests: clicks, types, and writes what it found into
// the page.
"use strict";
addEventListener("load", () => {
  const failed = [];
  let n = 0;
  const check = (what, holds) => { n += 1; if (!holds) failed.push(what); };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const press = (key, target) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const change = (selector, value) => {
    one(selector).value = value;
    one(selector).dispatchEvent(new Event("change"));
  };

  for (const id of SECTIONS) check(`section ${id}`, document.getElementById(id)?.offsetHeight > 0);
  for (const link of all("nav a")) check(`link ${link.hash}`, one(`[id="${link.hash.slice(1)}"]`));
  for (const link of all("#summary a")) {
    check(`link ${link.hash}`, document.getElementById(decodeURIComponent(link.hash.slice(1)))?.matches("details.model"));
  }

  // Sorting: by accuracy down, then up.
  const accuracies = () => all("#summary tbody tr").map((row) => Number(row.cells[2].textContent));
  const head = all("#summary thead th")[2];
  const written = accuracies();
  head.querySelector("button").click();
  const down = accuracies();
  check("sorts down", down.every((value, at) => at === 0 || value <= down[at - 1]));
  check("says so", head.getAttribute("aria-sort") === "descending");
  head.querySelector("button").click();
  const up = accuracies();
  check("sorts up", up.every((value, at) => at === 0 || value >= up[at - 1]));
  check("keeps rows", up.length === written.length && [...up].sort().join() === [...written].sort().join());

  // Filtering: rows and sections together, and back.
  const filter = one("#filter");
  const shown = (selector) => all(selector).filter((node) => !node.hidden).length;
  const type = (text) => { filter.value = text; filter.dispatchEvent(new Event("input")); };
  type("softmax");
  check("filters rows", shown("#summary tbody tr") === 2);
  check("filters sections", shown("details.model") === 2);
  check("counts", one("#filter-count").textContent === `2 of ${written.length} models`);
  type("");
  check("shows all again", shown("details.model") === written.length);

  // A link to a model opens it.
  location.hash = all("#summary a")[0].hash;
  dispatchEvent(new HashChangeEvent("hashchange"));
  check("opens the model", document.getElementById(decodeURIComponent(location.hash.slice(1))).open);

  // Two models: the table follows.
  change("#pick-a", "0");
  change("#pick-b", "7");
  check("names", one("#class-a").textContent === one("#pick-a").selectedOptions[0].textContent);
  change("#pick-metric", "recall");
  const first = [...one("#class-table").tBodies[0].rows[0].cells].map((cell) => cell.textContent);
  check("difference", Math.abs(100 * (first[1] - first[2]) - Number(first[3].replace("−", "-"))) < 0.011);
  check("no script's absence", shown(".without-script") === 0);

  // Images on which they disagree: pages, keys, filters.
  const grid = one("#browser-grid");
  const chosen = () => all("#browser-grid button").findIndex((cell) => cell.getAttribute("aria-selected") === "true");
  const n_found = () => Number(one("#browser-count").textContent.split(" ")[0]) || 0;
  const n_all = n_found();
  check("some disagree", n_all > 24);
  check("a page of them", grid.children.length === 24);
  check("detail", one("#browser-detail canvas") && one("#browser-detail").textContent.includes("test row"));
  check("neighbours", all("#browser-detail .near canvas").length === 3);
  check("heat map", one("#browser-detail .heat"));
  press("ArrowRight", grid);
  check("moves right", chosen() === 1 && document.activeElement === grid.children[1]);
  press("ArrowLeft", grid);
  press("ArrowLeft", grid);
  check("stays at the first", chosen() === 0);
  const before = one("#browser-detail").textContent;
  press("PageDown", grid);
  check("turns the page", one("#page-number").textContent.startsWith("page 2 of"));
  check("shows another", one("#browser-detail").textContent !== before);
  one("#page-back").click();
  check("turns back", one("#page-number").textContent.startsWith("page 1 of") && one("#page-back").disabled);
  for (let at = 0; at < 24; at += 1) press("ArrowRight", grid);
  check("walks into the next page", one("#page-number").textContent.startsWith("page 2 of") && chosen() === 0);
  let of_classes = 0;
  for (const option of [...one("#pick-truth").options].slice(1)) {
    change("#pick-truth", option.value);
    of_classes += n_found();
  }
  change("#pick-truth", "");
  check("classes sum up", of_classes === n_all);
  let of_rights = 0;
  for (const right of ["a", "b", "none"]) {
    change("#pick-right", right);
    of_rights += n_found();
  }
  change("#pick-right", "");
  check("right and wrong sum up", of_rights === n_all);
  one("#swap").click();
  check("swaps", one("#pick-a").value === "7" && n_found() === n_all);
  change("#pick-b", "7");
  check("a model agrees with itself", grid.children.length === 0);
  change("#pick-b", "0");

  // A class of a plane alone.
  const key = one(".class-key");
  press("Enter", key);
  check("one class alone", key.closest("figure").querySelectorAll(".cloud.faint").length === 9);
  press("Enter", key);
  check("all again", all(".cloud.faint").length === 0);

  setTimeout(() => {
    const canvas = one("#browser-detail canvas");
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    check("the image is drawn", pixels.some((value, at) => at % 4 < 3 && value > 0));
    for (const part of all("details")) part.open = true;
    const { scrollWidth, clientWidth } = document.documentElement;
    check(`no scroll sideways: ${scrollWidth} of ${clientWidth}`, scrollWidth <= clientWidth);
    const result = document.createElement("pre");
    result.id = "self-test";
    result.textContent = `width ${innerWidth}; ${n} checks; ${failed.length} failed: ${failed.join(" | ")}`;
    document.body.append(result);
  }, 300);
});
