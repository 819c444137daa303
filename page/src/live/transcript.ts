/** What is known of live speech so far. Pure. */

import type { LiveMessage, Segment, Turn } from "../types.js";

export interface Live {
  time: number;
  final: readonly Turn[];
  tentative: readonly Turn[];
  segments: readonly Segment[];
}

export interface LiveRow {
  start: number;
  end: number;
  speaker: string;
  text: string;
  isTentative: boolean;
}

export const NOTHING: Live = { time: 0, final: [], tentative: [], segments: [] };

const JOINED_S = 0.5; // two final turns of one speaker this close are shown as one

/** What is known after a message. */
export function after(live: Live, message: LiveMessage): Live {
  if (message.type === "segments")
    return {
      ...live,
      segments: [...live.segments, ...message.segments].sort((a, b) => a.start - b.start),
    };
  if (message.type === "end") return { ...live, tentative: [] };
  if (message.type !== "update") return live;
  const { time, tentative } = message;
  return { ...live, time, final: joined(live.final, message.final), tentative };
}

/** Turns with newer ones; a turn that goes on is one turn. */
export function joined(turns: readonly Turn[], newer: readonly Turn[]): Turn[] {
  const made = [...turns];
  for (const turn of newer) {
    const n = made.findLastIndex((each) => each.speaker === turn.speaker);
    const last = made[n];
    if (last && turn.start - last.end <= JOINED_S && turn.start >= last.start)
      made[n] = { ...last, end: Math.max(last.end, turn.end) };
    else made.push(turn);
  }
  return made.sort((a, b) => a.start - b.start);
}

/** Rows in order of time: segments with words where there are any, turns elsewhere. */
export function rowsOf({ final, tentative, segments }: Live): LiveRow[] {
  const texts = new Map<Turn, string[]>();
  const loose: LiveRow[] = [];
  for (const { start, end, speaker, text } of segments) {
    const turn = final.find(
      (each) => each.speaker === speaker && each.start < end && each.end > start,
    );
    if (turn) texts.set(turn, [...(texts.get(turn) ?? []), text]);
    else loose.push({ start, end, speaker, text, isTentative: false });
  }
  const rows = [
    ...loose,
    ...final.map((turn) => ({ ...rowOf(turn, false), text: (texts.get(turn) ?? []).join(" ") })),
    ...tentative.map((turn) => rowOf(turn, true)),
  ];
  return rows.sort((a, b) => a.start - b.start || Number(a.isTentative) - Number(b.isTentative));
}

const rowOf = ({ start, end, speaker }: Turn, isTentative: boolean): LiveRow => ({
  start,
  end,
  speaker,
  text: "",
  isTentative,
});

/** Speakers in the order in which they first speak. */
export const speakersOf = ({ final, tentative }: Live): string[] => [
  ...new Set([...final, ...tentative].map(({ speaker }) => speaker)),
];
