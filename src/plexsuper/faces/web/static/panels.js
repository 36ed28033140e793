// The panels: each draws one part of the story into its place. Nothing here keeps state but the choices of the reader.
import { Axis, curve, rows, strip } from "./charts.js";
import { change, clock, count, duration, eta, percent, rate, size, timeOfDay } from "./words.js";

export const $ = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

const MARKS = { done: "✔", skipped: "–", cancelled: "◼", stalled: "!", unseen: "?", capped: "!", failed: "✘", set_aside: "✘" };
const OUTCOMES = { done: "done", skipped: "skipped", cancelled: "cancelled", stalled: "stalled", unseen: "never seen to run", capped: "ended at its hard cap", failed: "failed", set_aside: "set aside" };
const MOUNT = { unknown: ["○", "dim"], healthy: ["●", "ok"], suspected: ["◐", "warn"], lost: ["✘", "bad"] };
const SERVER = { unknown: ["○", "dim"], stopped: ["○", "dim"], ready: ["●", "ok"], lost: ["✘", "bad"] };
const MOODS = { done: "ok", planned: "ok", set_aside: "warn", interrupted: "warn" };
const RECENT = 3; // incidents that are shown without being asked for
const PHASES = [["scan", "scan"], ["warm", "warming"], ["analyze", "analysis"], ["refresh", "metadata refresh"], ["sonic", "sonic analysis"]];

const cell = (words, kind = null) => h("td", { class: kind }, words);
const number = (n) => cell(n === null ? "·" : count(n), "number");
const fill = (table, lines) => $(table).tBodies[0].replaceChildren(...lines);
const at = (story, t) => timeOfDay(new Date(story.began + t * 1000), { day: story.time - 0 > 20 * 3600 });
const state = ([mark, mood], words, detail) => [h("span", { class: `mood-${mood}` }, `${mark} ${words}`), ...(detail ? [h("small", {}, detail)] : [])];
const mood = (outcome) => (outcome === null || outcome === "done" ? null : outcome === "skipped" ? "mood-dim" : "mood-warn");
const ended = (outcome) => (outcome === null ? cell("under way", "mood-dim") : cell(`${MARKS[outcome] ?? ""} ${OUTCOMES[outcome] ?? outcome}`, mood(outcome)));

export function verdict({ run }) {
  $("verdict").hidden = run.verdict === null;
  if (run.verdict === null) return;
  const kind = MOODS[run.verdict] ?? "bad";
  $("verdict").dataset.mood = kind;
  $("verdict-title").textContent = `${{ ok: "✔", warn: "!", bad: "✘" }[kind]} ${sentence(run.words)}`;
  const warned = run.warnings ? ` · ${count(run.warnings)} ${run.warnings === 1 ? "warning or error" : "warnings and errors"}` : "";
  $("verdict-text").textContent = `after ${duration(run.duration)} · exit code ${run.exit_code}${warned}${run.detail ? `. ${sentence(run.detail)}.` : ""}`;
  $("steps").hidden = !run.steps.length;
  $("steps").replaceChildren(...run.steps.map((step) => h("li", {}, step)));
}

