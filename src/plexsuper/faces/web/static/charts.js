// Draws SVG at the width it is shown in, so that text keeps its size on every screen.
import { timeOfDay } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const text = (x, y, words, attributes = {}) => svg("text", { x, y, ...attributes }, words);
const title = (words) => svg("title", {}, words);

// The stretch from `from` to `to` (seconds since the run began) over `width` pixels; `began` is the run's start in ms.
export class Axis {
  constructor({ from, to, width, began }) {
    this.from = from;
    this.to = Math.max(to, from + 1);
    this.width = width;
    this.began = began;
    this.long = this.to - this.from > 20 * 3600;
  }

  x(t) {
    return Math.round(Math.min(Math.max((t - this.from) / (this.to - this.from), 0), 1) * this.width * 10) / 10;
  }

  at(t, seconds = true) {
    return timeOfDay(new Date(this.began + t * 1000), { seconds, day: this.long });
  }

  ticks() {
    const least = (this.to - this.from) / Math.max(2, this.width / (this.long ? 105 : 80));
    const step = STEPS.find((candidate) => candidate >= least) ?? STEPS.at(-1);
    const zone = new Date(this.began).getTimezoneOffset() * 60;
    const shift = this.began / 1000 - zone;
    const found = [];
    for (let t = Math.ceil((this.from + shift) / step) * step - shift; t <= this.to; t += step) found.push([t, step < 60]);
    return found;
  }

  draw(top, bottom) {
    const group = svg("g", { "aria-hidden": "true" });
    for (const [t, seconds] of this.ticks()) {
      const x = this.x(t);
      group.append(svg("line", { x1: x, x2: x, y1: top, y2: bottom, class: "grid" }));
      const words = this.at(t, seconds);
      const half = words.length * 3.4;
      if (x > half - 2 && x < this.width - half + 2) group.append(text(x, bottom + 14, words, { "text-anchor": "middle" }));
    }
    group.append(svg("line", { x1: 0, x2: this.width, y1: bottom, y2: bottom, class: "axis" }));
    return group;
  }
}

// The axis of a chart in `box`, with room for names at its left.
export function axisOf(story, box, to, gutter = 0, from = 0) {
  const axis = new Axis({ from, to, width: Math.max(120, box.clientWidth - gutter), began: story.began });
  axis.gutter = gutter;
  return axis;
}

function frame(box, height, label) {
  const picture = svg("svg", { viewBox: `0 0 ${box.clientWidth} ${height}`, height, role: "img", "aria-label": label });
  picture.hatch = `hatch-${box.id}`;
  picture.append(patterns(picture.hatch));
  box.replaceChildren(picture);
  return picture;
}

