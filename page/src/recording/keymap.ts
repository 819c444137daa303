/** The keys of the recording view. Pure. */

export type Command =
  | "toggle"
  | "back"
  | "ahead"
  | "turn-before"
  | "turn-after"
  | "select-before"
  | "select-after"
  | "play-selection"
  | "undo"
  | "redo"
  | "help"
  | "split"
  | "silence"
  | "mark-start"
  | "mark-end"
  | "start-earlier"
  | "start-later"
  | "end-earlier"
  | "end-later"
  | "discard"
  | "check-before"
  | "check-after"
  | "confirm"
  | "zoom-in"
  | "zoom-out"
  | "word-before"
  | "word-after"
  | `assign-${number}`;

export const KEYS: readonly (readonly [string, string])[] = [
  ["Space", "play or pause"],
  ["← →", "2 s back or ahead"],
  ["Shift + ← →", "turn before or after"],
  [", .", "word before or after"],
  ["↑ ↓", "select the turn before or after"],
  ["Enter", "play the selection, or apply moved edges"],
  ["1 to 9", "assign the selection to that speaker"],
  ["0", "nobody speaks in the selection"],
  ["S", "split the selected turn at the playhead"],
  ["[ {", "start of the selected turn 0.1 s earlier or later"],
  ["] }", "end of the selected turn 0.1 s later or earlier"],
  ["I O", "start and end of a stretch at the playhead"],
  ["Esc", "discard moved edges, or select nothing"],
  ["N P", "next or previous segment to check"],
  ["C", "the segment to check is right"],
  ["Ctrl + Z", "undo"],
  ["Ctrl + Shift + Z, Ctrl + Y", "redo"],
  ["+ −", "zoom in or out"],
  ["?", "these keys"],
];

const PLAIN: Readonly<Record<string, Command>> = {
  " ": "toggle",
  Enter: "play-selection",
  Escape: "discard",
  "?": "help",
  ArrowLeft: "back",
  ArrowRight: "ahead",
  ArrowUp: "select-before",
  ArrowDown: "select-after",
  s: "split",
  i: "mark-start",
  o: "mark-end",
  n: "check-after",
  p: "check-before",
  c: "confirm",
  "0": "silence",
  "[": "start-earlier",
  "{": "start-later",
  "]": "end-later",
  "}": "end-earlier",
  "+": "zoom-in",
  "=": "zoom-in",
  "-": "zoom-out",
  ",": "word-before",
  ".": "word-after",
};

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  /** Whether AltGr made the character, which counts as Ctrl and Alt on some systems. */
  isCharacter: boolean;
}

/** What a key means; null if nothing. */
export function commandOf({
  key,
  ctrlKey,
  metaKey,
  altKey,
  shiftKey,
  isCharacter,
}: Pressed): Command | null {
  const lower = key.length === 1 ? key.toLowerCase() : key;
  if (!isCharacter && (ctrlKey || metaKey)) {
    if (altKey) return null;
    if (lower === "z") return shiftKey ? "redo" : "undo";
    return lower === "y" && !shiftKey ? "redo" : null;
  }
  if (!isCharacter && altKey) return null;
  if (shiftKey && key === "ArrowLeft") return "turn-before";
  if (shiftKey && key === "ArrowRight") return "turn-after";
  if (/^[1-9]$/.test(key)) return `assign-${Number(key)}`;
  return PLAIN[lower] ?? null;
}
