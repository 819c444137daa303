/** Who speaks now, from the microphone. */

import { announce, button, element, field, icon, select, tell, who } from "../dom.js";
import { microphoneProblem } from "../queue/recorder.js";
import { colorsOf } from "../recording/model.js";
import { clock } from "../text.js";
import type { LiveMessage, Session } from "../types.js";
import type { View } from "../view.js";
import { connected, type Connection } from "./connection.js";
import { NOTHING, after, rowsOf, speakersOf, type Live, type LiveRow } from "./transcript.js";

const LOUDEST_DB = 0;
const QUIETEST_DB = -60;
const NEAR_END_PX = 80;

/** The live view. */
export function openLive(session: Session): View {
  const words = element("input", { type: "checkbox", checked: true });
  const language = element("input", { placeholder: "found by itself", size: 14, maxlength: 20, autocomplete: "off" });
  const preset = select({ balanced: "Balanced", accurate: "Accurate", fast: "Fast" }, "balanced");
  const options = element(
    "div", { class: "options" },
    field("Preset", preset),
    session.recognizer && element("label", { class: "check" }, words, "Recognize words"),
    session.recognizer && field("Language", language),
  );
  const panel = livePanel(() => {
    const chosen: Record<string, string> = { preset: preset.value };
    if (session.recognizer && words.checked) {
      chosen["words"] = "true";
      if (language.value.trim()) chosen["language"] = language.value.trim();
    }
    return chosen;
  }, options);
  const heading = element("h1", { tabindex: -1 }, "Live");
  return {
    title: "Live",
    node: element("main", { id: "main", class: "live" }, heading, panel.node),
    close: panel.close,
  };
}

type Phase = "resting" | "starting" | "running" | "ending";

interface Panel {
  node: HTMLElement;
  close: () => void;
}

function livePanel(options: () => Record<string, string>, settings: HTMLElement): Panel {
  let live: Live = NOTHING;
  let colors: ReadonlyMap<string, number> = new Map();
  let connection: Connection | null = null;
  let isClosed = false;
  const state = element("span", { class: "muted", role: "status" });
  const time = element("span", { class: "clock" }, "0:00");
  const meter = element("meter", { min: 0, max: 1, low: 0.15, value: 0, "aria-label": "Level" });
  const start = button(icon("microphone"), () => void begin(), { class: "primary" });
  start.append("Start");
  const stop = button(icon("stop"), () => finish(), { class: "primary", hidden: true });
  stop.append("Stop");
  const list = listing();

  function setPhase(phase: Phase): void {
    const hadFocus = [start, stop].includes(document.activeElement as HTMLButtonElement);
    start.hidden = phase === "running" || phase === "ending";
    start.disabled = phase === "starting";
    stop.hidden = !start.hidden;
    stop.disabled = phase === "ending";
    settings.hidden = phase !== "resting";
    const texts = { resting: "", starting: "Starting…", running: "The microphone is on.", ending: "Finishing…" };
    state.textContent = texts[phase];
    if (hadFocus) (start.hidden ? stop : start).focus();
    if (phase !== "running") meter.value = 0;
  }

  async function begin(): Promise<void> {
    live = NOTHING;
    colors = new Map();
    list.show([], colors);
    setPhase("starting");
    try {
      const events = { message: receive, level: (level: number) => void (meter.value = shareOf(level)), ended };
      const opened = await connected(options(), events);
      if (isClosed) return opened.close();
      connection = opened;
    } catch (error) {
      setPhase("resting");
      tell(microphoneProblem(error), true);
    }
  }

  function receive(message: LiveMessage): void {
    if (message.type === "ready") return setPhase("running");
    live = after(live, message);
    colors = colorsOf(speakersOf(live), colors);
    time.textContent = clock(live.time);
    list.show(rowsOf(live), colors);
    if (message.type === "update")
      for (const notice of message.notices ?? []) tell(typeof notice === "string" ? notice : notice.text);
  }

  function finish(): void {
    setPhase("ending");
    connection?.finish();
  }

  function ended(problem: string): void {
    connection = null;
    if (isClosed) return;
    live = { ...live, tentative: [] };
    list.show(rowsOf(live), colors);
    setPhase("resting");
    if (problem) tell(problem, true);
    else announce("Stopped.");
  }

  setPhase("resting");
  const controls = element("div", { class: "give" }, start, stop, time, meter, state);
  const node = element(
    "div", {},
    element("section", { "aria-label": "Microphone" }, controls, settings),
    element("section", { "aria-label": "Live transcript", class: "transcript" }, list.node),
  );
  return {
    node,
    close: () => {
      isClosed = true;
      connection?.close();
    },
  };
}

/** Position of the meter for a level, 0 to 1, as decibels. */
function shareOf(level: number): number {
  const decibels = 20 * Math.log10(Math.max(level, 1e-6));
  return Math.max(0, Math.min(1, (decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)));
}

interface Listing {
  node: HTMLElement;
  show: (rows: readonly LiveRow[], colors: ReadonlyMap<string, number>) => void;
}

/** Rows that change in place; only final ones are told to screen readers. */
function listing(): Listing {
  const empty = element("p", { class: "muted empty" }, "Turns appear here as people speak.");
  const rows = element("ol", { class: "rows text", "aria-label": "Turns" });
  const scroller = element("div", { class: "scroller", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Turns" }, rows);
  const keys: string[] = [];

  function show(all: readonly LiveRow[], colors: ReadonlyMap<string, number>): void {
    const isAtEnd = scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - NEAR_END_PX;
    empty.hidden = all.length > 0;
    scroller.hidden = !all.length;
    all.forEach((row, n) => {
      const color = colors.get(row.speaker) ?? null;
      const key = JSON.stringify([row, color]);
      if (keys[n] === key) return;
      keys[n] = key;
      const node = rowNode(row, color);
      if (rows.children[n]) rows.children[n]?.replaceWith(node);
      else rows.append(node);
    });
    while (rows.children.length > all.length) rows.lastElementChild?.remove();
    keys.length = all.length;
    if (isAtEnd) scroller.scrollTop = scroller.scrollHeight;
  }

  show([], new Map());
  return { node: element("div", {}, element("h2", {}, "Turns"), empty, scroller), show };
}

function rowNode({ start, speaker, text, isTentative }: LiveRow, color: number | null): HTMLElement {
  const mark = isTentative ? element("span", { class: "unsure" }, "tentative") : null;
  const classes = [isTentative ? "tentative" : "", color === null ? "" : `s${color}`].join(" ").trim();
  return element(
    "li", { class: classes },
    element("span", { class: "time" }, clock(start)),
    element("span", { class: "heading" }, who(speaker, color), mark),
    text && element("p", {}, text),
  );
}
