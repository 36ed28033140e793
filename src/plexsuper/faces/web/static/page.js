// Follows the story of a run as the server tells it, and keeps the panels up to date.
import * as course from "./course.js";
import { $, sentence } from "./dom.js";
import * as health from "./health.js";
import * as tables from "./panels.js";

const panels = { ...tables, ...course, ...health };
const SILENCE = 40_000; // the server says something every 15 s
const KEPT = { minor: 150, info: 200, warning: 150 }; // events of each kind, as on the server
const PARTS = {
  verdict: ["run"],
  now: ["run", "now"],
  timeline: ["run", "stages", "sections", "mount"],
  curves: ["now", "curves"],
  storage: ["run", "now", "mount"],
  incidents: ["incidents"],
  container: ["container"],
  library: ["run", "statistics"],
  removals: ["removals"],
  failures: ["failures"],
  events: ["events"],
};
const MOVING = ["timeline", "curves", "storage", "container"]; // drawn up to the present

let story = null;
let offset = 0; // of the server's clock from ours, ms
let paused = false;
let frame = 0;
const stale = new Set();

// --- the connection ---------------------------------------------------------------------------------

let source = null,
  last = "",
  heard = 0,
  tries = 0,
  retry = 0,
  over = false;

function connect() {
  clearTimeout(retry);
  source?.close();
  source = new EventSource(`events?after=${encodeURIComponent(last)}`);
  heard = Date.now();
  source.addEventListener("story", (event) => {
    heard = Date.now();
    last = event.lastEventId;
    take(JSON.parse(event.data));
    if (tries > 0) say("The connection is back.");
    tries = 0;
    over = false;
    link("live", paused ? "paused" : "live");
  });
  source.addEventListener("end", () => {
    source.close();
    over = true;
    link("ended", "run ended");
    again(15_000);
  });
  source.addEventListener("error", () => {
    source.close(); // it would not come back from an answer such as 503 by itself
    if (!over && tries === 0) say("The connection is lost.");
    tries += 1;
    link(
      over || story?.run.verdict ? "ended" : "lost",
      over || story?.run.verdict ? "run ended" : "connection lost, trying again …",
    );
    again(over ? 15_000 : Math.min(500 * 2 ** tries, 10_000));
  });
}

function again(after) {
  clearTimeout(retry);
  retry = setTimeout(connect, after);
}

function link(state, words) {
  if ($("link").dataset.state === state && $("link-words").textContent === words) return;
  $("link").dataset.state = state;
  $("link-words").textContent = words;
}

// --- the story --------------------------------------------------------------------------------------

function take(message) {
  const first = story === null;
  if (message.whole || story === null) story = { curves: {}, events: [] };
  offset = message.sent * 1000 - Date.now();
  const { curves, events, ...parts } = message;
  Object.assign(story, parts);
  Object.assign(story.curves, curves);
  for (const event of events) event.all = `${event.section ?? ""} ${event.type} ${event.level} ${event.text}`.toLowerCase();
  story.events = keep([...story.events, ...events]);
  story.began = story.run.started ? Date.parse(story.run.started) : Date.now() + offset;
  const changed = new Set([
    ...Object.keys(parts),
    ...(Object.keys(curves).length ? ["curves"] : []),
    ...(events.length ? ["events"] : []),
  ]);
  for (const [panel, needs] of Object.entries(PARTS))
    if (message.whole || needs.some((part) => changed.has(part))) stale.add(panel);
  $("holes").hidden = !message.holes;
  $("holes").textContent = `${message.holes} events could not be shown on this page; the journal and the event stream have them.`;
  if (!first) announce(events);
  draw();
}

function keep(events) {
  const left = { ...KEPT };
  const kind = (event) => (event.minor ? "minor" : event.level === "info" ? "info" : "warning");
  return events
    .reverse()
    .filter((event) => left[kind(event)]-- > 0)
    .reverse();
}

function announce(events) {
  const worth = events.filter(
    (e) =>
      !e.minor &&
      (e.level !== "info" ||
        /^(section\.(phase\.)?(started|finished)|run\.|mount\.restored|plex\.(ready|frozen|thawed))/.test(e.type)),
  );
  if (worth.length)
    say(
      worth
        .slice(-2)
        .map((e) => e.text)
        .join(". "),
    );
}

function say(words) {
  $("say").textContent = words;
}

// --- drawing ----------------------------------------------------------------------------------------

// Seconds since the run began; nothing moves after its end.
const time = () => (story.run.verdict === null ? Math.max(story.at, (Date.now() + offset - story.began) / 1000) : story.at);

function draw() {
  if (story === null || paused || document.hidden || frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    const names = [...stale];
    stale.clear();
    for (const name of names) show(name);
    panels.tick(story, time());
    head();
    if (!document.documentElement.dataset.drawn) performance.measure("first picture", { start: 0, end: performance.now() });
    document.documentElement.dataset.drawn = story.seq;
  });
}

function show(name) {
  story.time = time();
  if (name === "curves") panels.curves(story, time(), $("curve").value);
  else if (name === "events") panels.events(story, { level: $("level").value, words: $("words").value });
  else panels[name](story, time());
}

function head() {
  const { run, now } = story;
  const share = now.progress && now.progress.percent !== null ? `${Math.floor(now.progress.percent)} % ` : "";
  const what =
    run.verdict !== null
      ? sentence(run.words)
      : now.section
        ? `${now.section.title}${now.phase_name ? `, ${now.phase_name}` : ""}`
        : (now.stage_name ?? "");
  document.title = [`${share}${what}`, "plexsuper"].filter(Boolean).join(" - ");
}

function redraw(names) {
  for (const name of names) stale.add(name);
  draw();
}

// What the reader asks for is drawn at once, paused or not.
function choose(name) {
  if (story !== null) show(name);
}

// --- the reader -------------------------------------------------------------------------------------

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  if ($("link").dataset.state === "live") link("live", paused ? "paused" : "live");
  draw();
});
for (const details of document.querySelectorAll("main details")) {
  details.addEventListener("toggle", () => {
    const panel = details.closest("section").id;
    if (details.open && panel in PARTS) choose(panel);
  });
}
$("curve").addEventListener("change", () => choose("curves"));
$("level").addEventListener("change", () => choose("events"));
$("words").addEventListener("input", () => choose("events"));
$("filter").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("visibilitychange", draw);
addEventListener("online", connect);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) redraw(MOVING);
  width = innerWidth;
});

setInterval(() => {
  if (story !== null && !paused && !document.hidden && story.run.verdict === null) panels.tick(story, time());
  if (!over && Date.now() - heard > SILENCE && source.readyState !== EventSource.CLOSED) {
    link("lost", "no news, connecting again …");
    connect();
  }
}, 1000);
setInterval(() => {
  if (story !== null && story.run.verdict === null && $("link").dataset.state === "live") redraw(MOVING);
}, 5000);
connect();
