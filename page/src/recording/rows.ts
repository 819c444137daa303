/** The transcript, or the turns where there is none: one row each, marked while it plays. */

import { button, element, who } from "../dom.js";
import { clock, fineClock, length } from "../text.js";
import type { Result, Segment, Turn, Word } from "../types.js";
import { firstAfter, goingOn, latestEnds, type Selection } from "./model.js";

export type Shown = "words" | "turns";

export interface RowsEvents {
  select: (row: Turn | Segment) => void;
  play: (time: number) => void;
}

export interface Rows {
  node: HTMLElement;
  show: (result: Result, colors: ReadonlyMap<string, number>, shown: Shown) => void;
  move: (time: number) => void;
  select: (selection: Selection | null) => void;
  /** Start of the word before or after a time; null if there is none. */
  wordFrom: (time: number, step: 1 | -1) => number | null;
}

const NEAR_S = 0.05;

/** Rows that follow what plays until the reader scrolls. */
export function rowsOf(events: RowsEvents): Rows {
  let rows: readonly (Turn | Segment)[] = [];
  let latest: number[] = [];
  let marked: number[] = [];
  let word: Element | null = null;
  let selected: Element | null = null;
  let isFollowing = true;
  const list = element("ol", { class: "rows" });
  const scroller = element("div", { class: "scroller" }, list);
  const follow = button("Follow playback", () => setFollowing(true), { class: "follow", hidden: true });
  const node = element("div", { class: "following" }, follow, scroller);

  function setFollowing(value: boolean): void {
    isFollowing = value;
    follow.hidden = value;
    const row = marked[0] === undefined ? null : list.children[marked[0]];
    if (value && row) reveal(scroller, row as HTMLElement);
  }

  function move(time: number): void {
    const found = goingOn(rows, latest, time);
    if (found.join() !== marked.join()) {
      for (const n of marked) list.children[n]?.classList.remove("now");
      for (const n of found) list.children[n]?.classList.add("now");
      marked = found;
      const row = found[0] === undefined ? null : list.children[found[0]];
      if (isFollowing && row) reveal(scroller, row as HTMLElement);
    }
    markWord(time);
  }

  function markWord(time: number): void {
    let next: Element | null = null;
    for (const n of marked) {
      const words = wordsOf(rows[n]);
      const place = firstAfter(words, time) - 1;
      if (place >= 0 && (words[place]?.end ?? 0) > time)
        next = list.children[n]?.querySelectorAll("p > span")[place] ?? null;
    }
    if (next === word) return;
    word?.removeAttribute("aria-current");
    next?.setAttribute("aria-current", "true");
    word = next;
  }

  function select(selection: Selection | null): void {
    selected?.removeAttribute("aria-pressed");
    const n = selection ? rowFor(rows, selection) : -1;
    selected = list.children[n]?.querySelector(".time") ?? null;
    selected?.setAttribute("aria-pressed", "true");
    list.querySelector(".selected")?.classList.remove("selected");
    const row = list.children[n] as HTMLElement | undefined;
    row?.classList.add("selected");
    if (!row) return;
    rove(list, row.querySelector(".time"));
    reveal(scroller, row);
    if (list.contains(document.activeElement)) row.querySelector<HTMLElement>(".time")?.focus({ preventScroll: true });
  }

  function show(result: Result, colors: ReadonlyMap<string, number>, shown: Shown): void {
    const focused = [...list.children].findIndex((row) => row.contains(document.activeElement));
    const top = scroller.scrollTop;
    rows = shown === "words" ? (result.segments ?? []) : result.turns;
    latest = latestEnds(rows);
    [marked, word, selected] = [[], null, null];
    list.setAttribute("aria-label", shown === "words" ? "Transcript" : "Turns");
    list.classList.toggle("text", shown === "words");
    list.replaceChildren(...rows.map((row) => rowNode(row, colors.get(row.speaker) ?? null)));
    if (!rows.length) list.replaceChildren(element("li", { class: "muted" }, "Nobody speaks."));
    scroller.scrollTop = top;
    const again = list.children[Math.min(focused, rows.length - 1)];
    rove(list, (again ?? list).querySelector(".time"));
    if (focused >= 0) again?.querySelector<HTMLElement>(".time")?.focus({ preventScroll: true });
  }

  listen(list, () => rows, events);
  for (const kind of ["wheel", "touchmove"])
    scroller.addEventListener(kind, () => setFollowing(false), { passive: true });
  return { node, show, move, select, wordFrom: (time, step) => wordFrom(rows, time, step) };
}

