/** What each key does with an open recording. */

import { showKeys } from "./keys.js";
import type { Command } from "./keymap.js";
import type { OpenedRecording } from "./opened.js";

const SKIP_S = 2;
const EDGE_S = 0.1;
export const ZOOM = 1.5;

type Named = Exclude<Command, `assign-${number}`>;

/** Do what a key means; whether there was something to do. */
export function carryOut(recording: OpenedRecording, command: Command): boolean {
  if (command.startsWith("assign-")) recording.assignNumber(Number(command.slice(7)));
  else ACTIONS[command as Named](recording);
  return true;
}

const ACTIONS: Readonly<Record<Named, (recording: OpenedRecording) => unknown>> = {
  toggle: ({ player }) => player.toggle(),
  back: ({ player }) => player.go(player.time - SKIP_S),
  ahead: ({ player }) => player.go(player.time + SKIP_S),
  "turn-before": (recording) => recording.goTurn(-1),
  "turn-after": (recording) => recording.goTurn(1),
  "word-before": (recording) => recording.goWord(-1),
  "word-after": (recording) => recording.goWord(1),
  "select-before": (recording) => recording.selectStep(-1),
  "select-after": (recording) => recording.selectStep(1),
  "play-selection": (recording) => recording.enter(),
  undo: ({ loaded }) => loaded.editor.undo(),
  redo: ({ loaded }) => loaded.editor.redo(),
  help: () => showKeys(),
  split: (recording) => recording.split(),
  silence: (recording) => recording.silence(),
  "mark-start": (recording) => recording.mark("start"),
  "mark-end": (recording) => recording.mark("end"),
  "start-earlier": (recording) => recording.nudge("start", -EDGE_S),
  "start-later": (recording) => recording.nudge("start", EDGE_S),
  "end-earlier": (recording) => recording.nudge("end", -EDGE_S),
  "end-later": (recording) => recording.nudge("end", EDGE_S),
  discard: (recording) => recording.discard(),
  "check-before": ({ check }) => check.step(-1),
  "check-after": ({ check }) => check.step(1),
  confirm: ({ check }) => check.confirm(),
  "zoom-in": (recording) => recording.zoomBy(ZOOM),
  "zoom-out": (recording) => recording.zoomBy(1 / ZOOM),
};
