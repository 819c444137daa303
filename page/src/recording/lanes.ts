/** The lanes under the waveform. */

import { element, who } from "../dom.js";
import { THEME_CHANGED } from "../theme.js";
import { paintAxis, paintLanes, paletteNow } from "./paint.js";
import { Pointer, type LanesEvents, type LanesModel } from "./pointer.js";

const NARROW_PX = 640;
const WIDE = { laneHeight: 28, barTop: 5, barHeight: 18 };
const NARROW = { laneHeight: 40, barTop: 20, barHeight: 16 };

export interface Lanes {
  labels: HTMLElement;
  canvas: HTMLCanvasElement;
  axis: HTMLCanvasElement;
  draw: () => void;
  relabel: () => void;
  close: () => void;
}

/** Lanes of what `model` returns. */
export function lanesOf(model: () => LanesModel, events: LanesEvents): Lanes {
  const labels = element("ol", { class: "labels", "aria-hidden": "true" });
  const canvas = element("canvas", { class: "turns", "aria-hidden": "true" });
  const axis = element("canvas", { class: "axis", "aria-hidden": "true" });
  let palette = paletteNow();
  let frame = 0;

  const size = (): typeof WIDE => (innerWidth < NARROW_PX ? NARROW : WIDE);

  function paint(): void {
    const { result, scale, ...rest } = model();
    const longest = result.turns.reduce((most, { start, end }) => Math.max(most, end - start), 0);
    const { duration, turns, speakers } = result;
    paintAxis(axis, scale, duration, palette);
    paintLanes(canvas, { ...rest, ...size(), scale, duration, turns, longest, speakers, palette });
  }

  function draw(): void {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(paint);
  }

  function relabel(): void {
    const { result, colors } = model();
    const rows = result.speakers.map((name, n) => {
      const key = n < 9 ? element("kbd", {}, String(n + 1)) : null;
      return element("li", { title: name }, who(name, colors.get(name) ?? null), key);
    });
    labels.replaceChildren(...rows);
  }

  const recolor = (): void => {
    palette = paletteNow();
    draw();
  };
  const pointer = new Pointer(canvas, model, events, () => size().laneHeight);
  addEventListener(THEME_CHANGED, recolor);
  return {
    labels,
    canvas,
    axis,
    draw,
    relabel,
    close: () => {
      pointer.close();
      cancelAnimationFrame(frame);
      removeEventListener(THEME_CHANGED, recolor);
    },
  };
}
