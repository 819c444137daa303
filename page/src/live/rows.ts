/** The turns of live speech as they are shown. */

import { element, who } from "../dom.js";
import { clock } from "../text.js";
import type { LiveRow } from "./transcript.js";

const NEAR_END_PX = 80;

/** Rows that change in place, and stay at the end unless the reader scrolls. */
export class LiveRows {
  readonly node: HTMLElement;
  private readonly empty = element(
    "p",
    { class: "muted empty" },
    "Turns appear here as people speak.",
  );
  private readonly list = element("ol", { class: "rows text", "aria-label": "Turns" });
  private readonly scroller = element(
    "div",
    { class: "scroller", tabindex: 0, role: "group", "aria-label": "Turns so far" },
    this.list,
  );
  private readonly keys: string[] = [];

  constructor() {
    this.node = element("div", {}, element("h2", {}, "Turns"), this.empty, this.scroller);
    this.show([], new Map());
  }

  show(rows: readonly LiveRow[], colors: ReadonlyMap<string, number>): void {
    const { scroller, list, keys } = this;
    const isAtEnd =
      scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - NEAR_END_PX;
    this.empty.hidden = rows.length > 0;
    scroller.hidden = !rows.length;
    rows.forEach((row, n) => {
      const color = colors.get(row.speaker) ?? null;
      const key = JSON.stringify([row, color]);
      if (keys[n] === key) return;
      keys[n] = key;
      const node = rowNode(row, color);
      const old = list.children[n];
      if (old) old.replaceWith(node);
      else list.append(node);
    });
    while (list.children.length > rows.length) list.lastElementChild?.remove();
    keys.length = rows.length;
    if (isAtEnd) scroller.scrollTop = scroller.scrollHeight;
  }
}

function rowNode(
  { start, speaker, text, isTentative }: LiveRow,
  color: number | null,
): HTMLElement {
  const mark = isTentative ? element("span", { class: "unsure" }, "tentative") : null;
  const classes = [isTentative ? "tentative" : "", color === null ? "" : `s${color}`]
    .join(" ")
    .trim();
  return element(
    "li",
    { class: classes },
    element("span", { class: "time" }, clock(start)),
    element("span", { class: "heading" }, who(speaker, color), mark),
    text && element("p", {}, text),
  );
}
