/** Where the parts of a recording stand. */

import { button, element } from "../dom.js";
import { capital, clock } from "../text.js";
import type { Notice } from "../types.js";
import type { Lanes } from "./lanes.js";
import type { Shown } from "./rows.js";

export interface Parts {
  toolbar: HTMLElement;
  lanes: Lanes;
  chosen: HTMLElement;
  rows: HTMLElement;
  side: HTMLElement[];
  hasWords: boolean;
  onShown: (shown: Shown) => void;
}

export interface Layout {
  node: HTMLElement;
  wave: HTMLElement;
  notices: HTMLElement;
  showNames: (names: readonly string[]) => void;
  showPlayhead: (pixel: number, width: number, time: number, duration: number) => void;
}

/** The parts in their places. */
export function layout(parts: Parts): Layout {
  const wave = element("div", {
    class: "wave",
    role: "slider",
    tabindex: 0,
    "aria-label": "Position",
    "aria-valuemin": 0,
    "aria-valuenow": 0,
    "aria-valuemax": 0,
  });
  const playhead = element("i", { class: "playhead" });
  const names = element("datalist", { id: "names" });
  const notices = element("section", { "aria-label": "Notices", hidden: true });
  let second = -1;
  return {
    node: element("div", { class: "work" }, names, ...arranged(parts, wave, playhead, notices)),
    wave,
    notices,
    showNames: (all) => names.replaceChildren(...all.map((value) => element("option", { value }))),
    showPlayhead: (pixel, width, time, duration) => {
      playhead.hidden = pixel < 0 || pixel > width;
      playhead.style.transform = `translateX(${pixel.toFixed(1)}px)`;
      if (Math.floor(time) === second) return;
      second = Math.floor(time);
      wave.setAttribute("aria-valuemax", String(Math.floor(duration)));
      wave.setAttribute("aria-valuenow", String(second));
      wave.setAttribute("aria-valuetext", clock(time));
    },
  };
}

function arranged(
  parts: Parts,
  wave: HTMLElement,
  playhead: HTMLElement,
  notices: HTMLElement,
): HTMLElement[] {
  const { toolbar, chosen, rows, side, hasWords } = parts;
  const { labels, canvas, axis } = parts.lanes;
  const chart = element(
    "div",
    { class: "chart" },
    element("div", { class: "spacer" }),
    element("div", { class: "over" }, wave, axis),
    labels,
    element("div", { class: "over lanes" }, canvas, playhead),
  );
  const head = element("div", { class: "head" }, ...heading(parts));
  const said = { class: "transcript", "aria-label": hasWords ? "Transcript" : "Turns" };
  const sound = { class: "sound", "aria-label": "Sound and lanes" };
  return [
    element("section", sound, toolbar, chart, chosen),
    element(
      "div",
      { class: "columns" },
      element("section", said, head, rows),
      element("div", { class: "side" }, ...side, notices),
    ),
  ];
}

function heading({ hasWords, onShown }: Parts): HTMLElement[] {
  if (!hasWords) return [element("h2", {}, "Turns")];
  const choice = (text: string, shown: Shown): HTMLButtonElement => {
    const made = button(
      text,
      () => {
        for (const each of both) each.setAttribute("aria-pressed", String(each === made));
        onShown(shown);
      },
      { "aria-pressed": String(shown === "words") },
    );
    return made;
  };
  const both = [choice("Words", "words"), choice("Turns", "turns")];
  const group = element("div", { class: "switch", role: "group", "aria-label": "Rows" }, ...both);
  return [element("h2", {}, "Transcript"), group];
}

/** What was lost, altered or guessed. */
export function showNotices(node: HTMLElement, notices: readonly Notice[]): void {
  node.hidden = !notices.length;
  const rows = notices.map(({ text, start }) =>
    element("li", {}, start == null ? capital(text) : `${clock(start)}: ${text}`),
  );
  node.replaceChildren(
    element("h2", {}, "Notices"),
    element("ul", { class: "plain-list" }, ...rows),
  );
}
