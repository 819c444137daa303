/** Rows of a transcript and their words. Pure. */

import type { Segment, Turn, Word } from "../types.js";
import { overlap, type Selection } from "./model.js";

export type Row = Turn | Segment;

const NEAR_S = 0.05;

/** The words of a row; none if it is a turn, or their times are unknown. */
export const wordsOf = (row: Row | undefined): readonly Word[] =>
  row && "words" in row ? (row.words ?? []) : [];

/** Number of the row that is a selection, or has most of it; -1 if there is none. */
export function rowFor(rows: readonly Row[], selection: Selection): number {
  let [best, most] = [-1, 0];
  rows.forEach((row, n) => {
    const shared = row.speaker === selection.speaker ? overlap(row, selection) : 0;
    if (shared > most) [best, most] = [n, shared];
  });
  return best;
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

/** Start of the word before or after a time; null if there is none. */
export function wordFrom(rows: readonly Row[], time: number, step: 1 | -1): number | null {
  const starts = rows
    .flatMap((row) => wordsOf(row).map(({ start }) => start))
    .sort((a, b) => a - b);
  const next = starts.find((start) => start > time + NEAR_S);
  const before = starts.filter((start) => start < time - NEAR_S).at(-1);
  return (step > 0 ? next : before) ?? null;
}
