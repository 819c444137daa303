/** The lanes under the waveform, and what the pointer does in them. */

import { element, who } from "../dom.js";
import { THEME_CHANGED } from "../theme.js";
import type { Edge, Result, Span } from "../types.js";
import { moved, selectionOf, spanOf, type Selection } from "./model.js";
import { paintAxis, paintLanes, paletteNow } from "./paint.js";
import { pixelOf, timeAt, type Scale } from "./scale.js";

const GRIP_PX = 7;
const DRAG_PX = 4;
const NARROW_PX = 640;
const WIDE = { laneHeight: 28, barTop: 5, barHeight: 18 };
const NARROW = { laneHeight: 40, barTop: 20, barHeight: 16 };

/** What the lanes show, as the view has it now. */
export interface LanesModel {
  result: Result;
  colors: ReadonlyMap<string, number>;
  selection: Selection | null;
  draft: Span | null;
  scale: Scale;
}

export interface LanesEvents {
  select: (selection: Selection | null) => void;
  go: (time: number) => void;
  play: (time: number) => void;
  /** An edge of the selected turn is being dragged; `isOver` once it is let go. */
  drag: (span: Span, isOver: boolean) => void;
  scroll: (pixels: number) => void;
  zoom: (factor: number) => void;
}

export interface Lanes {
  labels: HTMLElement;
  canvas: HTMLCanvasElement;
  axis: HTMLCanvasElement;
  draw: () => void;
  relabel: () => void;
  close: () => void;
}

type Gesture =
  | { kind: "edge"; edge: Edge; span: Span }
  | { kind: "press"; x: number; time: number; speaker: string }
  | { kind: "stretch"; time: number; speaker: string };

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
  const close = pointerIn(canvas, model, events, size);
  addEventListener(THEME_CHANGED, recolor);
  return {
    labels, canvas, axis, draw, relabel,
    close: () => {
      close();
      cancelAnimationFrame(frame);
      removeEventListener(THEME_CHANGED, recolor);
    },
  };
}

/** The edge of the selected turn at a place; null if there is none. */
function edgeAt({ selection, scale, result }: LanesModel, x: number, lane: number): Edge | null {
  if (!selection?.isTurn || result.speakers[lane] !== selection.speaker) return null;
  const [start, end] = [pixelOf(scale, selection.start), pixelOf(scale, selection.end)];
  const [toStart, toEnd] = [Math.abs(x - start), Math.abs(x - end)];
  if (Math.min(toStart, toEnd) > GRIP_PX) return null;
  return toStart < toEnd ? "start" : "end";
}

function turnAt({ result }: LanesModel, time: number, speaker: string): Selection | null {
  const found = result.turns.find(
    (turn) => turn.speaker === speaker && turn.start <= time && turn.end >= time,
  );
  return found ? selectionOf(found) : null;
}

function pointerIn(
  canvas: HTMLCanvasElement,
  model: () => LanesModel,
  events: LanesEvents,
  size: () => { laneHeight: number },
): () => void {
  let gesture: Gesture | null = null;
  const control = new AbortController();
  const { signal } = control;
  const place = (event: PointerEvent | MouseEvent): { x: number; lane: number; time: number } => {
    const x = event.clientX - canvas.getBoundingClientRect().left;
    const lane = Math.floor(event.offsetY / size().laneHeight);
    return { x, lane, time: timeAt(model().scale, x) };
  };

  function press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const now = model();
    const { x, lane, time } = place(event);
    const edge = edgeAt(now, x, lane);
    canvas.setPointerCapture(event.pointerId);
    if (edge && now.selection) gesture = { kind: "edge", edge, span: now.draft ?? now.selection };
    else gesture = { kind: "press", x, time, speaker: now.result.speakers[lane] ?? "" };
  }

  function move(event: PointerEvent): void {
    const now = model();
    const { x, lane, time } = place(event);
    if (!gesture) {
      canvas.style.cursor = edgeAt(now, x, lane) ? "ew-resize" : "";
    } else if (gesture.kind === "edge") {
      events.drag(moved(gesture.span, gesture.edge, time, now.result.duration), false);
    } else {
      if (gesture.kind === "press" && Math.abs(x - gesture.x) > DRAG_PX)
        gesture = { kind: "stretch", time: gesture.time, speaker: gesture.speaker };
      if (gesture.kind === "stretch") stretch(gesture.time, time, gesture.speaker);
    }
  }

  function stretch(one: number, other: number, speaker: string): void {
    const span = spanOf(one, other, model().result.duration);
    if (span.end > span.start) events.select({ ...span, speaker, isTurn: false });
  }

  function release(event: PointerEvent): void {
    const [done, now] = [gesture, model()];
    gesture = null;
    if (!done) return;
    if (done.kind === "edge") {
      const span = moved(done.span, done.edge, place(event).time, now.result.duration);
      events.drag(span, true);
    } else if (done.kind === "press" && event.shiftKey) {
      stretch(now.selection?.start ?? now.scale.start, done.time, done.speaker);
    } else if (done.kind === "press") {
      events.select(turnAt(now, done.time, done.speaker));
      events.go(done.time);
    }
  }

  function wheel(event: WheelEvent): void {
    if (event.ctrlKey) {
      event.preventDefault();
      events.zoom(Math.exp(-event.deltaY / 200));
    } else if (event.deltaX) {
      event.preventDefault();
      events.scroll(event.deltaX);
    }
  }

  canvas.addEventListener("pointerdown", press, { signal });
  canvas.addEventListener("pointermove", move, { signal });
  canvas.addEventListener("pointerup", release, { signal });
  canvas.addEventListener("pointercancel", () => void (gesture = null), { signal });
  canvas.addEventListener("dblclick", (event) => events.play(place(event).time), { signal });
  canvas.addEventListener("wheel", wheel, { signal, passive: false });
  return () => control.abort();
}
