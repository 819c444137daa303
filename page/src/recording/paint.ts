/** Turns on a canvas: a lane a speaker, fainter where the confidence is lower. */

import { colorOf } from "../theme.js";
import { clock, fineClock } from "../text.js";
import type { Span, Turn } from "../types.js";
import { COLORS, firstAfter, type Selection } from "./model.js";
import { endOf, pixelOf, ticks, type Scale } from "./scale.js";

const FAINTEST = 0.4;
const LEAST_PX = 1.5;

export interface Palette {
  speakers: readonly string[];
  ink: string;
  line: string;
  muted: string;
  accent: string;
}

/** The colors of the page as it looks now. */
export function paletteNow(): Palette {
  return {
    speakers: Array.from({ length: COLORS }, (_, n) => colorOf(`--s${n}`)),
    ink: colorOf("--ink"),
    line: colorOf("--line"),
    muted: colorOf("--muted"),
    accent: colorOf("--accent"),
  };
}

export interface Drawing {
  scale: Scale;
  duration: number;
  turns: readonly Turn[];
  longest: number;
  speakers: readonly string[];
  colors: ReadonlyMap<string, number>;
  palette: Palette;
  laneHeight: number;
  barTop: number;
  barHeight: number;
  selection: Selection | null;
  draft: Span | null;
}

/** A canvas of so many pixels, sharp on every screen; null if it cannot be drawn on. */
export function prepared(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D | null {
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  context?.clearRect(0, 0, width, height);
  return context;
}

/** Draw the visible turns. */
export function paintLanes(canvas: HTMLCanvasElement, drawing: Drawing): void {
  const { scale, speakers, laneHeight, palette } = drawing;
  const context = prepared(canvas, scale.width, laneHeight * speakers.length);
  if (!context) return;
  context.strokeStyle = palette.line;
  for (const time of ticks(scale, drawing.duration).times) {
    const x = Math.round(pixelOf(scale, time)) + 0.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, laneHeight * speakers.length);
    context.stroke();
  }
  const lanes = new Map(speakers.map((name, n) => [name, n]));
  const first = Math.max(0, firstAfter(drawing.turns, scale.start - drawing.longest) - 1);
  const last = firstAfter(drawing.turns, endOf(scale));
  for (const turn of drawing.turns.slice(first, last)) {
    const lane = lanes.get(turn.speaker);
    if (lane !== undefined) paintTurn(context, drawing, turn, lane);
  }
  paintSelection(context, drawing, lanes);
}

function box(drawing: Drawing, span: Span, lane: number): [number, number, number, number] {
  const { scale, laneHeight, barTop, barHeight } = drawing;
  const left = Math.max(-4, pixelOf(scale, span.start));
  const right = Math.min(scale.width + 4, pixelOf(scale, span.end));
  return [left, lane * laneHeight + barTop, Math.max(LEAST_PX, right - left), barHeight];
}

function paintTurn(
  context: CanvasRenderingContext2D,
  drawing: Drawing,
  turn: Turn,
  lane: number,
): void {
  const color = drawing.colors.get(turn.speaker) ?? COLORS - 1;
  context.globalAlpha = Math.max(FAINTEST, turn.confidence ?? 1);
  context.fillStyle = drawing.palette.speakers[color] ?? drawing.palette.muted;
  context.beginPath();
  context.roundRect(...box(drawing, turn, lane), 2);
  context.fill();
  context.globalAlpha = 1;
}

function paintSelection(
  context: CanvasRenderingContext2D,
  drawing: Drawing,
  lanes: ReadonlyMap<string, number>,
): void {
  const { selection, draft, palette, laneHeight, speakers, scale } = drawing;
  if (!selection) return;
  const lane = lanes.get(selection.speaker);
  const span = draft ?? selection;
  if (!selection.isTurn) {
    const [left, , width] = box(drawing, span, 0);
    context.globalAlpha = 0.16;
    context.fillStyle = palette.accent;
    context.fillRect(left, 0, width, laneHeight * speakers.length);
    context.globalAlpha = 1;
  }
  if (lane === undefined && selection.isTurn) return;
  const [left, top, width, height] =
    lane === undefined || (!selection.isTurn && !selection.speaker)
      ? [
          pixelOf(scale, span.start),
          0,
          (span.end - span.start) * scale.pixelsPerSecond,
          laneHeight * speakers.length,
        ]
      : box(drawing, span, lane);
  context.strokeStyle = palette.ink;
  context.lineWidth = 2;
  context.setLineDash(draft || !selection.isTurn ? [5, 3] : []);
  context.beginPath();
  context.roundRect(left - 2, top - 2, width + 4, height + 4, 4);
  context.stroke();
  context.setLineDash([]);
  context.lineWidth = 1;
}

/** Draw the times of the axis. */
export function paintAxis(
  canvas: HTMLCanvasElement,
  scale: Scale,
  duration: number,
  palette: Palette,
): void {
  const height = 20;
  const context = prepared(canvas, scale.width, height);
  if (!context) return;
  context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  context.fillStyle = palette.muted;
  const { times, isFine } = ticks(scale, duration);
  for (const time of times) {
    const text = isFine ? fineClock(time) : clock(time);
    const wide = context.measureText(text).width;
    const middle = pixelOf(scale, time);
    const x = Math.min(scale.width - wide, Math.max(0, middle - wide / 2));
    if (middle >= 0 && (x === middle - wide / 2 || time === 0 || time > duration - 1))
      context.fillText(text, x, 14);
  }
}
