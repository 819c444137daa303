/** Turns, selections and colors. Pure. */

import type { Constraint, Edge, ReviewSegment, Span, Turn } from "../types.js";

export const COLORS = 7;
const SHORTEST_S = 0.05;
const CHECKED = 0.8; // of a segment, that an answer covers

/** A stretch of the recording; a turn, if its times are those of one. */
export interface Selection extends Span {
  speaker: string;
  isTurn: boolean;
}

/** Number of the first of the spans, by start, that starts after a time. */
export function firstAfter(spans: readonly Span[], time: number): number {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.start ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The latest end of the spans up to each. */
export function latestEnds(spans: readonly Span[]): number[] {
  const ends: number[] = [];
  for (const { end } of spans) ends.push(Math.max(end, ends.at(-1) ?? 0));
  return ends;
}

/** Numbers of the spans that go on at a time. */
export function goingOn(spans: readonly Span[], latest: readonly number[], time: number): number[] {
  const found: number[] = [];
  for (let n = firstAfter(spans, time) - 1; n >= 0 && (latest[n] ?? 0) > time; n--)
    if ((spans[n]?.end ?? 0) > time) found.unshift(n);
  return found;
}

/** Seconds that two spans have in common. */
export const overlap = (one: Span, other: Span): number =>
  Math.max(0, Math.min(one.end, other.end) - Math.max(one.start, other.start));

/** The turn before or after a place; null if there is none. */
export function neighbor(
  turns: readonly Turn[],
  at: Selection | number,
  step: 1 | -1,
): Turn | null {
  const here = typeof at === "number" ? -1 : placeOf(turns, at);
  if (here >= 0) return turns[here + step] ?? null;
  const time = typeof at === "number" ? at : at.start;
  const next = firstAfter(turns, time);
  return (step > 0 ? turns[next] : turns[next - 1]) ?? null;
}

/** Number of the turn that a selection is; -1 if it is none. */
export function placeOf(turns: readonly Turn[], selection: Selection): number {
  return turns.findIndex((turn) => isSame(turn, selection));
}

const isSame = (turn: Turn, { start, end, speaker }: Selection): boolean =>
  turn.speaker === speaker && turn.start === start && turn.end === end;

/** A turn as a selection. */
export const selectionOf = ({ start, end, speaker }: Turn): Selection => ({
  start,
  end,
  speaker,
  isTurn: true,
});

/** The turn that has most of a span; of this speaker, if one has any. */
export function bestTurn(turns: readonly Turn[], span: Span, speaker: string): Turn | null {
  const most = (among: readonly Turn[]): Turn | null =>
    among.reduce<Turn | null>(
      (best, turn) => (overlap(turn, span) > (best ? overlap(best, span) : 0) ? turn : best),
      null,
    );
  return most(turns.filter((turn) => turn.speaker === speaker)) ?? most(turns);
}

/** What is selected after the turns have changed. */
export function reselected(turns: readonly Turn[], old: Selection | null): Selection | null {
  if (!old) return null;
  const turn = bestTurn(turns, old, old.speaker);
  return turn ? selectionOf(turn) : null;
}

/** Seconds that each speaker speaks. */
export function speakingTimes(turns: readonly Turn[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { speaker, start, end } of turns)
    found.set(speaker, (found.get(speaker) ?? 0) + end - start);
  return found;
}

/**
 * Speakers in the order in which they were shown before, and new ones after them. A speaker who has
 * only another name keeps the place.
 */
export function inOrder(speakers: readonly string[], before: readonly string[]): string[] {
  const [old, renamed] = renaming(speakers, before);
  const kept = before.map((name) => (name === old ? (renamed ?? name) : name));
  return [...new Set([...kept.filter((name) => speakers.includes(name)), ...speakers])];
}

function renaming(speakers: readonly string[], before: readonly string[]): (string | undefined)[] {
  const gone = before.filter((name) => !speakers.includes(name));
  const added = speakers.filter((name) => !before.includes(name));
  return gone.length === 1 && added.length === 1 ? [gone[0], added[0]] : [];
}

/**
 * The color of each speaker. Speakers keep theirs when others come and go, and a speaker who has
 * only another name keeps it too.
 */
export function colorsOf(
  speakers: readonly string[],
  before: ReadonlyMap<string, number> = new Map(),
): Map<string, number> {
  const [old, renamed] = renaming(speakers, [...before.keys()]);
  const found = new Map<string, number>();
  for (const name of speakers) {
    const color = before.get(name === renamed ? (old ?? name) : name);
    if (color !== undefined) found.set(name, color);
  }
  for (const name of speakers) if (!found.has(name)) found.set(name, leastUsed(found));
  return found;
}

function leastUsed(colors: ReadonlyMap<string, number>): number {
  const uses = Array.from({ length: COLORS }, () => 0);
  for (const color of colors.values()) uses[color] = (uses[color] ?? 0) + 1;
  return uses.indexOf(Math.min(...uses));
}

/** A span with an edge moved, within the recording and never empty. */
export function moved(span: Span, edge: Edge, to: number, duration: number): Span {
  const { start, end } = span;
  const rounded = Math.round(to * 1000) / 1000;
  if (edge === "start") return { start: Math.max(0, Math.min(rounded, end - SHORTEST_S)), end };
  return { start, end: Math.min(duration, Math.max(rounded, start + SHORTEST_S)) };
}

/** A span between two times, in either order, to the millisecond. */
export function spanOf(one: number, other: number, duration: number): Span {
  const within = (time: number): number =>
    Math.round(Math.max(0, Math.min(duration, time)) * 1000) / 1000;
  return { start: within(Math.min(one, other)), end: within(Math.max(one, other)) };
}

/**
 * A stretch with one edge at a time, and the other where the old one has it; a second long where
 * that would not be a stretch.
 */
export function marked(old: Span | null, edge: Edge, time: number, duration: number): Span {
  if (edge === "start") return spanOf(time, old && old.end > time ? old.end : time + 1, duration);
  return spanOf(old && old.start < time ? old.start : time - 1, time, duration);
}

/** Segments to check that no answer covers yet. */
export function unchecked(
  segments: readonly ReviewSegment[],
  constraints: readonly Constraint[],
): ReviewSegment[] {
  const answers = constraints.flatMap((each) =>
    "is" in each ? [each.at] : "nobody" in each ? [each.nobody] : [],
  );
  const isAnswered = (segment: Span): boolean =>
    answers.some(
      ([start, end]) => overlap(segment, { start, end }) >= CHECKED * (segment.end - segment.start),
    );
  return segments.filter((segment) => !isAnswered(segment));
}
