/** The transcript, or the turns where there is none: one row each, marked while it plays. */

import { button, element, who } from "../dom.js";
import { clock, fineClock, length } from "../text.js";
import type { Result, Segment } from "../types.js";
import { firstAfter, goingOn, latestEnds, type Selection } from "./model.js";
import { placed, rowFor, wordFrom, wordsOf, type Row } from "./words.js";

export type Shown = "words" | "turns";

export interface RowsEvents {
  select: (row: Row) => void;
  play: (time: number) => void;
}

/** Rows that follow what plays until the reader scrolls. */
export class Rows {
  readonly node: HTMLElement;
  private rows: readonly Row[] = [];
  private latest: number[] = [];
  private marked: number[] = [];
  private word: Element | null = null;
  private isFollowing = true;
  private readonly list = element("ol", { class: "rows" });
  private readonly scroller = element("div", { class: "scroller" }, this.list);
  private readonly follow = button("Follow playback", () => this.setFollowing(true), {
    class: "follow",
    hidden: true,
  });

  constructor(private readonly events: RowsEvents) {
    this.node = element("div", { class: "following" }, this.follow, this.scroller);
    this.list.addEventListener("click", ({ target }) => {
      if (target instanceof Element) this.onClick(target);
    });
    for (const kind of ["wheel", "touchmove"])
      this.scroller.addEventListener(kind, () => this.setFollowing(false), { passive: true });
  }

  /** Show a result; the place and the focus stay where they are. */
  show(result: Result, colors: ReadonlyMap<string, number>, shown: Shown): void {
    const { list, scroller } = this;
    const focused = [...list.children].findIndex((row) => row.contains(document.activeElement));
    const top = scroller.scrollTop;
    this.rows = shown === "words" ? (result.segments ?? []) : result.turns;
    this.latest = latestEnds(this.rows);
    [this.marked, this.word] = [[], null];
    list.setAttribute("aria-label", shown === "words" ? "Transcript" : "Turns");
    list.classList.toggle("text", shown === "words");
    list.replaceChildren(...this.rows.map((row) => rowNode(row, colors.get(row.speaker) ?? null)));
    if (!this.rows.length) list.append(element("li", { class: "muted" }, "Nobody speaks."));
    scroller.scrollTop = top;
    const again = list.children[Math.min(focused, this.rows.length - 1)];
    this.rove((again ?? list).querySelector(".time"));
    if (focused >= 0) focusOn(again);
  }

  /** Mark what plays at a time. */
  move(time: number): void {
    const found = goingOn(this.rows, this.latest, time);
    if (found.join() !== this.marked.join()) {
      for (const n of this.marked) this.row(n)?.classList.remove("now");
      for (const n of found) this.row(n)?.classList.add("now");
      this.marked = found;
      if (this.isFollowing) this.reveal(this.row(found[0]));
    }
    this.markWord(time);
  }

  /** Mark the row that is selected. */
  select(selection: Selection | null): void {
    const { list } = this;
    list.querySelector("[aria-pressed]")?.removeAttribute("aria-pressed");
    list.querySelector(".selected")?.classList.remove("selected");
    const row = selection ? this.row(rowFor(this.rows, selection)) : null;
    if (!row) return;
    row.classList.add("selected");
    row.querySelector(".time")?.setAttribute("aria-pressed", "true");
    this.rove(row.querySelector(".time"));
    this.reveal(row);
    if (list.contains(document.activeElement)) focusOn(row);
  }

  /** Start of the word before or after a time; null if there is none. */
  wordFrom(time: number, step: 1 | -1): number | null {
    return wordFrom(this.rows, time, step);
  }

  private row(n: number | undefined): HTMLElement | null {
    return n === undefined || n < 0
      ? null
      : ((this.list.children[n] as HTMLElement | undefined) ?? null);
  }

  private markWord(time: number): void {
    let next: Element | null = null;
    for (const n of this.marked) {
      const words = wordsOf(this.rows[n]);
      const place = firstAfter(words, time) - 1;
      if (place >= 0 && (words[place]?.end ?? 0) > time)
        next = this.row(n)?.querySelectorAll("p > span")[place] ?? null;
    }
    if (next === this.word) return;
    this.word?.removeAttribute("aria-current");
    next?.setAttribute("aria-current", "true");
    this.word = next;
  }

  private setFollowing(value: boolean): void {
    this.isFollowing = value;
    this.follow.hidden = value;
    if (value) this.reveal(this.row(this.marked[0]));
  }

  private reveal(row: HTMLElement | null): void {
    if (!row) return;
    const { scroller } = this;
    const [top, height, from] = [row.offsetTop, scroller.clientHeight, scroller.scrollTop];
    if (top >= from && top + row.offsetHeight <= from + height * 0.8) return;
    const to = top - height / 4;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const isNear = Math.abs(to - from) < height;
    scroller.scrollTo({ top: to, behavior: isNear && !isCalm ? "smooth" : "auto" });
  }

  /** One time of the list is reached with Tab, the others with the arrow keys. */
  private rove(time: Element | null): void {
    for (const each of this.list.querySelectorAll('.time[tabindex="0"]'))
      each.setAttribute("tabindex", "-1");
    time?.setAttribute("tabindex", "0");
  }

  private onClick(target: Element): void {
    const node = target.closest("li");
    const row = node && this.rows[[...this.list.children].indexOf(node)];
    if (!row) return;
    this.events.select(row);
    const word = target.closest("p > span");
    if (word) {
      const place = [...node.querySelectorAll("p > span")].indexOf(word);
      this.events.play(wordsOf(row)[place]?.start ?? row.start);
    } else if (target.closest(".time")) this.events.play(row.start);
  }
}

function focusOn(row: Element | null | undefined): void {
  row?.querySelector<HTMLElement>(".time")?.focus({ preventScroll: true });
}

const UNCERTAIN = 0.9; // confidence of a turn, below which it is marked

function rowNode(row: Row, color: number | null): HTMLElement {
  const { start, end, speaker } = row;
  const time = button(clock(start), () => {}, {
    class: "time",
    tabindex: -1,
    title: `${fineClock(start)} to ${fineClock(end)}`,
    "aria-label": `${clock(start)}, ${speaker || "nobody"}, ${length(end - start)}`,
  });
  const isUncertain = "confidence" in row && (row.confidence ?? 1) < UNCERTAIN;
  const mark = isUncertain ? element("span", { class: "unsure" }, "uncertain") : null;
  return element(
    "li",
    { class: color === null ? "" : `s${color}` },
    time,
    element("span", { class: "heading" }, who(speaker, color), mark),
    element("span", { class: "length", "aria-hidden": "true" }, length(end - start)),
    "text" in row && textNode(row),
  );
}

function textNode(segment: Segment): HTMLElement {
  const words = wordsOf(segment);
  if (!words.length) return element("p", {}, segment.text);
  const parts = placed(segment.text, words);
  const node = ({ text, isWord }: (typeof parts)[number]): HTMLElement | string =>
    isWord ? element("span", {}, text) : text;
  return element("p", {}, ...parts.map(node));
}
