// Building blocks of the panels, and the marks that mean the same in all of them.
import { count, timeOfDay } from "./words.js";

export const $ = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

export const MARKS = {
  done: "✔",
  skipped: "–",
  cancelled: "◼",
  stalled: "!",
  unseen: "?",
  capped: "!",
  failed: "✘",
  set_aside: "✘",
};
export const OUTCOMES = {
  done: "done",
  skipped: "skipped",
  cancelled: "cancelled",
  stalled: "stalled",
  unseen: "never seen to run",
  capped: "ended at its hard cap",
  failed: "failed",
  set_aside: "set aside",
};

export const cell = (words, kind = null) => h("td", { class: kind }, words);
export const number = (n) => cell(n === null ? "·" : count(n), "number");

export const at = (story, t) => timeOfDay(new Date(story.began + t * 1000), { day: story.time > 20 * 3600 });
const mood = (outcome) => (outcome === null || outcome === "done" ? null : outcome === "skipped" ? "mood-dim" : "mood-warn");
export const ended = (outcome) =>
  outcome === null
    ? cell("under way", "mood-dim")
    : cell(`${MARKS[outcome] ?? ""} ${OUTCOMES[outcome] ?? outcome}`, mood(outcome));
export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// Writes the rows that `make` returns; a table that is folded away is written when it is unfolded.
export function fill(table, make) {
  if (!$(table).closest("details:not([open])")) $(table).tBodies[0].replaceChildren(...make());
}