function patterns(id) {
  const hatch = svg("pattern", { id, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  hatch.append(svg("line", { x1: 0, y1: 0, x2: 0, y2: 8, class: "hatch" }));
  return svg("defs", {}, hatch);
}

function block(axis, { from, to, tone, words, hatched }, y, height, hatch) {
  const x = axis.x(from);
  const width = Math.max(1.5, axis.x(to) - x);
  const place = { x, y, width, height, rx: Math.min(3, width / 3) };
  const group = svg("g", { class: `tone-${tone}` }, title(words), svg("rect", { ...place, class: "block" }));
  if (hatched) group.append(svg("rect", { ...place, fill: `url(#${hatch})` }));
  return { group, x, width };
}

// Rows of bars: [{label, note, bars: [{from, to, tone, words, inside, hatched}]}], with bands [{from, to, name, words, thin}] over all.
export function rows(box, { list, bands, axis, now, label }) {
  const wide = axis.gutter > 0;
  const pitch = wide ? 32 : 46;
  const bottom = list.length * pitch + 6;
  const picture = frame(box, bottom + 20, label);
  const body = svg("g", wide ? { transform: `translate(${axis.gutter} 0)` } : {});
  body.append(axis.draw(0, bottom));
  list.forEach((row, index) => {
    const y = index * pitch + (wide ? 5 : 20);
    const name = fit(row.label, wide ? axis.gutter - 12 : axis.width - 90, 7.2);
    picture.append(text(0, wide ? y + 15 : y - 5, name, { class: "label" }));
    if (!wide && row.note) picture.append(text(axis.width, y - 5, row.note, { "text-anchor": "end" }));
    body.append(svg("rect", { x: 0, y, width: axis.width, height: 22, rx: 3, class: "lane" }));
    for (const bar of row.bars) {
      const { group, x, width } = block(axis, bar, y, 22, picture.hatch);
      if (bar.inside && bar.inside.length * 6.8 + 10 < width)
        group.append(text(x + 6, y + 15.5, bar.inside, { class: "inside" }));
      body.append(group);
    }
  });
  for (const band of bands) {
    const x = axis.x(band.from);
    const place = band.thin ? { y: bottom - 4, height: 4 } : { y: 0, height: bottom };
    body.append(svg("rect", { x, width: Math.max(2, axis.x(band.to) - x), ...place, class: band.name }, title(band.words)));
  }
  if (now !== null) body.append(svg("line", { x1: axis.x(now), x2: axis.x(now), y1: 0, y2: bottom, class: "nowline" }));
  picture.append(body);
}

// Lanes of states: [{height, spans: [{from, to, tone, words, hatched}]}].
export function strip(box, { lanes, axis, label }) {
  const bottom = lanes.reduce((sum, lane) => sum + lane.height + 4, 0);
  const picture = frame(box, bottom + 18, label);
  picture.append(axis.draw(0, bottom));
  let y = 0;
  for (const lane of lanes) {
    picture.append(svg("rect", { x: 0, y, width: axis.width, height: lane.height, rx: 3, class: "lane" }));
    for (const span of lane.spans) picture.append(block(axis, span, y, lane.height, picture.hatch).group);
    y += lane.height + 4;
  }
}

// A curve of points [time, value, maximum?]; `hope` [time, value] is where it may end, `limit` a value not to be passed.
// `single` points are joined only where they are as near to each other as most are: elsewhere nobody has measured.
export function curve(
  box,
  { points, tone, axis, height = 150, top, limit = null, hope = null, say, reading, label, caption = "", single = false },
) {
  const bottom = height - 20;
  const head = caption ? 22 : 12;
  const most =
    Math.max(top ?? 0, ...points.map((p) => p[2] ?? p[1]), limit !== null && limit < 1e15 ? limit : 0, hope ? hope[1] : 0) || 1;
  const y = (value) => Math.round((bottom - (value / most) * (bottom - head)) * 10) / 10;
  const picture = frame(box, height, label);
  picture.classList.add(`tone-${tone}`);
  if (caption) picture.append(text(0, 12, caption, { class: "label" }));
  picture.append(axis.draw(head - 4, bottom));
  for (const value of levels(most, bottom - head)) {
    picture.append(svg("line", { x1: 0, x2: axis.width, y1: y(value), y2: y(value), class: "grid" }));
    picture.append(text(2, y(value) + (y(value) - 14 < head - 4 ? 13 : -3), say(value), { "aria-hidden": "true" }));
  }
  if (single) {
    picture.append(svg("path", { d: joined(points, axis, y), class: "line" }));
    for (const p of points.length > 60 ? points.slice(-1) : points)
      picture.append(svg("circle", { cx: Math.min(Math.max(axis.x(p[0]), 4), axis.width - 4), cy: y(p[2]), r: 4, class: "dot" }));
  } else if (points.length) {
    const path = trace(points, axis, y, 1);
    const from = axis.x(points[0][0]),
      to = axis.x(points.at(-1)[0]);
    picture.append(svg("path", { d: `${path}L${to} ${bottom}L${from} ${bottom}Z`, class: "area" }));
    if (points[0].length > 2) picture.append(svg("path", { d: trace(points, axis, y, 2), class: "most" }));
    picture.append(svg("path", { d: path, class: "line" }));
    if (hope) picture.append(svg("path", { d: `M${to} ${y(points.at(-1)[1])}L${axis.x(hope[0])} ${y(hope[1])}`, class: "hope" }));
    picture.append(svg("circle", { cx: Math.min(Math.max(to, 4), axis.width - 4), cy: y(points.at(-1)[1]), r: 4, class: "dot" }));
  }
  if (limit !== null)
    picture.append(
      svg("line", { x1: 0, x2: axis.width, y1: y(limit), y2: y(limit), class: "limit" }, title(`limit ${say(limit)}`)),
    );
  read(picture, { points, axis, y, head, bottom, reading });
}

const trace = (points, axis, y, which) => points.map((p, index) => `${index ? "L" : "M"}${axis.x(p[0])} ${y(p[which])}`).join("");

function joined(points, axis, y) {
  const gaps = points.slice(1).map((p, index) => p[0] - points[index][0]);
  const usual = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  return points.map((p, i) => `${i && gaps[i - 1] <= 2.5 * usual ? "L" : "M"}${axis.x(p[0])} ${y(p[2])}h0`).join("");
}

function levels(most, height) {
  const rough = most / Math.max(1, height / 45);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let value = step; value <= most * 1.0001; value += step) found.push(value);
  return found.length ? found : [most];
}

// The value below the pointer; the table beside each chart has all of them for who has none.
function read(picture, { points, axis, y, head, bottom, reading }) {
  if (!points.length) return;
  const cross = svg("line", { y1: head, y2: bottom, class: "cross", visibility: "hidden" });
  const words = text(0, head - 1, "", { class: "reading" });
  picture.append(cross, words);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const t = axis.from + ((event.clientX - box.left) / box.width) * (axis.to - axis.from);
    const nearest = points.reduce((best, p) => (Math.abs(p[0] - t) < Math.abs(best[0] - t) ? p : best));
    const x = axis.x(nearest[0]);
    cross.setAttribute("x1", x);
    cross.setAttribute("x2", x);
    cross.setAttribute("visibility", "visible");
    words.textContent = `${axis.at(nearest[0])}  ${reading(nearest)}`;
    words.setAttribute("x", Math.min(Math.max(x, 0), Math.max(0, axis.width - words.textContent.length * 7)));
  });
  picture.addEventListener("pointerleave", () => {
    cross.setAttribute("visibility", "hidden");
    words.textContent = "";
  });
}

const fit = (words, width, perLetter) =>
  words.length * perLetter <= width ? words : `${words.slice(0, Math.max(1, Math.floor(width / perLetter) - 1))}…`;