export function now(story) {
  const { run, now: is } = story;
  $("profile").hidden = !run.profile;
  $("profile").textContent = run.profile;
  $("run-id").textContent = run.id ? `run ${run.id}` : "";
  $("versions").textContent = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`).join(" · ");
  $("doing").replaceChildren(...doing(story));
  const p = is.progress;
  $("progress").hidden = p === null;
  if (p !== null) {
    const bar = $("bar");
    bar.className = `tone-${is.phase}`;
    bar.hidden = p.percent === null;
    if (p.percent !== null) bar.setAttribute("aria-valuenow", Math.floor(p.percent));
    bar.setAttribute("aria-valuetext", p.percent === null ? count(p.done) : `${percent(p.percent)}, ${count(p.done)} of ${count(p.total ?? p.done)}`);
    bar.firstElementChild.style.width = `${p.percent ?? 0}%`;
    $("fact-done").replaceChildren(p.percent === null ? count(p.done) : percent(p.percent), ...(p.total === null ? [] : [h("small", {}, `${count(p.done)} of ${count(p.total)}`)]));
    $("fact-rate").textContent = p.rate ? rate(p.rate) : "–";
  }
  $("states").hidden = !run.started;
  $("fact-mount").replaceChildren(...state(MOUNT[is.mount] ?? ["◐", "warn"], is.mount_words, is.mount_detail));
  const frozen = is.frozen !== null ? h("span", { class: "mood-frozen" }, "❄ frozen") : null;
  $("fact-server").replaceChildren(...(frozen ? [frozen] : state(SERVER[is.server] ?? ["◐", "warn"], is.server_words, [is.server_detail, is.quiet ? "quiet" : ""].filter(Boolean).join(" · "))));
  $("fact-warnings").replaceChildren(h("span", { class: run.warnings ? "mood-warn" : "mood-dim" }, count(run.warnings)));
  $("open").hidden = !is.open.length;
  $("open").textContent = `Plex says it is busy with: ${is.open.join(", ")}`;
}

function doing({ run, now: is }) {
  if (run.verdict !== null) return ["The run has ended"];
  if (is.section !== null) {
    const place = is.place ? `section ${is.place} of ${is.places}` : "";
    const again = is.attempt > 1 ? `, try ${is.attempt}` : "";
    return [`${is.section.title}${is.phase_name ? `: ${is.phase_name}${again}` : ""}`, h("small", {}, place)];
  }
  return is.stage === null ? ["The run begins"] : [sentence(is.does), h("small", {}, `stage: ${is.stage_name}`)];
}

// What changes with the clock alone.
export function tick(story, time) {
  const { run, now: is } = story;
  $("clock-name").textContent = run.verdict === null ? "running for" : "ran for";
  $("fact-clock").textContent = clock(run.verdict === null ? time : run.duration);
  const since = is.phase_since ?? is.section_since ?? is.stage_since;
  $("fact-step").textContent = since === null || run.verdict !== null ? "–" : clock(time - since);
  const p = is.progress;
  if (p !== null) $("fact-eta").textContent = p.eta === null ? "–" : eta(Math.max(0, p.eta - (time - p.at)));
}

export function timeline(story, time) {
  const box = $("timeline-chart");
  const gutter = box.clientWidth >= 640 ? 150 : 0;
  const axis = axisOf(story, box, time, gutter);
  const end = (t) => t ?? time;
  const list = [{ label: "the run", note: duration(time), bars: story.stages.map((s) => ({ from: s.start, to: end(s.end), tone: "stage", inside: s.name, words: `${s.name}: ${duration(end(s.end) - s.start)}${s.outcome && s.outcome !== "done" ? `, ${OUTCOMES[s.outcome]}` : ""}`, hatched: s.outcome === "failed" })) }];
  for (const section of story.sections) {
    const bars = section.phases.map((p) => {
      const took = duration(end(p.end) - p.start);
      return { from: p.start, to: end(p.end), tone: p.phase, inside: `${p.outcome && p.outcome !== "done" ? `${MARKS[p.outcome]} ` : ""}${p.name}`, words: `${section.title}, ${p.name}: ${p.words}, ${took}${p.note ? ` (${p.note})` : ""}`, hatched: p.outcome !== null && p.outcome !== "done" && p.outcome !== "skipped" };
    });
    const took = section.start === null ? "to come" : duration(end(section.end) - section.start);
    list.push({ label: `${section.outcome ? `${MARKS[section.outcome]} ` : ""}${section.title}`, note: took, bars });
  }
  const lost = story.mount.spans.filter((s) => s[2] === "lost").map(([from, to]) => ({ from, to: end(to), name: "lostband", words: `storage lost for ${duration(end(to) - from)}` }));
  const frozen = story.mount.frozen.map(([from, to]) => ({ from, to: end(to), name: "frozenband", thin: true, words: `Plex frozen for ${duration(end(to) - from)}` }));
  const done = story.sections.filter((s) => s.end !== null).length;
  rows(box, { list, bands: [...lost, ...frozen], axis, now: story.run.verdict === null ? time : null, label: `Timeline of ${duration(time)}: ${done} of ${story.sections.length} sections ended. The table below has the times.` });
  const used = new Set(story.sections.flatMap((s) => s.phases.map((p) => p.phase)));
  const legend = [["stage", "stages"], ...PHASES.filter(([phase]) => used.has(phase)), ...(lost.length ? [["lost", "storage lost"]] : []), ...(frozen.length ? [["frozen", "Plex frozen"]] : [])];
  $("timeline-legend").replaceChildren(...legend.map(([tone, name]) => h("span", { class: `tone-${tone}` }, h("i"), name)));
  times(story, time);
}

function times(story, time) {
  const lines = [];
  for (const section of story.sections) {
    if (!section.phases.length) lines.push(h("tr", {}, h("th", { scope: "row" }, section.title), h("td", { colspan: 7, class: "mood-dim" }, section.start === null ? "to come" : "no phase"), ended(section.outcome ?? "skipped")));
    for (const p of section.phases) {
      const split = ["busy", "waiting", "stalled", "frozen"].map((name) => cell(p[name] ? duration(p[name]) : "·", "number"));
      lines.push(h("tr", {}, h("th", { scope: "row" }, section.title), cell(p.attempt > 1 ? `${p.name}, try ${p.attempt}` : p.name), cell(at(story, p.start), "time"), cell(duration((p.end ?? time) - p.start), "number"), ...split, p.words === "cut off" ? cell("cut off", "mood-warn") : ended(p.outcome)));
    }
    if (section.reason) lines.push(h("tr", {}, h("td", { colspan: 9, class: "mood-warn" }, section.reason)));
  }
  fill("times", lines);
  fill("stage-times", story.stages.map((s) => h("tr", {}, h("th", { scope: "row" }, s.name), cell(at(story, s.start), "time"), cell(duration((s.end ?? time) - s.start), "number"), s.end === null ? ended(null) : ended(s.outcome ?? "done"))));
}

function axisOf(story, box, to, gutter = 0, from = 0) {
  const axis = new Axis({ from, to, width: Math.max(120, box.clientWidth - gutter), began: story.began });
  axis.gutter = gutter;
  return axis;
}

export function curves(story, time, chosen) {
  const all = Object.entries(story.curves);
  choices(all);
  const is = story.now;
  const current = is.section && is.phase ? `${is.section.id}/${is.phase}` : null;
  const shown = story.curves[chosen] ?? story.curves[current] ?? all.filter(([, c]) => !c.ended).at(-1)?.[1] ?? all.at(-1)?.[1];
  if (!shown || !shown.points.length) {
    $("curve-chart").replaceChildren(h("p", { class: "empty" }, "No progress has been counted yet."));
    for (const id of ["rate-chart", "curve-words"]) $(id).replaceChildren();
    fill("curve-table", []);
    return;
  }
  const [first, last] = [shown.points[0], shown.points.at(-1)];
  const hope = !shown.ended && shown.eta !== null && shown.total !== null ? [last[0] + shown.eta, shown.total] : null;
  const axis = axisOf(story, $("curve-chart"), hope ? Math.max(hope[0], time) : shown.ended ? last[0] : Math.max(time, last[0]), 0, began(story, shown) ?? first[0]);
  const of = shown.total === null ? count(last[1]) : `${count(last[1])} of ${count(shown.total)}`;
  const words = [`${shown.title}, ${shown.name}: ${of}`, shown.rate ? rate(shown.rate) : "", hope ? `${eta(Math.max(0, hope[0] - time))} left` : "", shown.ended ? "ended" : ""].filter(Boolean).join(" · ");
  curve($("curve-chart"), { points: shown.points, tone: shown.phase, axis, height: 180, top: shown.total ?? 0, hope, say: count, reading: (p) => count(p[1]), label: `${words}. The table below has the numbers.` });
  if (shown.rates.length > 1) curve($("rate-chart"), { points: shown.rates, tone: shown.phase, axis, height: 100, say: rate, reading: (p) => rate(p[1]), label: `Speed of ${shown.title}, ${shown.name}`, caption: "speed" });
  else $("rate-chart").replaceChildren();
  $("curve-words").textContent = words;
  const speeds = new Map(shown.rates.map((r) => [r[0], r[1]]));
  const speed = (t) => { let found = null; for (const [from, value] of speeds) if (from <= t) found = value; return found; };
  fill("curve-table", shown.points.map(([t, n]) => h("tr", {}, cell(at(story, t), "time"), number(n), cell(speed(t) === null ? "·" : rate(speed(t)), "number"))));
}

// When the try of the phase began in which its progress was first counted.
function began(story, { section, phase, points }) {
  const tries = story.sections.find((s) => s.id === section)?.phases.filter((p) => p.phase === phase && p.start <= points[0][0]) ?? [];
  return tries.at(-1)?.start;
}

function choices(all) {
  const select = $("curve");
  const known = [...select.options].map((o) => o.value);
  const wanted = ["", ...all.map(([key]) => key)];
  if (known.join() === wanted.join()) return;
  const before = select.value;
  select.replaceChildren(select.options[0], ...all.map(([key, c]) => h("option", { value: key }, `${c.title}, ${c.name}`)));
  select.value = wanted.includes(before) ? before : "";
}

export function storage(story, time) {
  const end = (t) => t ?? time;
  const { spans, frozen, totals, latency } = story.mount;
  const axis = axisOf(story, $("mount-chart"), time);
  const lane = (list, height, name) => ({ height, spans: list.map(([from, to, tone]) => ({ from, to: end(to), tone, hatched: tone === "suspected" || tone === "frozen", words: `${name} ${tone} for ${duration(end(to) - from)}, from ${at(story, from)}` })) });
  const lanes = [lane(spans, 30, "storage"), ...(frozen.length ? [lane(frozen, 12, "Plex")] : [])];
  const open = [...spans, ...frozen].filter(([, to]) => to === null);
  const whole = (name) => totals[name] + open.reduce((sum, [from, , state]) => sum + (state === name ? time - from : 0), 0);
  const parts = ["healthy", "suspected", "lost", "frozen", "unknown"].filter((name) => whole(name) > 0 || name === "healthy");
  const names = { frozen: "Plex frozen", unknown: "not looked at" };
  strip($("mount-chart"), { lanes, axis, label: `Storage over ${duration(time)}: ${parts.map((name) => `${names[name] ?? name} ${duration(whole(name))}`).join(", ")}. The table below has the times.` });
  $("mount-words").replaceChildren(...parts.map((name) => h("span", { class: `tone-${name}` }, h("i"), `${names[name] ?? name} ${duration(whole(name))}`)));
  if (latency.length) curve($("latency-chart"), { points: latency, tone: "plain", axis, height: 100, say: duration, reading: (p) => duration(p[1]), label: `Latency of the storage: last ${duration(latency.at(-1)[1])}, at most ${duration(Math.max(...latency.map((p) => p[2])))}`, caption: "latency, when it was told", single: true });
  else $("latency-chart").replaceChildren();
  const told = [...spans, ...frozen].sort((a, b) => a[0] - b[0]);
  fill("mount-table", told.map(([from, to, name]) => h("tr", {}, cell(at(story, from), "time"), cell(names[name] ?? name, { lost: "mood-bad", suspected: "mood-warn", frozen: "mood-frozen" }[name] ?? null), cell(to === null ? `${duration(time - from)} so far` : duration(to - from), "number"))));
}

export function incidents(story) {
  const { before, list } = story.incidents;
  $("incidents").hidden = !list.length;
  const items = list.toReversed().map((i) => {
    const took = i.end === null ? "not over" : i.end > i.start ? `over after ${duration(i.end - i.start)}` : "";
    const deeds = i.deeds.map(([t, words]) => h("li", {}, `${at(story, t)} ${words}`));
    return h("li", { class: i.end === null ? "open" : null }, h("span", { class: "dim" }, `${at(story, i.start)} `), sentence(i.said), took ? h("span", { class: i.end === null ? "mood-bad" : "dim" }, ` – ${took}`) : "", deeds.length ? h("ol", {}, ...deeds) : "");
  });
  if (before) items.push(h("li", {}, `${count(before)} more before`));
  $("incident-list").replaceChildren(...items.slice(0, RECENT));
  $("older").hidden = items.length <= RECENT;
  $("older-words").textContent = `${count(items.length - RECENT + Math.max(0, before - 1))} more before`;
  $("older-list").replaceChildren(...items.slice(RECENT));
}

export function container(story, time) {
  const c = story.container;
  $("container").hidden = c === null;
  if (c === null) return;
  const axis = axisOf(story, $("cpu-chart"), time);
  curve($("cpu-chart"), { points: c.cpus, tone: "plain", axis, height: 120, say: (v) => `${v}`, reading: (p) => `${p[1].toFixed(2)} processors`, label: `Processors used by ${c.name}: ${c.cpu_now.toFixed(2)} now`, caption: "processors" });
  curve($("memory-chart"), { points: c.memory, tone: "sonic", axis, height: 120, limit: c.limit, say: size, reading: (p) => size(p[1]), label: `Memory used by ${c.name}: ${size(c.memory_now)} now${c.limit ? ` of ${size(c.limit)}` : ""}`, caption: "memory" });
  $("container-words").textContent = `${c.name} uses ${c.cpu_now.toFixed(1)} processors and ${size(c.memory_now)}${c.limit ? ` of ${size(c.limit)}` : ""}.`;
  const memory = new Map(c.memory.map((p) => [p[0], p[1]]));
  fill("container-table", c.cpus.map(([t, mean]) => h("tr", {}, cell(at(story, t), "time"), cell(mean.toFixed(2), "number"), cell(memory.has(t) ? size(memory.get(t)) : "·", "number"))));
}

export function library(story) {
  const { before, after } = story.statistics;
  const last = after ?? before;
  $("library").hidden = last === null;
  if (last === null) return;
  const kinds = Object.keys(last.live).filter((kind) => last.live[kind] || last.trashed[kind] || before?.live[kind]);
  fill("library-table", kinds.map((kind) => {
    const [old, fresh] = [before?.live[kind] ?? null, after?.live[kind] ?? null];
    const diff = old === null || fresh === null ? null : fresh - old;
    return h("tr", {}, h("th", { scope: "row" }, kind.replace("_", " ")), number(old), number(fresh), cell(diff === null ? "·" : change(diff), `number ${diff > 0 ? "mood-ok" : diff < 0 ? "mood-warn" : "mood-dim"}`), cell(last.trashed[kind] ? count(last.trashed[kind]) : "·", `number ${last.trashed[kind] ? "mood-warn" : "mood-dim"}`));
  }));
  if (!kinds.length) fill("library-table", [h("tr", {}, h("td", { colspan: 5 }, "an empty library"))]);
  const doubt = [["before", before], ["after", after]].filter(([, s]) => s && !s.reliable).map(([when]) => when);
  $("library-words").hidden = after !== null && !doubt.length;
  $("library-words").textContent = doubt.length ? `The numbers ${doubt.join(" and ")} the run are not reliable: storage was unstable.` : "It is counted again at the end of the run.";
}

export function removals(story) {
  const { sections, run } = story.removals;
  const all = run ? [...sections, { ...run, title: "the run" }] : sections;
  $("removals").hidden = !all.length;
  if (!all.length) return;
  const sum = run?.counts ?? sections.reduce((total, s) => Object.fromEntries(Object.keys(s.counts).map((k) => [k, (total[k] ?? 0) + s.counts[k]])), {});
  const removed = Object.values(sum).reduce((a, b) => a + b, 0);
  $("removal-words").className = sum.lost || sum.unknown ? "mood-bad" : "";
  $("removal-words").textContent = !removed ? "Nothing was removed." : sum.lost ? `✘ ${count(sum.lost)} of ${count(removed)} removed entries are lost.` : sum.unknown ? `! Of ${count(sum.unknown)} of ${count(removed)} removed entries nobody can tell what became of them.` : `✔ ${count(removed)} entries were removed and none is lost.`;
  const fates = ["lost", "unknown", "confirmed", "moved", "healed", "restored"];
  fill("removal-table", all.map((s) => h("tr", {}, h("th", { scope: "row" }, s.title), ...fates.map((f) => cell(count(s.counts[f] ?? 0), `number ${(f === "lost" || f === "unknown") && s.counts[f] ? "mood-bad" : ""}`)))));
  const named = sections.flatMap((s) => s.removals).concat(sections.length ? [] : run.removals);
  $("removal-details").hidden = !named.length;
  fill("removal-names", named.map((r) => h("tr", {}, h("th", { scope: "row" }, r.title), cell(r.fate === "confirmed" ? "gone from storage" : r.fate, r.fate === "lost" || r.fate === "unknown" ? "mood-bad" : null), cell(r.file, "file"))));
}

export function failures(story) {
  const { more, list } = story.failures;
  $("failures").hidden = !list.length;
  fill("failure-table", list.map((f) => h("tr", {}, h("th", { scope: "row" }, f.section), cell(f.path, "file"), cell(f.reason))));
  $("failure-more").hidden = !more;
  $("failure-more").textContent = `and ${count(more)} more`;
}

const LEVELS = { debug: ["", ""], info: ["", ""], warning: ["!", "warning"], error: ["✘", "error"] };

export function events(story, { level, words }) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (line) => (level === "minor" || (level === "plain" && !line.minor) || (line.level === "error") || (level === "warning" && line.level === "warning")) && wanted.every((word) => line.all.includes(word));
  const found = story.events.filter(fits);
  $("found").textContent = wanted.length || level !== "plain" ? `${count(found.length)} of ${count(story.events.length)} events` : "";
  const line = (event) => {
    const [mark, name] = LEVELS[event.level];
    const sign = h("td", { class: name ? `mark mood-${name === "error" ? "bad" : "warn"}` : null });
    if (mark) sign.append(h("span", { "aria-hidden": "true" }, mark), h("span", { class: "unseen" }, name));
    return h("tr", { class: name || null, title: event.type }, cell(at(story, event.t), "time"), sign, cell(event.text));
  };
  fill("event-table", found.length ? found.reverse().map(line) : [h("tr", {}, h("td", { colspan: 3, class: "dim" }, "No event fits."))]);
}

export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);