const wordsOf = (row: Turn | Segment | undefined): readonly Word[] =>
  row && "words" in row ? (row.words ?? []) : [];

function rowFor(rows: readonly (Turn | Segment)[], { start, end, speaker }: Selection): number {
  const exact = rows.findIndex((row) => row.speaker === speaker && row.start === start && row.end === end);
  if (exact >= 0) return exact;
  return rows.findIndex((row) => row.speaker === speaker && row.start < end && row.end > start);
}

function wordFrom(rows: readonly (Turn | Segment)[], time: number, step: 1 | -1): number | null {
  const starts = rows.flatMap((row) => wordsOf(row)).map((each) => each.start).sort((a, b) => a - b);
  const next = starts.find((start) => start > time + NEAR_S);
  const before = starts.filter((start) => start < time - NEAR_S).at(-1);
  return (step > 0 ? next : before) ?? null;
}

function rowNode(row: Turn | Segment, color: number | null): HTMLElement {
  const time = button(clock(row.start), () => {}, {
    class: "time", tabindex: -1, title: `${fineClock(row.start)} to ${fineClock(row.end)}`,
    "aria-label": `${clock(row.start)}, ${row.speaker || "nobody"}, ${length(row.end - row.start)}`,
  });
  const confidence = "confidence" in row && row.confidence != null && row.confidence < 0.9;
  const unsure = confidence ? element("span", { class: "unsure" }, "uncertain") : null;
  const node = element(
    "li",
    { class: color === null ? "" : `s${color}` },
    time,
    element("span", { class: "heading" }, who(row.speaker, color), unsure),
    element("span", { class: "length", "aria-hidden": "true" }, length(row.end - row.start)),
  );
  if ("text" in row) node.append(textNode(row));
  return node;
}

function textNode(segment: Segment): HTMLElement {
  const words = wordsOf(segment);
  if (!words.length) return element("p", {}, segment.text);
  const parts = placed(segment.text, words);
  return element("p", {}, ...parts.map(({ text, isWord }) => (isWord ? element("span", {}, text) : text)));
}

/** The text of a segment in parts: its words, and what stands between them. */
export function placed(
  text: string,
  words: readonly Pick<Word, "word">[],
): { text: string; isWord: boolean }[] {
  const parts: { text: string; isWord: boolean }[] = [];
  let at = 0;
  for (const { word } of words) {
    const found = text.indexOf(word, at);
    const start = found < 0 ? at : found;
    if (start > at) parts.push({ text: text.slice(at, start), isWord: false });
    else if (found < 0 && parts.length) parts.push({ text: " ", isWord: false });
    parts.push({ text: word, isWord: true });
    if (found >= 0) at = start + word.length;
  }
  if (at < text.length) parts.push({ text: text.slice(at), isWord: false });
  return parts;
}

function reveal(scroller: HTMLElement, row: HTMLElement): void {
  const [top, height] = [row.offsetTop, scroller.clientHeight];
  const from = scroller.scrollTop;
  if (top >= from && top + row.offsetHeight <= from + height * 0.8) return;
  const to = top - height / 4;
  const isNear = Math.abs(to - from) < height;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  scroller.scrollTo({ top: to, behavior: isNear && !isCalm ? "smooth" : "auto" });
}

/** One time of the list is reached with Tab, the others with the arrow keys. */
function rove(list: HTMLElement, time: Element | null): void {
  for (const each of list.querySelectorAll('.time[tabindex="0"]')) each.setAttribute("tabindex", "-1");
  time?.setAttribute("tabindex", "0");
}

function listen(list: HTMLElement, rows: () => readonly (Turn | Segment)[], events: RowsEvents): void {
  list.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element)) return;
    const node = target.closest("li");
    const row = node && rows()[[...list.children].indexOf(node)];
    if (!row) return;
    events.select(row);
    const spoken = target.closest("p > span");
    if (spoken) {
      const place = [...node.querySelectorAll("p > span")].indexOf(spoken);
      events.play(wordsOf(row)[place]?.start ?? row.start);
    } else if (target.closest(".time")) events.play(row.start);
  });
}
