/** "Check these first": the segments whose answers are worth most. */

import { button, element, who } from "../dom.js";
import { fineClock, length, percent } from "../text.js";
import type { Constraint, Review, ReviewSegment } from "../types.js";
import { unchecked } from "./model.js";

export interface CheckEvents {
  visit: (segment: ReviewSegment) => void;
  assign: (segment: ReviewSegment, speaker: string) => void;
}

export interface Check {
  node: HTMLElement;
  show: (review: Review, constraints: readonly Constraint[], colors: ReadonlyMap<string, number>) => void;
  /** Play the next segment, or the one before. */
  step: (by: 1 | -1) => void;
  /** Answer that the current segment is right. */
  confirm: () => void;
}

/** A list with one current segment, whose answers are shown. */
export function checkOf(events: CheckEvents): Check {
  let segments: ReviewSegment[] = [];
  let colors: ReadonlyMap<string, number> = new Map();
  let current = -1;
  const note = element("p", { class: "note", role: "status" });
  const list = element("ol", { class: "check" });
  const bar = element(
    "div",
    { class: "buttons" },
    button("Previous", () => step(-1), { "aria-keyshortcuts": "P" }),
    button("Next", () => step(1), { "aria-keyshortcuts": "N" }),
  );
  const node = element(
    "section",
    { "aria-label": "Check these first" },
    element("div", { class: "head" }, element("h2", {}, "Check these first"), bar),
    list,
    note,
  );

  function step(by: 1 | -1): void {
    if (!segments.length) return;
    const next = current < 0 ? (by > 0 ? 0 : segments.length - 1) : current + by;
    current = (next + segments.length) % segments.length;
    render();
    const segment = segments[current];
    if (segment) events.visit(segment);
    list.children[current]?.scrollIntoView({ block: "nearest" });
  }

  function render(): void {
    const focused = document.activeElement instanceof HTMLElement && list.contains(document.activeElement);
    list.replaceChildren(...segments.map((each, n) => row(each, n)));
    if (focused) list.children[Math.max(0, current)]?.querySelector<HTMLElement>("button")?.focus();
  }

  function row(segment: ReviewSegment, n: number): HTMLElement {
    const { start, end, speaker, alternatives, confidence } = segment;
    const visit = button(fineClock(start), () => {
      current = n;
      render();
      events.visit(segment);
    }, { class: "time", "aria-label": `Play ${fineClock(start)}, ${speaker}, ${length(end - start)}` });
    const made = element(
      "li",
      { class: n === current ? "current" : "", "aria-current": n === current ? "true" : null },
      visit,
      element("span", { class: "heading" }, who(speaker, colors.get(speaker) ?? null)),
      element("span", { class: "muted" }, `${length(end - start)}, ${percent(confidence)} sure`),
    );
    if (n === current) made.append(answers(segment, alternatives));
    return made;
  }

  function answers(segment: ReviewSegment, alternatives: readonly string[]): HTMLElement {
    const right = button(`${segment.speaker} is right`, () => events.assign(segment, segment.speaker), {
      class: "primary", "aria-keyshortcuts": "C",
    });
    const others = alternatives.map((name) =>
      button(who(name, colors.get(name) ?? null), () => events.assign(segment, name), {
        class: "chip", "aria-label": `It is ${name}`,
      }),
    );
    return element("div", { class: "buttons answers" }, right, ...others);
  }

  const show: Check["show"] = (review, constraints, palette) => {
    const old = segments[current];
    segments = unchecked(review.segments, constraints);
    colors = palette;
    current = old ? Math.min(segments.findIndex((each) => each.start >= old.start), segments.length - 1) : -1;
    bar.hidden = !segments.length;
    node.hidden = !review.segments.length && !constraints.length;
    const left = `About ${length(review.expected_error)} of this recording may have the wrong speaker; ` +
      `about ${length(review.remaining_error)} once these are checked.`;
    note.textContent = segments.length ? left : "Nothing is left to check.";
    render();
  };
  return {
    node,
    show,
    step,
    confirm: () => {
      const segment = segments[current];
      if (segment) events.assign(segment, segment.speaker);
    },
  };
}
