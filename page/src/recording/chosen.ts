/** What can be done with the selected turn or stretch. */

import { button, element, who } from "../dom.js";
import { fineClock, length, percent } from "../text.js";
import type { Edge, Span, State } from "../types.js";
import { placeOf, type Selection } from "./model.js";

export interface ChosenEvents {
  play: () => void;
  assign: (speaker: string) => void;
  split: () => void;
  silence: () => void;
  nudge: (edge: Edge, seconds: number) => void;
  apply: () => void;
  discard: () => void;
}

export interface Chosen {
  node: HTMLElement;
  show: (state: State, colors: ReadonlyMap<string, number>, selection: Selection | null, draft: Span | null) => void;
}

const STEP_S = 0.1;
const HINT =
  "Select a turn with ↑ and ↓ or with a click. Drag in the lanes, or press I and O, to select a stretch.";

/** The panel below the lanes. */
export function chosenOf(events: ChosenEvents): Chosen {
  const summary = element("p", { class: "summary", "aria-live": "polite" });
  const hint = element("p", { class: "muted" }, HINT);
  const speakers = element("div", { class: "chips", role: "group", "aria-label": "Assign to" });
  const other = element("input", {
    list: "names", "aria-label": "Assign to a new name", placeholder: "New name", size: 12, maxlength: 200,
    autocomplete: "off",
  });
  const assignment = element(
    "form",
    {
      class: "inline",
      onsubmit: (event) => {
        event.preventDefault();
        if (other.value.trim()) events.assign(other.value.trim());
        other.value = "";
      },
    },
    other,
    element("button", {}, "Assign"),
  );
  const edges = element(
    "div",
    { class: "edges" },
    edgeGroup("Start", "start", events),
    edgeGroup("End", "end", events),
  );
  const decision = element(
    "div",
    { class: "buttons", hidden: true },
    button("Apply", events.apply, { class: "primary" }),
    button("Discard", events.discard),
  );
  const split = button("Split at playhead", events.split, { "aria-keyshortcuts": "S" });
  const silence = button("Nobody speaks", events.silence, { "aria-keyshortcuts": "0" });
  const play = button("Play", events.play, { "aria-keyshortcuts": "Enter" });
  const rest = element("div", { class: "buttons" }, play, split, silence);
  const body = element("div", { class: "actions", hidden: true }, speakers, assignment, edges, decision, rest);
  const node = element("div", { class: "chosen", role: "group", "aria-label": "Selection" }, hint, summary, body);

  const show: Chosen["show"] = (state, colors, selection, draft) => {
    const hadFocus = decision.contains(document.activeElement);
    hint.hidden = selection !== null;
    summary.hidden = body.hidden = selection === null;
    if (!selection) return void (summary.textContent = "");
    summary.replaceChildren(...summaryOf(state, colors, selection, draft));
    speakers.replaceChildren(...chips(state.result.speakers, colors, selection, events.assign));
    edges.hidden = split.hidden = !selection.isTurn;
    decision.hidden = draft === null;
    if (hadFocus && decision.hidden) play.focus();
  };
  return { node, show };
}

function summaryOf(
  state: State,
  colors: ReadonlyMap<string, number>,
  selection: Selection,
  draft: Span | null,
): (Node | string)[] {
  const { start, end } = draft ?? selection;
  const turn = selection.isTurn ? state.result.turns[placeOf(state.result.turns, selection)] : undefined;
  const { speaker } = selection;
  const parts = [`${fineClock(start)} – ${fineClock(end)}`, length(end - start)];
  if (turn?.confidence != null) parts.push(`confidence ${percent(turn.confidence)}`);
  if (draft) parts.push("moved, not applied");
  const kind = selection.isTurn ? "Turn of " : "Stretch ";
  const name = selection.isTurn ? who(speaker, colors.get(speaker) ?? null) : "";
  return [kind, name, element("span", { class: "muted" }, ` ${parts.join(" · ")}`)];
}

function chips(
  speakers: readonly string[],
  colors: ReadonlyMap<string, number>,
  selection: Selection,
  assign: (speaker: string) => void,
): HTMLElement[] {
  return speakers.map((name, n) => {
    const isOwn = selection.isTurn && name === selection.speaker;
    const key = n < 9 ? String(n + 1) : "";
    const made = button(who(name, colors.get(name) ?? null), () => assign(name), {
      class: "chip", "aria-pressed": String(isOwn), "aria-label": `Assign to ${name}`,
      "aria-keyshortcuts": key || null,
    });
    if (key) made.append(element("kbd", { "aria-hidden": "true" }, key));
    return made;
  });
}

function edgeGroup(name: string, edge: Edge, events: ChosenEvents): HTMLElement {
  const step = (sign: 1 | -1, text: string): HTMLElement =>
    button(text, () => events.nudge(edge, sign * STEP_S), {
      "aria-label": `${name} ${sign < 0 ? "earlier" : "later"} by 0.1 s`, class: "step",
    });
  return element("div", { class: "edge", role: "group", "aria-label": name }, name, step(-1, "−"), step(1, "+"));
}
