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

const STEP_S = 0.1;
const HINT =
  "Select a turn with ↑ and ↓ or with a click. Drag in the lanes, or press I and O, to select " +
  "a stretch.";

/** The panel below the lanes. */
export class Chosen {
  readonly node: HTMLElement;
  private readonly summary = element("p", { class: "summary", "aria-live": "polite" });
  private readonly hint = element("p", { class: "muted" }, HINT);
  private readonly speakers = element("div", {
    class: "chips",
    role: "group",
    "aria-label": "Assign to",
  });
  private readonly edges: HTMLElement;
  private readonly decision: HTMLElement;
  private readonly split: HTMLButtonElement;
  private readonly play: HTMLButtonElement;
  private readonly apply: HTMLButtonElement;
  private readonly body: HTMLElement;
  private left: HTMLElement | null = null; // had the focus before the draft was offered

  constructor(private readonly events: ChosenEvents) {
    const { summary, hint, speakers } = this;
    this.play = button("Play", events.play, { "aria-keyshortcuts": "Enter" });
    this.split = button("Split at playhead", events.split, { "aria-keyshortcuts": "S" });
    const silence = button("Nobody speaks", events.silence, { "aria-keyshortcuts": "0" });
    this.apply = button("Apply", events.apply, { class: "primary" });
    const discard = button("Discard", events.discard);
    this.decision = element("div", { class: "buttons", hidden: true }, this.apply, discard);
    const groups = [edgeGroup("Start", "start", events), edgeGroup("End", "end", events)];
    this.edges = element("div", { class: "edges" }, ...groups);
    const rest = element("div", { class: "buttons" }, this.play, this.split, silence);
    const { edges, decision } = this;
    const parts = [speakers, this.assignment(), edges, decision, rest];
    this.body = element("div", { class: "actions", hidden: true }, ...parts);
    const attributes = { class: "chosen", role: "group", "aria-label": "Selection" };
    this.node = element("div", attributes, hint, summary, this.body);
  }

  /** Show a selection; the draft is where its edges are being moved to. */
  show(
    state: State,
    colors: ReadonlyMap<string, number>,
    selection: Selection | null,
    draft: Span | null,
  ): void {
    const { summary, decision, speakers } = this;
    const hadFocus = decision.contains(document.activeElement);
    const focused = [...speakers.children].indexOf(document.activeElement as Element);
    this.hint.hidden = selection !== null;
    summary.hidden = this.body.hidden = selection === null;
    if (!selection) return summary.replaceChildren();
    summary.replaceChildren(...summaryOf(state, colors, selection, draft));
    speakers.replaceChildren(
      ...chips(state.result.speakers, colors, selection, this.events.assign),
    );
    this.edges.hidden = this.split.hidden = !selection.isTurn;
    decision.hidden = draft === null;
    if (hadFocus && decision.hidden) (this.left?.isConnected ? this.left : this.play).focus();
    else if (draft) this.offer();
    if (focused >= 0) (speakers.children[focused] as HTMLElement | undefined)?.focus();
  }

  /** Have Enter apply the draft, where it would press a button elsewhere. */
  private offer(): void {
    const { activeElement: focused } = document;
    if (!(focused instanceof HTMLElement) || this.node.contains(focused)) return;
    if (!focused.matches("button, a, summary")) return;
    this.left = focused;
    this.apply.focus();
  }

  private assignment(): HTMLElement {
    const name = element("input", {
      list: "names",
      "aria-label": "Assign to a new name",
      placeholder: "New name",
      size: 12,
      maxlength: 200,
      autocomplete: "off",
    });
    const assign = (event: Event): void => {
      event.preventDefault();
      if (name.value.trim()) this.events.assign(name.value.trim());
      name.value = "";
    };
    const submit = element("button", {}, "Assign");
    return element("form", { class: "inline", onsubmit: assign }, name, submit);
  }
}

function summaryOf(
  state: State,
  colors: ReadonlyMap<string, number>,
  selection: Selection,
  draft: Span | null,
): (Node | string)[] {
  const { start, end } = draft ?? selection;
  const turn = selection.isTurn
    ? state.result.turns[placeOf(state.result.turns, selection)]
    : undefined;
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
      class: "chip",
      "aria-pressed": String(isOwn),
      "aria-label": `Assign to ${name}`,
      "aria-keyshortcuts": key || null,
    });
    if (key) made.append(element("kbd", { "aria-hidden": "true" }, key));
    return made;
  });
}

function edgeGroup(name: string, edge: Edge, events: ChosenEvents): HTMLElement {
  const step = (sign: 1 | -1, text: string): HTMLElement =>
    button(text, () => events.nudge(edge, sign * STEP_S), {
      "aria-label": `${name} ${sign < 0 ? "earlier" : "later"} by 0.1 s`,
      class: "step",
    });
  return element(
    "div",
    { class: "edge", role: "group", "aria-label": name },
    name,
    step(-1, "−"),
    step(1, "+"),
  );
}
