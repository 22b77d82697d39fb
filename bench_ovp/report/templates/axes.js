// One axis: where a value lies between two pixels, and which values are named on it.
function makeAxis(series, log, start, stop) {
  const [to, back] = log ? [Math.log10, (value) => 10 ** value] : [(value) => value, (value) => value];
  let low = Infinity, high = -Infinity;
  for (const values of series)
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  [low, high] = [to(low), to(high)];
  const pad = high > low ? 0.02 * (high - low) : log ? 0.5 : Math.abs(high) / 2 || 1;
  [low, high] = [low - pad, high + pad];
  return {
    place: (value) => start + ((to(value) - low) / (high - low)) * (stop - start),
    find: (pixel) => back(low + ((pixel - start) / (stop - start)) * (high - low)),
    holds: (value) => to(value) >= low && to(value) <= high,
    ticks: (most) => (log ? listPowers(low, high, most) : listSteps(low, high, most)),
  };
}

// The densest of: 1, 2 and 5 times powers of ten, all powers, every second, and so on; within less, even steps.
function listPowers(low, high, most) {
  const dense = [];
  for (let power = Math.floor(low); power <= high; power++)
    for (const digit of [1, 2, 5]) dense.push(digit * 10 ** power);
  let ticks = dense.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  if (ticks.length < 3) return listSteps(10 ** low, 10 ** high, most);
  for (const step of [1, 2, 3, 4, 5, 10, 20, 50, 100]) {
    if (ticks.length <= most) break;
    ticks = [];
    for (let power = step * Math.ceil(low / step); power <= high; power += step) ticks.push(10 ** power);
  }
  return ticks;
}

function listSteps(low, high, most) {
  const least = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(least));
  const step = unit * [1, 2, 5, 10].find((digit) => digit * unit >= least * (1 - 1e-9));
  const steps = [];
  for (let place = Math.ceil(low / step); place * step <= high; place++) steps.push(place * step);
  return steps;
}

// A number in few letters: 250, 0.02, 10⁻⁷, 2.5·10⁻⁷.
function write(value, digits = 4) {
  if (!Number.isFinite(value)) return "–";
  const short = Number(value.toPrecision(digits));
  if (short === 0 || (Math.abs(short) >= 1e-3 && Math.abs(short) < 1e5)) return String(short).replace("-", "−");
  const [mantissa, exponent] = short.toExponential().split("e");
  const raised = [...String(Number(exponent))].map((letter) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(letter)]);
  const power = `10${raised.join("")}`;
  return (mantissa === "1" ? power : `${mantissa}·${power}`).replace("-", "−");
}
