// The panels of how the run goes: its timeline and its progress.
import { axisOf, curve, rows } from "./charts.js";
import { $, MARKS, OUTCOMES, at, cell, ended, fill, h, number } from "./dom.js";
import { count, duration, eta, rate } from "./words.js";

const PHASES = [
  ["scan", "scan"],
  ["warm", "warming"],
  ["analyze", "analysis"],
  ["refresh", "metadata refresh"],
  ["sonic", "sonic analysis"],
];

export function timeline(story, time) {
  const box = $("timeline-chart");
  const gutter = box.clientWidth >= 640 ? 150 : 0;
  const axis = axisOf(story, box, time, gutter);
  const end = (t) => t ?? time;
  const list = [
    {
      label: "the run",
      note: duration(time),
      bars: story.stages.map((s) => ({
        from: s.start,
        to: end(s.end),
        tone: "stage",
        inside: s.name,
        words: `${s.name}: ${duration(end(s.end) - s.start)}${s.outcome && s.outcome !== "done" ? `, ${OUTCOMES[s.outcome]}` : ""}`,
        hatched: s.outcome === "failed",
      })),
    },
  ];
  for (const section of story.sections) {
    const bars = section.phases.map((p) => {
      const took = duration(end(p.end) - p.start);
      return {
        from: p.start,
        to: end(p.end),
        tone: p.phase,
        inside: `${p.outcome && p.outcome !== "done" ? `${MARKS[p.outcome]} ` : ""}${p.name}`,
        words: `${section.title}, ${p.name}: ${p.words}, ${took}${p.note ? ` (${p.note})` : ""}`,
        hatched: p.outcome !== null && p.outcome !== "done" && p.outcome !== "skipped",
      };
    });
    const took = section.start === null ? "to come" : duration(end(section.end) - section.start);
    list.push({ label: `${section.outcome ? `${MARKS[section.outcome]} ` : ""}${section.title}`, note: took, bars });
  }
  const lost = story.mount.spans
    .filter((s) => s[2] === "lost")
    .map(([from, to]) => ({ from, to: end(to), name: "lostband", words: `storage lost for ${duration(end(to) - from)}` }));
  const frozen = story.mount.frozen.map(([from, to]) => ({
    from,
    to: end(to),
    name: "frozenband",
    thin: true,
    words: `Plex frozen for ${duration(end(to) - from)}`,
  }));
  const gaps = story.run.gaps.map(([from, to, why]) => ({
    from,
    to,
    name: "gapband",
    words: `interrupted for ${duration(to - from)}: ${why}`,
  }));
  const done = story.sections.filter((s) => s.end !== null).length;
  rows(box, {
    list,
    bands: [...lost, ...frozen, ...gaps],
    axis,
    now: story.run.verdict === null ? time : null,
    label: `Timeline of ${duration(time)}: ${done} of ${story.sections.length} sections ended. The table below has the times.`,
  });
  const used = new Set(story.sections.flatMap((s) => s.phases.map((p) => p.phase)));
  const legend = [
    ["stage", "stages"],
    ...PHASES.filter(([phase]) => used.has(phase)),
    ...(lost.length ? [["lost", "storage lost"]] : []),
    ...(frozen.length ? [["frozen", "Plex frozen"]] : []),
    ...(gaps.length ? [["gap", "interrupted"]] : []),
  ];
  $("timeline-legend").replaceChildren(...legend.map(([tone, name]) => h("span", { class: `tone-${tone}` }, h("i"), name)));
  times(story, time);
}

function times(story, time) {
  const lines = [];
  for (const section of story.sections) {
    if (!section.phases.length)
      lines.push(
        h(
          "tr",
          {},
          h("th", { scope: "row" }, section.title),
          h("td", { colspan: 7, class: "mood-dim" }, section.start === null ? "to come" : "no phase"),
          ended(section.outcome ?? "skipped"),
        ),
      );
    for (const p of section.phases) {
      const split = ["busy", "waiting", "stalled", "frozen"].map((name) => cell(p[name] ? duration(p[name]) : "·", "number"));
      lines.push(
        h(
          "tr",
          {},
          h("th", { scope: "row" }, section.title),
          cell(p.attempt > 1 ? `${p.name}, try ${p.attempt}` : p.name),
          cell(at(story, p.start), "time"),
          cell(duration((p.end ?? time) - p.start), "number"),
          ...split,
          p.words === "cut off" ? cell("cut off", "mood-warn") : ended(p.outcome),
        ),
      );
    }
    if (section.reason) lines.push(h("tr", {}, h("td", { colspan: 9, class: "mood-warn" }, section.reason)));
  }
  fill("times", () => lines);
  fill("stage-times", () =>
    story.stages.map((s) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, s.name),
        cell(at(story, s.start), "time"),
        cell(duration((s.end ?? time) - s.start), "number"),
        s.end === null ? ended(null) : ended(s.outcome ?? "done"),
      ),
    ),
  );
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
    fill("curve-table", () => []);
    return;
  }
  const [first, last] = [shown.points[0], shown.points.at(-1)];
  const hope = !shown.ended && shown.eta !== null && shown.total !== null ? [last[0] + shown.eta, shown.total] : null;
  const axis = axisOf(
    story,
    $("curve-chart"),
    hope ? Math.max(hope[0], time) : shown.ended ? last[0] : Math.max(time, last[0]),
    0,
    began(story, shown) ?? first[0],
  );
  const of = shown.total === null ? count(last[1]) : `${count(last[1])} of ${count(shown.total)}`;
  const words = [
    `${shown.title}, ${shown.name}: ${of}`,
    shown.rate ? rate(shown.rate) : "",
    hope ? `${eta(Math.max(0, hope[0] - time))} left` : "",
    shown.ended ? "ended" : "",
  ]
    .filter(Boolean)
    .join(" · ");
  curve($("curve-chart"), {
    points: shown.points,
    tone: shown.phase,
    axis,
    height: 180,
    top: shown.total ?? 0,
    hope,
    say: count,
    reading: (p) => count(p[1]),
    label: `${words}. The table below has the numbers.`,
  });
  if (shown.rates.length > 1)
    curve($("rate-chart"), {
      points: shown.rates,
      tone: shown.phase,
      axis,
      height: 100,
      say: rate,
      reading: (p) => rate(p[1]),
      label: `Speed of ${shown.title}, ${shown.name}`,
      caption: "speed",
    });
  else $("rate-chart").replaceChildren();
  $("curve-words").textContent = words;
  const speeds = new Map(shown.rates.map((r) => [r[0], r[1]]));
  const speed = (t) => {
    let found = null;
    for (const [from, value] of speeds) if (from <= t) found = value;
    return found;
  };
  fill("curve-table", () =>
    shown.points.map(([t, n]) =>
      h("tr", {}, cell(at(story, t), "time"), number(n), cell(speed(t) === null ? "·" : rate(speed(t)), "number")),
    ),
  );
}

// When the try of the phase began in which its progress was first counted.
function began(story, { section, phase, points }) {
  const tries =
    story.sections.find((s) => s.id === section)?.phases.filter((p) => p.phase === phase && p.start <= points[0][0]) ?? [];
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
