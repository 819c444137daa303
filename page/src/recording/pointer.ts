/** What the pointer does in the lanes: selects, stretches, drags edges, scrolls and zooms. */

import type { Edge, Result, Span } from "../types.js";
import { moved, selectionOf, spanOf, type Selection } from "./model.js";
import { pixelOf, timeAt, type Scale } from "./scale.js";

const GRIP_PX = 7;
const DRAG_PX = 4;
const WHEEL_PX = 200; // of the wheel, for a zoom by e

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

type Gesture =
  | { kind: "edge"; edge: Edge; span: Span }
  | { kind: "press"; x: number; time: number; speaker: string }
  | { kind: "stretch"; time: number; speaker: string };

interface Place {
  x: number;
  lane: number;
  time: number;
}

/** Follows the pointer in a canvas until it is closed. */
export class Pointer {
  private gesture: Gesture | null = null;
  private readonly control = new AbortController();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly model: () => LanesModel,
    private readonly events: LanesEvents,
    private readonly laneHeight: () => number,
  ) {
    const { signal } = this.control;
    canvas.addEventListener("pointerdown", (event) => this.press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.release(event), { signal });
    canvas.addEventListener("pointercancel", () => void (this.gesture = null), { signal });
    canvas.addEventListener("dblclick", (event) => events.play(this.place(event).time), { signal });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
  }

  close(): void {
    this.control.abort();
  }

  private place({ clientX, clientY }: MouseEvent): Place {
    const box = this.canvas.getBoundingClientRect();
    const x = clientX - box.left;
    const lane = Math.floor((clientY - box.top) / this.laneHeight());
    return { x, lane, time: timeAt(this.model().scale, x) };
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const now = this.model();
    const { x, lane, time } = this.place(event);
    const edge = edgeAt(now, x, lane);
    this.canvas.setPointerCapture(event.pointerId);
    this.gesture =
      edge && now.selection
        ? { kind: "edge", edge, span: now.draft ?? now.selection }
        : { kind: "press", x, time, speaker: now.result.speakers[lane] ?? "" };
  }

  private move(event: PointerEvent): void {
    const { gesture } = this;
    const now = this.model();
    const { x, lane, time } = this.place(event);
    if (!gesture) {
      this.canvas.style.cursor = edgeAt(now, x, lane) ? "ew-resize" : "";
    } else if (gesture.kind === "edge") {
      this.events.drag(moved(gesture.span, gesture.edge, time, now.result.duration), false);
    } else if (gesture.kind === "stretch" || Math.abs(x - gesture.x) > DRAG_PX) {
      const { time: began, speaker } = gesture;
      this.gesture = { kind: "stretch", time: began, speaker };
      this.stretch(began, time, speaker);
    }
  }

  private stretch(one: number, other: number, speaker: string): void {
    const span = spanOf(one, other, this.model().result.duration);
    if (span.end > span.start) this.events.select({ ...span, speaker, isTurn: false });
  }

  private release(event: PointerEvent): void {
    const { gesture: done, events } = this;
    const now = this.model();
    this.gesture = null;
    if (!done) return;
    if (done.kind === "edge") {
      const { time } = this.place(event);
      events.drag(moved(done.span, done.edge, time, now.result.duration), true);
    } else if (done.kind === "press" && event.shiftKey) {
      this.stretch(now.selection?.start ?? now.scale.start, done.time, done.speaker);
    } else if (done.kind === "press") {
      events.select(turnAt(now, done.time, done.speaker));
      events.go(done.time);
    }
  }

  private wheel(event: WheelEvent): void {
    if (!event.ctrlKey && !event.deltaX) return;
    event.preventDefault();
    if (event.ctrlKey) this.events.zoom(Math.exp(-event.deltaY / WHEEL_PX));
    else this.events.scroll(event.deltaX);
  }
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
