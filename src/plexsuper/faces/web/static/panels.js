// The panels in words and tables. Nothing here keeps state but the choices of the reader.
import { $, at, cell, fill, h, number, sentence } from "./dom.js";
import { change, clock, count, duration, eta, percent, rate } from "./words.js";

const MOUNT = { unknown: ["○", "dim"], healthy: ["●", "ok"], suspected: ["◐", "warn"], lost: ["✘", "bad"] };
const SERVER = { unknown: ["○", "dim"], stopped: ["○", "dim"], ready: ["●", "ok"], lost: ["✘", "bad"] };
const MOODS = { done: "ok", planned: "ok", tidied: "ok", set_aside: "warn", interrupted: "warn" };
const RECENT = 3; // incidents that are shown without being asked for
const LEVELS = { debug: ["", ""], info: ["", ""], warning: ["!", "warning"], error: ["✘", "error"] };

const state = ([mark, mood], words, detail) => [
  h("span", { class: `mood-${mood}` }, `${mark} ${words}`),
  ...(detail ? [h("small", {}, detail)] : []),
];

export function verdict({ run }) {
  $("verdict").hidden = run.verdict === null;
  if (run.verdict === null) return;
  const kind = MOODS[run.verdict] ?? "bad";
  $("verdict").dataset.mood = kind;
  $("verdict-title").textContent = `${{ ok: "✔", warn: "!", bad: "✘" }[kind]} ${sentence(run.words)}`;
  const warned = run.warnings
    ? ` · ${count(run.warnings)} ${run.warnings === 1 ? "warning or error" : "warnings and errors"}`
    : "";
  $("verdict-text").textContent =
    `after ${duration(run.duration)} · exit code ${run.exit_code}${warned}${run.detail ? `. ${sentence(run.detail)}.` : ""}`;
  $("steps").hidden = !run.steps.length;
  $("steps").replaceChildren(...run.steps.map((step) => h("li", {}, step)));
}

export function now(story) {
  const { run, now: is } = story;
  $("profile").hidden = !run.profile;
  $("profile").textContent = run.profile;
  $("run-id").textContent = run.id ? `run ${run.id}` : "";
  $("versions").textContent = Object.entries(run.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(" · ");
  $("doing").replaceChildren(...doing(story));
  const p = is.progress;
  $("progress").hidden = p === null;
  if (p !== null) {
    const bar = $("bar");
    bar.className = `tone-${is.phase}`;
    bar.hidden = p.percent === null;
    if (p.percent !== null) bar.setAttribute("aria-valuenow", Math.floor(p.percent));
    bar.setAttribute(
      "aria-valuetext",
      p.percent === null ? count(p.done) : `${percent(p.percent)}, ${count(p.done)} of ${count(p.total ?? p.done)}`,
    );
    bar.firstElementChild.style.width = `${p.percent ?? 0}%`;
    $("fact-done").replaceChildren(
      p.percent === null ? count(p.done) : percent(p.percent),
      ...(p.total === null ? [] : [h("small", {}, `${count(p.done)} of ${count(p.total)}`)]),
    );
    $("fact-rate").textContent = p.rate ? rate(p.rate) : "–";
  }
  $("states").hidden = !run.started;
  $("fact-mount").replaceChildren(...state(MOUNT[is.mount] ?? ["◐", "warn"], is.mount_words, is.mount_detail));
  const frozen = is.frozen !== null ? h("span", { class: "mood-frozen" }, "❄ frozen") : null;
  $("fact-server").replaceChildren(
    ...(frozen
      ? [frozen]
      : state(
          SERVER[is.server] ?? ["◐", "warn"],
          is.server_words,
          [is.server_detail, is.quiet ? "quiet" : ""].filter(Boolean).join(" · "),
        )),
  );
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

export function incidents(story) {
  const { before, list } = story.incidents;
  $("incidents").hidden = !list.length;
  const items = list.toReversed().map((i) => {
    const took = i.end === null ? "not over" : i.end > i.start ? `over after ${duration(i.end - i.start)}` : "";
    const deeds = i.deeds.map(([t, words]) => h("li", {}, `${at(story, t)} ${words}`));
    return h(
      "li",
      { class: i.end === null ? "open" : null },
      h("span", { class: "dim" }, `${at(story, i.start)} `),
      sentence(i.said),
      took ? h("span", { class: i.end === null ? "mood-bad" : "dim" }, ` – ${took}`) : "",
      deeds.length ? h("ol", {}, ...deeds) : "",
    );
  });
  if (before) items.push(h("li", {}, `${count(before)} more before`));
  $("incident-list").replaceChildren(...items.slice(0, RECENT));
  $("older").hidden = items.length <= RECENT;
  $("older-words").textContent = `${count(items.length - RECENT + Math.max(0, before - 1))} more before`;
  $("older-list").replaceChildren(...items.slice(RECENT));
}

export function library(story) {
  const { before, after } = story.statistics;
  const last = after ?? before;
  $("library").hidden = last === null;
  if (last === null) return;
  const kinds = Object.keys(last.live).filter((kind) => last.live[kind] || last.trashed[kind] || before?.live[kind]);
  fill("library-table", () =>
    kinds.map((kind) => {
      const [old, fresh] = [before?.live[kind] ?? null, after?.live[kind] ?? null];
      const diff = old === null || fresh === null ? null : fresh - old;
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, kind.replace("_", " ")),
        number(old),
        number(fresh),
        cell(diff === null ? "·" : change(diff), `number ${diff > 0 ? "mood-ok" : diff < 0 ? "mood-warn" : "mood-dim"}`),
        cell(last.trashed[kind] ? count(last.trashed[kind]) : "·", `number ${last.trashed[kind] ? "mood-warn" : "mood-dim"}`),
      );
    }),
  );
  if (!kinds.length) fill("library-table", () => [h("tr", {}, h("td", { colspan: 5 }, "an empty library"))]);
  const doubt = [
    ["before", before],
    ["after", after],
  ]
    .filter(([, s]) => s && !s.reliable)
    .map(([when]) => when);
  $("library-words").hidden = after !== null && !doubt.length;
  $("library-words").textContent = doubt.length
    ? `The numbers ${doubt.join(" and ")} the run are not reliable: storage was unstable.`
    : story.run.verdict === null
      ? "It is counted again at the end of the run."
      : "It was not counted again: the run ended before that.";
}

