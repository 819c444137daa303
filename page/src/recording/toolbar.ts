/** Play, zoom, undo and export. */

import { button, element, icon, select } from "../dom.js";
import { clock } from "../text.js";
import type { State } from "../types.js";

const RATES = { "0.75": "0.75×", "1": "1×", "1.25": "1.25×", "1.5": "1.5×", "2": "2×" };
const ZOOM_STEPS = 100;

export interface ToolbarEvents {
  toggle: () => void;
  rate: (rate: number) => void;
  zoom: (share: number) => void;
  zoomBy: (factor: number) => void;
  undo: () => void;
  redo: () => void;
  keys: () => void;
}

export interface Toolbar {
  node: HTMLElement;
  showTime: (time: number, duration: number) => void;
  showPlaying: (isPlaying: boolean) => void;
  showZoom: (share: number) => void;
  showEdits: (state: State, isBusy: boolean) => void;
}

/** The controls above a recording. */
export function toolbarOf(events: ToolbarEvents, menu: HTMLElement): Toolbar {
  const play = button(icon("play"), events.toggle, { class: "play", "aria-label": "Play" });
  const now = element("span", { class: "position" }, "0:00");
  const total = element("span", {});
  const rate = select(RATES, "1", { "aria-label": "Speed" });
  rate.addEventListener("change", () => events.rate(Number(rate.value)));
  const slider = element("input", {
    type: "range", min: 0, max: ZOOM_STEPS, value: 0, "aria-label": "Zoom",
    oninput: () => events.zoom(Number(slider.value) / ZOOM_STEPS),
  });
  const undo = button(icon("undo"), events.undo, { class: "undo", "aria-keyshortcuts": "Control+Z" });
  const redo = button(icon("redo"), events.redo, {
    class: "undo", "aria-keyshortcuts": "Control+Shift+Z Control+Y",
  });
  const node = element(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Controls" },
    element("div", { class: "playing" }, play, element("span", { class: "clock" }, now, " / ", total), rate),
    element(
      "div",
      { class: "zoom", role: "group", "aria-label": "Zoom" },
      button(icon("minus"), () => events.zoomBy(1 / 1.5), { class: "plain", "aria-label": "Zoom out" }),
      slider,
      button(icon("plus"), () => events.zoomBy(1.5), { class: "plain", "aria-label": "Zoom in" }),
    ),
    element("div", { class: "edits" }, undo, redo),
    element("div", { class: "rest" }, menu, button("Keys", events.keys, { "aria-keyshortcuts": "?" })),
  );
  let shownTime = "";
  return {
    node,
    showTime: (time, duration) => {
      const text = clock(time);
      if (text === shownTime) return;
      now.textContent = shownTime = text;
      total.textContent = clock(duration);
    },
    showPlaying: (isPlaying) => {
      play.replaceChildren(icon(isPlaying ? "pause" : "play"));
      play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    },
    showZoom: (share) => void (slider.value = String(Math.round(share * ZOOM_STEPS))),
    showEdits: (state, isBusy) => {
      showEdit(undo, "undo", "Undo", state.can_undo, state.undo_label, isBusy);
      showEdit(redo, "redo", "Redo", state.can_redo, state.redo_label, isBusy);
    },
  };
}

/** The button stays focusable while it can do nothing, so that the focus is not lost. */
function showEdit(
  node: HTMLElement,
  name: "undo" | "redo",
  verb: string,
  isPossible: boolean,
  label: string | null,
  isBusy: boolean,
): void {
  const text = isPossible && label ? `${verb}: ${label}` : verb;
  node.setAttribute("aria-disabled", String(!isPossible || isBusy));
  node.setAttribute("aria-label", text);
  node.title = text;
  node.replaceChildren(icon(name), element("span", {}, isPossible && label ? label : verb));
}
