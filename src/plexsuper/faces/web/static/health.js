// The panels of what the run stands on: the storage and the container.
import { axisOf, curve, strip } from "./charts.js";
import { $, at, cell, fill, h } from "./dom.js";
import { duration, size } from "./words.js";

export function storage(story, time) {
  const end = (t) => t ?? time;
  const { spans, frozen, totals, latency } = story.mount;
  const axis = axisOf(story, $("mount-chart"), time);
  const lane = (list, height, name) => ({
    height,
    spans: list.map(([from, to, tone]) => ({
      from,
      to: end(to),
      tone,
      hatched: tone === "suspected" || tone === "frozen",
      words: `${name} ${tone} for ${duration(end(to) - from)}, from ${at(story, from)}`,
    })),
  });
  const lanes = [lane(spans, 30, "storage"), ...(frozen.length ? [lane(frozen, 12, "Plex")] : [])];
  const open = [...spans, ...frozen].filter(([, to]) => to === null);
  const whole = (name) => totals[name] + open.reduce((sum, [from, , state]) => sum + (state === name ? time - from : 0), 0);
  const parts = ["healthy", "suspected", "lost", "frozen", "unknown"].filter((name) => whole(name) > 0 || name === "healthy");
  const names = { frozen: "Plex frozen", unknown: "not looked at" };
  strip($("mount-chart"), {
    lanes,
    axis,
    label: `Storage over ${duration(time)}: ${parts.map((name) => `${names[name] ?? name} ${duration(whole(name))}`).join(", ")}. The table below has the times.`,
  });
  $("mount-words").replaceChildren(
    ...parts.map((name) => h("span", { class: `tone-${name}` }, h("i"), `${names[name] ?? name} ${duration(whole(name))}`)),
  );
  if (latency.length)
    curve($("latency-chart"), {
      points: latency,
      tone: "plain",
      axis,
      height: 100,
      say: duration,
      reading: (p) => duration(p[1]),
      label: `Latency of the storage: last ${duration(latency.at(-1)[1])}, at most ${duration(Math.max(...latency.map((p) => p[2])))}`,
      caption: "latency",
      single: true,
    });
  else $("latency-chart").replaceChildren();
  const told = [...spans, ...frozen].sort((a, b) => a[0] - b[0]);
  fill("mount-table", () =>
    told.map(([from, to, name]) =>
      h(
        "tr",
        {},
        cell(at(story, from), "time"),
        cell(names[name] ?? name, { lost: "mood-bad", suspected: "mood-warn", frozen: "mood-frozen" }[name] ?? null),
        cell(to === null ? `${duration(time - from)} so far` : duration(to - from), "number"),
      ),
    ),
  );
}

export function container(story, time) {
  const c = story.container;
  $("container").hidden = c === null;
  if (c === null) return;
  const axis = axisOf(story, $("cpu-chart"), time);
  curve($("cpu-chart"), {
    points: c.cpus,
    tone: "plain",
    axis,
    height: 120,
    say: (v) => `${v}`,
    reading: (p) => `${p[1].toFixed(2)} processors`,
    label: `Processors used by ${c.name}: ${c.cpu_now.toFixed(2)} now`,
    caption: "processors",
  });
  curve($("memory-chart"), {
    points: c.memory,
    tone: "sonic",
    axis,
    height: 120,
    limit: c.limit,
    say: size,
    reading: (p) => size(p[1]),
    label: `Memory used by ${c.name}: ${size(c.memory_now)} now${c.limit ? ` of ${size(c.limit)}` : ""}`,
    caption: "memory",
  });
  $("container-words").textContent =
    `${c.name} uses ${c.cpu_now.toFixed(1)} processors and ${size(c.memory_now)}${c.limit ? ` of ${size(c.limit)}` : ""}.`;
  const memory = new Map(c.memory.map((p) => [p[0], p[1]]));
  fill("container-table", () =>
    c.cpus.map(([t, mean]) =>
      h(
        "tr",
        {},
        cell(at(story, t), "time"),
        cell(mean.toFixed(2), "number"),
        cell(memory.has(t) ? size(memory.get(t)) : "·", "number"),
      ),
    ),
  );
}
