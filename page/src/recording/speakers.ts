/** The speakers of a recording: rename, merge, remember. */

import { asked, button, element, field, select, who } from "../dom.js";
import { length, percent } from "../text.js";
import type { Result } from "../types.js";
import { speakingTimes } from "./model.js";

export interface SpeakersEvents {
  rename: (speaker: string, name: string) => Promise<boolean>;
  merge: (from: string, into: string) => Promise<boolean>;
  remember: ((speaker: string) => void) | null;
  play: (speaker: string) => void;
}

/** A row a speaker. */
export class Speakers {
  readonly node: HTMLElement;
  private readonly list = element("ul", { class: "speakers" });
  private readonly heading = element("h2", {}, "Speakers");
  private names: readonly string[] = [];

  constructor(private readonly events: SpeakersEvents) {
    this.node = element("section", { "aria-label": "Speakers" }, this.heading, this.list);
  }

  /** Show the speakers of a result. */
  show(result: Result, colors: ReadonlyMap<string, number>): void {
    const focused = document.activeElement?.getAttribute("aria-label");
    const hadFocus = this.list.contains(document.activeElement);
    this.names = result.speakers;
    this.heading.textContent = `Speakers (${this.names.length})`;
    const times = speakingTimes(result.turns);
    const all = [...times.values()].reduce((sum, each) => sum + each, 0) || 1;
    const row = (name: string): HTMLElement => {
      const seconds = times.get(name) ?? 0;
      return this.row(
        name,
        `${length(seconds)} · ${percent(seconds / all)}`,
        colors.get(name) ?? null,
      );
    };
    this.list.replaceChildren(...this.names.map(row));
    if (!this.names.length) this.list.append(element("li", { class: "muted" }, "Nobody speaks."));
    if (hadFocus && focused)
      this.list.querySelector<HTMLElement>(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  private row(name: string, share: string, color: number | null): HTMLElement {
    const { remember, play } = this.events;
    const row = element("li", { "data-name": name });
    const canMerge = this.names.length > 1;
    row.append(
      element(
        "div",
        { class: "heading" },
        who(name, color),
        element("span", { class: "muted" }, share),
      ),
      element(
        "div",
        { class: "buttons" },
        labelled("Rename", `Rename ${name}`, () => void this.rename(name, row)),
        canMerge &&
          labelled("Merge…", `Merge ${name} with another speaker`, () => void this.merge(name)),
        labelled("Next turn", `Play the next turn of ${name}`, () => play(name)),
        remember && labelled("Remember", `Remember ${name} in the store`, () => remember(name)),
      ),
    );
    return row;
  }

  private async rename(speaker: string, row: HTMLElement): Promise<void> {
    const name = await nameFrom(row, speaker);
    if (!name || name === speaker) return this.focusOn(speaker);
    if (!this.names.includes(name)) await this.events.rename(speaker, name);
    else if (await asked(`${name} is a speaker already`, "Merge", mergeText(speaker, name)))
      await this.events.merge(speaker, name);
    this.focusOn(name);
  }

  private async merge(speaker: string): Promise<void> {
    const others = this.names.filter((each) => each !== speaker);
    const into = select(Object.fromEntries(others.map((each) => [each, each])));
    const text = `All turns of ${speaker} become turns of the other speaker.`;
    const content = [element("p", { class: "muted" }, text), field("Into", into)];
    if (!(await asked(`Merge ${speaker}`, "Merge", ...content))) return;
    await this.events.merge(speaker, into.value);
    this.focusOn(into.value);
  }

  private focusOn(speaker: string): void {
    const rows = [...this.list.children] as HTMLElement[];
    const row = rows.find((each) => each.dataset["name"] === speaker) ?? rows[0];
    row?.querySelector<HTMLElement>("button")?.focus();
  }
}

const labelled = (text: string, label: string, act: () => void): HTMLButtonElement =>
  button(text, act, { "aria-label": label });

const mergeText = (speaker: string, name: string): HTMLElement =>
  element("p", {}, `Merge ${speaker} with ${name}? All turns of both become turns of ${name}.`);

/** A name that is entered in place of a row; null if the user gives up. */
function nameFrom(row: HTMLElement, speaker: string): Promise<string | null> {
  return new Promise((resolve) => {
    const before = [...row.childNodes];
    const input = element("input", {
      list: "names",
      value: speaker,
      "aria-label": `New name of ${speaker}`,
      maxlength: 200,
      autocomplete: "off",
    });
    const end = (name: string | null): void => {
      row.replaceChildren(...before);
      resolve(name);
    };
    const save = (event: Event): void => {
      event.preventDefault();
      end(input.value.trim() || null);
    };
    const onKey = (event: Event): void => {
      if ((event as KeyboardEvent).key === "Escape") end(null);
    };
    const buttons = [
      element("button", { class: "primary" }, "Save"),
      button("Cancel", () => end(null)),
    ];
    row.replaceChildren(
      element("form", { class: "inline", onsubmit: save, onkeydown: onKey }, input, ...buttons),
    );
    input.select();
  });
}
