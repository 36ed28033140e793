// Numbers and times as people read them; the same rules as in every other face of plexsuper.

export const count = (n) => n.toLocaleString("en-US");

const rounded = (n) => Math.floor(n + 0.5);

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 0.0005) return "0 s";
  if (seconds < 0.0995) return `${rounded(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`.replace(".0 s", " s");
  const whole = rounded(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${two(whole % 60)} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${two(minutes % 60)} m` : `${hours} h`;
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

export function rate(perSecond) {
  for (const [unit, factor] of [
    ["s", 1],
    ["min", 60],
  ])
    if (perSecond * factor >= 1) return `${short(perSecond * factor)}/${unit}`;
  return `${short(perSecond * 3600)}/h`;
}

export function eta(seconds) {
  if (seconds < 10) return "≈ a few s";
  if (seconds < 90) return `≈ ${rounded(seconds / 10) * 10} s`;
  if (seconds < 5400) return `≈ ${rounded(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `≈ ${short(seconds / 3600)} h`;
  return `≈ ${short(seconds / 86400)} d`;
}

export const percent = (value) => `${Math.floor(Math.min(Math.max(value, 0), 100))} %`;

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes,
    unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 && unit ? value.toFixed(1) : rounded(value)} ${units[unit]}`;
}

export const change = (n) => (n === 0 ? "·" : `${n > 0 ? "+" : "-"}${count(Math.abs(n))}`);

// The time of day at the reader's place; with the day where it is not today's or a run takes longer than one.
export function timeOfDay(at, { seconds = true, day = false } = {}) {
  const text = `${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ""}`;
  return day ? `${at.toLocaleDateString("en-US", { weekday: "short" })} ${text}` : text;
}

const two = (n) => String(n).padStart(2, "0");
const short = (n) => (n < 9.95 ? n.toFixed(1).replace(/\.0$/, "") : count(rounded(n)));
