/** Play, zoom, undo and export. */

import { button, element, icon, select } from "../dom.js";
import { clock } from "../text.js";
import type { State } from "../types.js";

const RATES = { "0.75": "0.75×", "1": "1×", "1.25": "1.25×", "1.5": "1.5×", "2": "2×" };
const ZOOM_STEPS = 100;
const ZOOM = 1.5;

export interface ToolbarEvents {
  toggle: () => void;
  rate: (rate: number) => void;
  zoom: (share: number) => void;
  zoomBy: (factor: number) => void;
  undo: () => void;
  redo: () => void;
  keys: () => void;
}

/** The controls above a recording. */
export class Toolbar {
  readonly node: HTMLElement;
  private readonly play: HTMLButtonElement;
  private readonly undo: HTMLButtonElement;
  private readonly redo: HTMLButtonElement;
  private readonly busy = element("span", { class: "busy", role: "status" });
  private readonly position = element("span", { class: "position" });
  private readonly total = element("span", {});
  private readonly slider = element("input", {
    type: "range",
    min: 0,
    max: ZOOM_STEPS,
    value: 0,
    "aria-label": "Zoom",
  });

  constructor(
    private readonly events: ToolbarEvents,
    menu: HTMLElement,
  ) {
    this.play = button(icon("play"), events.toggle, { class: "play", "aria-label": "Play" });
    this.undo = button(null, events.undo, { class: "undo", "aria-keyshortcuts": "Control+Z" });
    this.redo = button(null, events.redo, {
      class: "undo",
      "aria-keyshortcuts": "Control+Shift+Z Control+Y",
    });
    const keys = button("Keys", events.keys, { "aria-keyshortcuts": "?" });
    this.node = element(
      "div",
      { class: "toolbar", role: "group", "aria-label": "Controls" },
      this.playing(),
      this.zoom(),
      element("div", { class: "edits" }, this.undo, this.redo, this.busy),
      element("div", { class: "rest" }, menu, keys),
    );
  }

  showTime(time: number, duration: number): void {
    const text = clock(time);
    if (text === this.position.textContent) return;
    this.position.textContent = text;
    this.total.textContent = clock(duration);
  }

  showPlaying(isPlaying: boolean): void {
    const label = isPlaying ? "Pause" : "Play";
    if (this.play.getAttribute("aria-label") === label) return;
    this.play.replaceChildren(icon(isPlaying ? "pause" : "play"));
    this.play.setAttribute("aria-label", label);
  }

  showZoom(share: number): void {
    this.slider.value = String(Math.round(share * ZOOM_STEPS));
  }

  showEdits(state: State, isBusy: boolean): void {
    this.busy.textContent = isBusy ? "Applying…" : "";
    showEdit(this.undo, "undo", state.can_undo, state.undo_label, isBusy);
    showEdit(this.redo, "redo", state.can_redo, state.redo_label, isBusy);
  }

  private playing(): HTMLElement {
    const rate = select(RATES, "1", { "aria-label": "Speed" });
    rate.addEventListener("change", () => this.events.rate(Number(rate.value)));
    const time = element("span", { class: "clock" }, this.position, " / ", this.total);
    return element("div", { class: "playing" }, this.play, time, rate);
  }

  private zoom(): HTMLElement {
    const { slider, events } = this;
    slider.addEventListener("input", () => events.zoom(Number(slider.value) / ZOOM_STEPS));
    const out = { class: "plain", "aria-label": "Zoom out" };
    const closer = { class: "plain", "aria-label": "Zoom in" };
    return element(
      "div",
      { class: "zoom", role: "group", "aria-label": "Zoom" },
      button(icon("minus"), () => events.zoomBy(1 / ZOOM), out),
      slider,
      button(icon("plus"), () => events.zoomBy(ZOOM), closer),
    );
  }
}

/** The button stays focusable while it can do nothing, so that the focus is not lost. */
function showEdit(
  node: HTMLElement,
  name: "undo" | "redo",
  isPossible: boolean,
  label: string | null,
  isBusy: boolean,
): void {
  const verb = name === "undo" ? "Undo" : "Redo";
  const text = isPossible && label ? `${verb}: ${label}` : verb;
  node.setAttribute("aria-disabled", String(!isPossible || isBusy));
  node.setAttribute("aria-label", text);
  node.title = text;
  node.replaceChildren(icon(name), element("span", {}, text));
}
