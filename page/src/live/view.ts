/** Who speaks now, from the microphone. */

import { announce, button, element, field, icon, select, tell } from "../dom.js";
import { microphoneProblem } from "../queue/recorder.js";
import { colorsOf } from "../recording/model.js";
import { clock } from "../text.js";
import type { LiveMessage, Session } from "../types.js";
import type { View } from "../view.js";
import { connected, type Connection } from "./connection.js";
import { LiveRows } from "./rows.js";
import { NOTHING, after, rowsOf, speakersOf, type Live } from "./transcript.js";

const QUIETEST_DB = -60; // of the meter

/** The live view. */
export function openLive(session: Session): View {
  const words = element("input", { type: "checkbox", checked: true });
  const language = element("input", {
    placeholder: "found by itself",
    size: 14,
    maxlength: 20,
    autocomplete: "off",
  });
  const preset = select({ balanced: "Balanced", accurate: "Accurate", fast: "Fast" }, "balanced");
  const options = element(
    "div",
    { class: "options" },
    field("Preset", preset),
    session.recognizer && element("label", { class: "check" }, words, "Recognize words"),
    session.recognizer && field("Language", language),
  );
  const panel = new LivePanel(() => {
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
    close: () => panel.close(),
  };
}

type Phase = "resting" | "starting" | "running" | "ending";

const STATES: Readonly<Record<Phase, string>> = {
  resting: "",
  starting: "Starting…",
  running: "The microphone is on.",
  ending: "Finishing…",
};

class LivePanel {
  readonly node: HTMLElement;
  private live: Live = NOTHING;
  private colors: ReadonlyMap<string, number> = new Map();
  private connection: Connection | null = null;
  private isClosed = false;
  private readonly state = element("span", { class: "muted", role: "status" });
  private readonly time = element("span", { class: "clock" }, "0:00");
  private readonly meter = element("meter", { min: 0, max: 1, value: 0, "aria-label": "Level" });
  private readonly start = button(icon("microphone"), () => void this.begin(), {
    class: "primary",
  });
  private readonly stop = button(icon("stop"), () => this.finish(), { class: "primary" });
  private readonly rows = new LiveRows();

  constructor(
    private readonly options: () => Record<string, string>,
    private readonly settings: HTMLElement,
  ) {
    const { start, stop, time, meter, state } = this;
    start.append("Start");
    stop.append("Stop");
    const controls = element("div", { class: "give" }, start, stop, time, meter, state);
    this.node = element(
      "div",
      {},
      element("section", { "aria-label": "Microphone" }, controls, settings),
      element("section", { "aria-label": "Live transcript", class: "transcript" }, this.rows.node),
    );
    this.setPhase("resting");
  }

  close(): void {
    this.isClosed = true;
    this.connection?.close();
  }

  private setPhase(phase: Phase): void {
    const { start, stop } = this;
    const hadFocus = document.activeElement === start || document.activeElement === stop;
    start.hidden = phase === "running" || phase === "ending";
    start.disabled = phase === "starting";
    stop.hidden = !start.hidden;
    stop.disabled = phase === "ending";
    this.settings.hidden = phase !== "resting";
    this.state.textContent = STATES[phase];
    if (hadFocus) (start.hidden ? stop : start).focus();
    if (phase !== "running") this.meter.value = 0;
  }

  private async begin(): Promise<void> {
    [this.live, this.colors] = [NOTHING, new Map()];
    this.show();
    this.setPhase("starting");
    try {
      const opened = await connected(this.options(), {
        message: (message) => this.receive(message),
        level: (level) => void (this.meter.value = shareOf(level)),
        ended: (problem) => this.end(problem),
      });
      if (this.isClosed) opened.close();
      else this.connection = opened;
    } catch (error) {
      this.setPhase("resting");
      tell(microphoneProblem(error), true);
    }
  }

  private receive(message: LiveMessage): void {
    if (message.type === "ready") return this.setPhase("running");
    this.live = after(this.live, message);
    this.show();
    if (message.type !== "update") return;
    for (const notice of message.notices ?? [])
      tell(typeof notice === "string" ? notice : notice.text);
  }

  private show(): void {
    this.colors = colorsOf(speakersOf(this.live), this.colors);
    this.time.textContent = clock(this.live.time);
    this.rows.show(rowsOf(this.live), this.colors);
  }

  private finish(): void {
    this.setPhase("ending");
    this.connection?.finish();
  }

  private end(problem: string): void {
    this.connection = null;
    if (this.isClosed) return;
    this.live = { ...this.live, tentative: [] };
    this.show();
    this.setPhase("resting");
    if (problem) tell(problem, true);
    else announce("Stopped.");
  }
}

/** Position of the meter for a level, 0 to 1, as decibels. */
function shareOf(level: number): number {
  const decibels = 20 * Math.log10(Math.max(level, 1e-6));
  return Math.max(0, Math.min(1, 1 - decibels / QUIETEST_DB));
}
