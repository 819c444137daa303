/** "Check these first": the segments whose answers are worth most. */

import { button, element, who } from "../dom.js";
import { fineClock, length, percent } from "../text.js";
import type { Constraint, Review, ReviewSegment } from "../types.js";
import { unchecked } from "./model.js";

export interface CheckEvents {
  visit: (segment: ReviewSegment) => void;
  assign: (segment: ReviewSegment, speaker: string) => void;
}

/** A list with one current segment, whose answers are shown. */
export class Check {
  readonly node: HTMLElement;
  private segments: ReviewSegment[] = [];
  private colors: ReadonlyMap<string, number> = new Map();
  private current = -1;
  private readonly note = element("p", { class: "note", role: "status" });
  private readonly list = element("ol", { class: "check" });
  private readonly buttons = element(
    "div",
    { class: "buttons" },
    button("Previous", () => this.step(-1), { "aria-keyshortcuts": "P" }),
    button("Next", () => this.step(1), { "aria-keyshortcuts": "N" }),
  );

  constructor(private readonly events: CheckEvents) {
    const head = element(
      "div",
      { class: "head" },
      element("h2", {}, "Check these first"),
      this.buttons,
    );
    const attributes = { "aria-label": "Check these first", hidden: true };
    this.node = element("section", attributes, head, this.list, this.note);
  }

  /** Show a review of a result with these constraints. */
  show(
    review: Review,
    constraints: readonly Constraint[],
    colors: ReadonlyMap<string, number>,
  ): void {
    const old = this.segments[this.current];
    this.segments = unchecked(review.segments, constraints);
    this.colors = colors;
    this.current = old ? this.segments.findIndex(({ start }) => start === old.start) : -1;
    this.buttons.hidden = !this.segments.length;
    this.node.hidden = !review.segments.length && !constraints.length;
    this.note.textContent = this.segments.length ? summary(review) : "Nothing is left to check.";
    this.render();
  }

  /** Play the next segment, or the one before. */
  step(by: 1 | -1): void {
    const { length: number } = this.segments;
    if (!number) return;
    const next = this.current < 0 && by < 0 ? number - 1 : this.current + by;
    this.visit((next + number) % number);
  }

  /** Answer that the current segment is right. */
  confirm(): void {
    const segment = this.segments[this.current];
    if (segment) this.events.assign(segment, segment.speaker);
  }

  private visit(n: number): void {
    this.current = n;
    this.render();
    const row = this.list.children[n] as HTMLElement | undefined;
    if (row) this.list.scrollTop = row.offsetTop - this.list.offsetTop - row.offsetHeight;
    const segment = this.segments[n];
    if (segment) this.events.visit(segment);
  }

  private render(): void {
    const hadFocus = this.list.contains(document.activeElement);
    this.list.replaceChildren(...this.segments.map((each, n) => this.row(each, n)));
    if (!hadFocus) return;
    const row = this.list.children[Math.max(0, this.current)];
    (row?.querySelector<HTMLElement>("button") ?? this.buttons.querySelector("button"))?.focus();
  }

  private row(segment: ReviewSegment, n: number): HTMLElement {
    const { start, end, speaker, confidence } = segment;
    const isCurrent = n === this.current;
    const time = button(fineClock(start), () => this.visit(n), {
      class: "time",
      "aria-label": `Play ${fineClock(start)}, ${speaker}, ${length(end - start)}`,
    });
    return element(
      "li",
      { class: isCurrent ? "current" : "", "aria-current": isCurrent ? "true" : null },
      time,
      element("span", { class: "heading" }, who(speaker, this.colors.get(speaker) ?? null)),
      element("span", { class: "muted" }, `${length(end - start)}, ${percent(confidence)} sure`),
      isCurrent && this.answers(segment),
    );
  }

  private answers(segment: ReviewSegment): HTMLElement {
    const answer = (name: string) => (): void => this.events.assign(segment, name);
    const right = button(`${segment.speaker} is right`, answer(segment.speaker), {
      class: "primary",
      "aria-keyshortcuts": "C",
    });
    const others = segment.alternatives.map((name) =>
      button(who(name, this.colors.get(name) ?? null), answer(name), {
        class: "chip",
        "aria-label": `It is ${name}`,
      }),
    );
    return element("div", { class: "buttons answers" }, right, ...others);
  }
}

const summary = ({ expected_error: now, remaining_error: later }: Review): string =>
  `About ${length(now)} of this recording may have the wrong speaker; ` +
  `about ${length(later)} once these are checked.`;
