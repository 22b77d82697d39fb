// TRACES, unpacked: the lines that a choice of problems, optimizers, seeds, clock and quantity makes.
const CLOCKS = [["time", "time t"], ["iteration", "iterations"], ["evaluations", "evaluations"]];
const BELOW = 4; // theory's law is drawn below what was measured, by this factor
const SETTLED = { power: 0.03, exponential: 0.3 }; // of the time of a run: from there on its law is drawn

// Second differences of logarithms, summed up again; or the numbers as they are.
function unpack(packed) {
  let level = 0, slope = 0;
  if (packed.log) return packed.log.map((bend) => 10 ** (TRACES.unit * (level += slope += bend)));
  return packed.raw.map((value) => value ?? NaN);
}
const unpacked = new Map();
function readColumn(run, column) {
  const place = run[1 + TRACES.columns.indexOf(column)];
  if (place == null) return null;
  if (!unpacked.has(place)) unpacked.set(place, unpack(TRACES.series[place]));
  return unpacked.get(place);
}

function listSeeds() {
  const seeds = TRACES.pairs.flatMap(({ runs }) => runs.map(([seed]) => seed));
  return [...new Set(seeds)].sort((one, other) => one - other);
}

// The records of a run that its axes can show; null if there are none.
function readRun(run, wanted) {
  const [x, y, time] = [wanted.clock, wanted.quantity, "time"].map((column) => readColumn(run, column));
  if (!x || !y || !time) return null;
  const fits = (value, scale) => Number.isFinite(value) && (scale !== "log" || value > 0);
  const places = [...x.keys()].filter((place) => fits(x[place], wanted.across) && fits(y[place], wanted.upward));
  const [xs, ys, times] = [x, y, time].map((values) => places.map((place) => values[place]));
  return places.length ? { seed: run[0], x: xs, y: ys, time: times } : null;
}

// Each pair that is wanted, with its runs, which may be none.
function collectLines(wanted) {
  const pairs = TRACES.pairs.filter(
    ({ problem, optimizer }) => wanted.problems.has(problem) && wanted.optimizers.has(optimizer),
  );
  const problems = [...new Set(pairs.map(({ problem }) => problem))];
  const one = new Set(pairs.map(({ optimizer }) => optimizer)).size === 1;
  return pairs.map((pair) => {
    const chosen = pair.runs.filter(([seed]) => wanted.seeds.has(seed));
    const runs = chosen.map((run) => readRun(run, wanted)).filter((run) => run);
    const [problem, optimizer] = [TRACES.problems[pair.problem], TRACES.optimizers[pair.optimizer]];
    // Methods have their colours, and a dash tells problems apart; under one method colours are the problems'.
    const look = one ? problem : { ...optimizer, dash: problems.indexOf(pair.problem) };
    return { pair, problem, optimizer, runs, color: look.color, marker: look.marker, dash: look.dash };
  });
}

// Theory's laws, once for each optimizer, beside the run that ends lowest. Along a run any clock goes with time.
function listGuides(lines) {
  const guides = new Map();
  for (const { pair, runs } of lines) {
    if (!pair.guide) continue;
    const [law, rate] = pair.guide;
    const { x, y, time } = runs.reduce((one, other) => (other.y.at(-1) < one.y.at(-1) ? other : one));
    const end = time.at(-1), last = y.at(-1) / BELOW;
    const key = `${pair.optimizer} ${law} ${rate}`;
    if (guides.get(key)?.last < last) continue;
    const rise = law === "power" ? (t) => (end / t) ** rate : (t) => Math.exp(rate * (end - t));
    const late = [...time.keys()].filter((place) => time[place] >= SETTLED[law] * end);
    guides.set(key, { last, x: late.map((place) => x[place]), y: late.map((place) => last * rise(time[place])) });
  }
  return [...guides.values()];
}
