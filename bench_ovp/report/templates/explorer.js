// What the reader chooses, drawn; and what the traces are at one place of the axis across.
const SCALES = [["log", "logarithmic"], ["linear", "linear"]];
const MOST_LINES = 1500, DIGITS = 4;
const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;

// A list of boxes to tick, with the two shortcuts that a long one needs.
function offerBoxes(title, options, isChosen) {
  const boxes = options.map((option, place) => {
    const box = make("input", { type: "checkbox" });
    box.checked = isChosen(place);
    return [box, make("label", { title: option.label }, box, " ", option.short)];
  });
  const field = make("fieldset", {}, make("legend", {}, title));
  const shortcuts = [["all", true], ["none", false]].map(([name, ticked]) => {
    const button = make("button", { type: "button", "aria-label": `${name} ${title}` }, name);
    button.addEventListener("click", () => {
      for (const [box] of boxes) box.checked = ticked;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    return button;
  });
  field.append(make("div", { class: "shortcuts" }, ...shortcuts));
  field.append(make("div", { class: "boxes" }, ...boxes.map(([, label]) => label)));
  return [field, () => boxes.flatMap(([box], place) => (box.checked ? [place] : []))];
}

function explore(home) {
  const seeds = listSeeds();
  const { problems, optimizers } = TRACES.chosen;
  const [problemBoxes, tickedProblems] = offerBoxes("problems", TRACES.problems, (place) => problems.includes(place));
  const [optimizerBoxes, tickedOptimizers] =
    offerBoxes("optimizers", TRACES.optimizers, (place) => optimizers.includes(place));
  const [seedBoxes, tickedSeeds] =
    offerBoxes("seeds", seeds.map((seed) => ({ label: `seed ${seed}`, short: `${seed}` })), () => true);
  seedBoxes.classList.add("short");
  const [clockLabel, clock] = offerChoice("x", CLOCKS);
  const [acrossLabel, across] = offerChoice("scale of x", SCALES);
  const [quantityLabel, quantity] = offerChoice("y", TRACES.quantities);
  const [upwardLabel, upward] = offerChoice("scale of y", SCALES);
  const [svgButton, csvButton] = ["svg", "csv"].map((kind) => make("button", { type: "button" }, `save ${kind}`));
  const choices = make("div", { class: "choices" }, problemBoxes, optimizerBoxes, seedBoxes);
  const bar = make("div", { class: "bar" },
    clockLabel, acrossLabel, quantityLabel, upwardLabel, svgButton, csvButton);
  const status = make("p", { role: "status", class: "status" });
  const card = make("div", { class: "card plot" });
  const slider = make("input", { type: "range", min: 0, max: 1000, value: 500 });
  const reading = make("span", { class: "place" });
  const table = make("table");
  home.append(choices, bar, status, card,
    make("label", { class: "slider" }, make("span", {}, "read at"), slider, reading),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Traces and their values" }, table));
  let lines = [], plot = null;

  function draw() {
    const wanted = {
      problems: new Set(tickedProblems()),
      optimizers: new Set(tickedOptimizers()),
      seeds: new Set(tickedSeeds().map((place) => seeds[place])),
      clock: clock.value, across: across.value, quantity: quantity.value, upward: upward.value,
    };
    const every = collectLines(wanted);
    lines = every.filter(({ runs }) => runs.length);
    const empty = every.length - lines.length;
    let room = MOST_LINES;
    for (const line of lines) room -= (line.runs = line.runs.slice(0, Math.max(0, room))).length;
    lines = lines.filter(({ runs }) => runs.length);
    const drawn = lines.reduce((sum, { runs }) => sum + runs.length, 0);
    status.textContent = `${count(drawn, "trace")} of ${count(lines.length, "pair")} drawn` +
      `${empty ? `; ${count(empty, "pair")} without such records` : ""}${room <= 0 ? "; no more fit" : ""}.`;
    plot = drawn ? drawPlot(lines, wanted.quantity === "loss" ? listGuides(lines) : [], {
      ...wanted, width: measureRoom(), acrossName: nameClock(), upwardName: nameQuantity(),
    }) : null;
    if (plot) {
      plot.svg.setAttribute("aria-label",
        `${nameQuantity()} against ${nameClock()}. ${status.textContent} The table below tells the values.`);
      plot.svg.append(trace("path", { class: "cursor", stroke: "#5f5f5a" }));
      plot.svg.addEventListener("pointermove", follow);
    }
    card.replaceChildren(plot?.svg ?? make("p", {}, "Nothing to draw: tick a problem, an optimizer and a seed."));
    for (const button of [svgButton, csvButton]) button.disabled = !plot;
    list();
    tell();
  }

  function measureRoom() {
    return Math.max(280, Math.floor(card.clientWidth - 2 * parseFloat(getComputedStyle(card).paddingLeft)));
  }

  const nameQuantity = () => quantity.selectedOptions[0].textContent;

  // Time counts something else under each optimizer: named where all that are drawn agree.
  function nameClock() {
    const told = clock.selectedOptions[0].textContent;
    const clocks = [...new Set(lines.map(({ optimizer }) => optimizer.clock))];
    return clock.value === "time" && clocks.length === 1 && clocks[0] ? `${told} (${clocks[0]})` : told;
  }

  // The legend, which is the table of readings too.
  function list() {
    const number = { class: "n" };
    const names = ["problem", "optimizer", nameQuantity(), "runs", "law", "theory"];
    const headings = names.map((name) => make("th", { scope: "col" }, name));
    for (const place of [2, 3]) headings[place].className = "n";
    const rows = lines.map((line) => {
      line.cell = make("td", number);
      return make("tr", {},
        make("th", { scope: "row", title: line.problem.label }, drawSample(line), line.problem.short),
        make("td", { title: line.optimizer.label }, line.optimizer.short),
        line.cell,
        make("td", number, line.runs.length),
        make("td", {}, ...raise(line.pair.law || "–")),
        make("td", {}, ...raise(line.pair.theory || "–")));
    });
    table.replaceChildren(make("thead", {}, make("tr", {}, ...headings)), make("tbody", {}, ...rows));
  }

  // At the slider, the nearest record of each run that has begun and not ended there.
  function tell() {
    reading.textContent = "";
    if (!plot) return;
    const pixel = plot.left + (slider.value / 1000) * (plot.right - plot.left);
    plot.svg.querySelector(".cursor").setAttribute("d", `M${pixel.toFixed(1)} ${ABOVE}V${plot.bottom}`);
    reading.textContent = `${nameClock()} = ${write(plot.x.find(pixel), DIGITS)}`;
    slider.setAttribute("aria-valuetext", reading.textContent);
    for (const { runs, cell } of lines) {
      const values = runs.flatMap((run) => {
        const pixels = run.x.map(plot.x.place);
        if (pixel < pixels[0] - 1 || pixel > pixels.at(-1) + 1) return [];
        const gaps = pixels.map((each) => Math.abs(each - pixel));
        return [run.y[gaps.indexOf(Math.min(...gaps))]];
      });
      const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => write(value, DIGITS));
      cell.textContent = low === high ? low : `${low} to ${high}`;
    }
  }

  function follow(event) {
    const { left, width } = plot.svg.getBoundingClientRect();
    const pixel = ((event.clientX - left) / width) * plot.svg.viewBox.baseVal.width;
    slider.value = (1000 * (pixel - plot.left)) / (plot.right - plot.left);
    tell();
  }

  const nameFile = (kind) => `${document.title.split(" · ")[0].replace(/[^\w.-]+/g, "-")}-traces.${kind}`;
  svgButton.addEventListener("click", () => {
    const text = new XMLSerializer().serializeToString(drawLegend(plot.svg, lines));
    save(nameFile("svg"), "image/svg+xml", text);
  });
  csvButton.addEventListener("click", () => {
    const quote = (text) => `"${text.replaceAll('"', '""')}"`;
    const rows = lines.flatMap(({ problem, optimizer, runs }) => {
      const labels = [problem, optimizer].map(({ label }) => quote(label));
      return runs.flatMap(({ seed, x, y }) =>
        x.map((value, place) => [...labels, seed, value.toPrecision(5), y[place].toPrecision(5)].join(",")));
    });
    const head = `problem,optimizer,seed,${clock.value},${quantity.value}`;
    save(nameFile("csv"), "text/csv", [head, ...rows, ""].join("\n"));
  });
  for (const controls of [choices, bar]) controls.addEventListener("input", draw);
  slider.addEventListener("input", tell);
  let width = card.clientWidth;
  new ResizeObserver(() => {
    if (card.clientWidth === width) return;
    width = card.clientWidth;
    draw();
  }).observe(card);
  draw();
}

const home = document.getElementById("explorer");
if (home) explore(home);
