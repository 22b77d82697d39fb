// Lines as SVG, in pixels of the page, so that letters are of one size on every screen.
const MARKERS = {
  o: "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z",
  s: "M-3-3h6v6h-6z",
  "^": "M0-3.8l3.6 6.4h-7.2z",
  D: "M0-4.2l3.6 4.2l-3.6 4.2l-3.6-4.2z",
  v: "M0 3.8l3.6-6.4h-7.2z",
  X: "M-4-4h2l2 2l2-2h2l-2.8 4l2.8 4h-2l-2-2l-2 2h-2l2.8-4z",
  P: "M-1.4-4h2.8v2.6h2.6v2.8h-2.6v2.6h-2.8v-2.6h-2.6v-2.8h2.6z",
  "*": "M0-5l1.4 3.4h3.6l-2.8 2.4l1 3.7l-3.2-2.1l-3.2 2.1l1-3.7l-2.8-2.4h3.6z",
  p: "M0-4.2l4 3l-1.5 4.6h-5l-1.5-4.6z",
  h: "M-4 0l2-3.5h4l2 3.5l-2 3.5h-4z",
};
const DASHES = ["none", "2 2.5", "7 2.5 2 2.5", "8 4", "4 3", "8 3 2 3 2 3"];
const GUIDE = { class: "theory", fill: "none", stroke: "#1a1a1a", "stroke-dasharray": "9 5" };
const INK = "#1a1a1a", GRID = "#e4e4e4"; // on white, in a dark page too
const ABOVE = 30, UNDER = 44, BESIDE = 14; // margins
const MARKS = 4; // on a line

const drawDash = ({ color, dash }, d, more) =>
  trace("path", { d, fill: "none", stroke: color, "stroke-dasharray": DASHES[dash % DASHES.length], ...more });

const drawMark = ({ color, marker }, x, y) =>
  trace("path", { d: MARKERS[marker], fill: color, stroke: "#fff", transform: `translate(${x} ${y})` });

// A line and its mark, as a legend shows them.
const drawSample = (line) =>
  trace("svg", { width: 36, height: 12, viewBox: "0 0 36 12", "aria-hidden": "true", class: "sample" },
    drawDash(line, "M0 6H36", { "stroke-width": 2 }), drawMark(line, 18, 6));

// All lines on axes of their own; the axis across, and how far it reaches, come with the SVG.
function drawPlot(lines, guides, { across, upward, width, acrossName, upwardName }) {
  const runs = lines.flatMap((line) => line.runs);
  const height = Math.round(Math.min(540, Math.max(300, 0.56 * width)));
  const bottom = height - UNDER, right = width - BESIDE;
  const y = makeAxis(runs.map((run) => run.y), upward === "log", bottom, ABOVE);
  const rows = y.ticks(Math.floor(height / 45));
  const left = 16 + 7.2 * Math.max(0, ...rows.map((value) => write(value).length));
  const x = makeAxis(runs.map((run) => run.x), across === "log", left, right);

  const svg = trace("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  put(svg, { "font-family": "system-ui, Arial, sans-serif", "font-size": 12 }, []);
  const draw = (d, more) => svg.append(trace("path", { d, fill: "none", stroke: INK, ...more }));
  const say = (text, more) => svg.append(trace("text", { fill: INK, ...more }, text));
  const at = (axis, value) => axis.place(value).toFixed(1);

  svg.append(trace("rect", { width, height, fill: "#fff" }));
  for (const value of rows) {
    draw(`M${left} ${at(y, value)}H${right}`, { stroke: GRID });
    say(write(value), { x: left - 7, y: y.place(value) + 4, "text-anchor": "end" });
  }
  for (const value of x.ticks(Math.floor((right - left) / 60))) {
    draw(`M${at(x, value)} ${ABOVE}V${bottom}`, { stroke: GRID });
    say(write(value), { x: at(x, value), y: bottom + 18, "text-anchor": "middle" });
  }
  draw(`M${left} ${ABOVE}V${bottom}H${right}`);
  say(upwardName, { x: 4, y: 16 });
  say(acrossName, { x: right, y: height - 7, "text-anchor": "end" });

  const path = (xs, ys) => "M" + xs.map((value, place) => `${at(x, value)} ${at(y, ys[place])}`).join("L");
  const look = { class: "trace", "stroke-width": 1.5, "stroke-opacity": runs.length > 2 * lines.length ? 0.5 : 0.95 };
  for (const line of lines) for (const run of line.runs) svg.append(drawDash(line, path(run.x, run.y), look));
  lines.forEach((line, order) => {
    const [run] = line.runs;
    const shift = 0.2 + 0.6 * ((0.38 * order) % 1); // out of step with the marks of its neighbours
    for (let step = 0; step < MARKS; step++) {
      const place = Math.floor(((step + shift) / MARKS) * run.x.length);
      svg.append(drawMark(line, at(x, run.x[place]), at(y, run.y[place])));
    }
  });
  for (const guide of guides) {
    const inside = [...guide.x.keys()].filter((place) => x.holds(guide.x[place]) && y.holds(guide.y[place]));
    const [xs, ys] = [guide.x, guide.y].map((values) => inside.map((place) => values[place]));
    if (inside.length > 1) draw(path(xs, ys), GUIDE);
  }
  return { svg, x, left, right, bottom };
}

// A copy to be saved, with a legend under it.
function drawLegend(svg, lines) {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.viewBox.baseVal;
  const tall = height + 18 * lines.length + 8;
  copy.querySelector(".cursor")?.remove();
  copy.querySelector("rect").setAttribute("height", tall);
  lines.forEach((line, order) => {
    const top = height + 18 * order;
    const told = [line.problem.short, line.optimizer.short, line.pair.law].filter(Boolean).join(", ");
    copy.append(put(drawSample(line), { x: 8, y: top + 2 }, []));
    const pieces = raise(told, (power) => trace("tspan", { dy: -4, "font-size": 9 }, power));
    const lowered = pieces.map((piece, place) =>
      place && typeof piece === "string" ? trace("tspan", { dy: 4 }, piece) : piece);
    copy.append(trace("text", { x: 52, y: top + 12, fill: INK }, ...lowered));
  });
  return put(copy, { viewBox: `0 0 ${width} ${tall}`, height: tall }, []);
}