export function removals(story) {
  const { sections, run } = story.removals;
  const all = run ? [...sections, { ...run, title: "the run" }] : sections;
  $("removals").hidden = !all.length;
  if (!all.length) return;
  const sum =
    run?.counts ??
    sections.reduce((total, s) => Object.fromEntries(Object.keys(s.counts).map((k) => [k, (total[k] ?? 0) + s.counts[k]])), {});
  const removed = Object.values(sum).reduce((a, b) => a + b, 0);
  $("removal-words").className = sum.lost || sum.unknown ? "mood-bad" : "";
  $("removal-words").textContent = !removed
    ? "Nothing was removed."
    : sum.lost
      ? `✘ ${count(sum.lost)} of ${count(removed)} removed entries are lost.`
      : sum.unknown
        ? `! Of ${count(sum.unknown)} of ${count(removed)} removed entries nobody can tell what became of them.`
        : `✔ ${count(removed)} entries were removed and none is lost.`;
  const fates = ["lost", "unknown", "confirmed", "moved", "healed", "restored"];
  fill("removal-table", () =>
    all.map((s) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, s.title),
        ...fates.map((f) =>
          cell(count(s.counts[f] ?? 0), `number ${(f === "lost" || f === "unknown") && s.counts[f] ? "mood-bad" : ""}`),
        ),
      ),
    ),
  );
  const named = sections.flatMap((s) => s.removals).concat(sections.length ? [] : run.removals);
  $("removal-details").hidden = !named.length;
  fill("removal-names", () =>
    named.map((r) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, r.title),
        cell(
          r.fate === "confirmed" ? "gone from storage" : r.fate,
          r.fate === "lost" || r.fate === "unknown" ? "mood-bad" : null,
        ),
        cell(r.file, "file"),
      ),
    ),
  );
}

export function failures(story) {
  const { more, list, left } = story.failures;
  $("failures").hidden = !list.length && !left.length;
  $("failure-words").replaceChildren(
    ...left.flatMap((l) => {
      const what = l.phase === "sonic" ? "tracks have no sonic data" : "files are not analysed";
      const why = l.reasons.map(([words, files]) => `${words}: ${count(files)}`).join("; ");
      const got = `a second try of the ${l.name} got ${count(l.recovered)} of ${count(l.retried)}`;
      return [
        ...(l.left ? [h("li", {}, `${l.section}: ${count(l.left)} of ${count(l.total)} ${what} (${why})`)] : []),
        ...(l.retried ? [h("li", {}, `${l.section}: ${got}`)] : []),
      ];
    }),
  );
  fill("failure-table", () =>
    list.map((f) => h("tr", {}, h("th", { scope: "row" }, f.section), cell(f.path, "file"), cell(f.reason))),
  );
  $("failure-more").hidden = !more;
  $("failure-more").textContent = `and ${count(more)} more`;
}

export function events(story, { level, words }) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (line) =>
    (level === "minor" ||
      (level === "plain" && !line.minor) ||
      line.level === "error" ||
      (level === "warning" && line.level === "warning")) &&
    wanted.every((word) => line.all.includes(word));
  const found = story.events.filter(fits);
  $("found").textContent =
    wanted.length || level !== "plain" ? `${count(found.length)} of ${count(story.events.length)} events` : "";
  const line = (event) => {
    const [mark, name] = LEVELS[event.level];
    const sign = h("td", { class: name ? `mark mood-${name === "error" ? "bad" : "warn"}` : null });
    if (mark) sign.append(h("span", { "aria-hidden": "true" }, mark), h("span", { class: "unseen" }, name));
    return h("tr", { class: name || null, title: event.type }, cell(at(story, event.t), "time"), sign, cell(event.text));
  };
  fill("event-table", () =>
    found.length ? found.reverse().map(line) : [h("tr", {}, h("td", { colspan: 3, class: "dim" }, "No event fits."))],
  );
}
