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

export interface Speakers {
  node: HTMLElement;
  show: (result: Result, colors: ReadonlyMap<string, number>) => void;
}

/** A row a speaker. */
export function speakersOf(events: SpeakersEvents): Speakers {
  const list = element("ul", { class: "speakers" });
  const heading = element("h2", {}, "Speakers");
  const node = element("section", { "aria-label": "Speakers" }, heading, list);
  let speakers: readonly string[] = [];

  async function rename(speaker: string, row: HTMLElement): Promise<void> {
    const name = await nameFrom(row, speaker);
    if (!name || name === speaker) return focusOn(speaker);
    if (!speakers.includes(name)) await events.rename(speaker, name);
    else if (await asked(`${name} is a speaker already`, "Merge", mergeText(speaker, name)))
      await events.merge(speaker, name);
    focusOn(name);
  }

  async function merge(speaker: string): Promise<void> {
    const others = speakers.filter((each) => each !== speaker);
    const into = select(Object.fromEntries(others.map((each) => [each, each])));
    const text = element("p", { class: "muted" }, `All turns of ${speaker} become turns of the other speaker.`);
    if (await asked(`Merge ${speaker}`, "Merge", text, field("Into", into)))
      await events.merge(speaker, into.value);
  }

  function focusOn(speaker: string): void {
    const row = [...list.children].find((each) => (each as HTMLElement).dataset["name"] === speaker);
    row?.querySelector<HTMLElement>("button")?.focus();
  }

  function show(result: Result, colors: ReadonlyMap<string, number>): void {
    speakers = result.speakers;
    heading.textContent = `Speakers (${speakers.length})`;
    const times = speakingTimes(result.turns);
    const all = [...times.values()].reduce((sum, each) => sum + each, 0) || 1;
    list.replaceChildren(...speakers.map((name) => rowOf(name, times.get(name) ?? 0, all, colors)));
    if (!speakers.length) list.append(element("li", { class: "muted" }, "Nobody speaks."));
  }

  function rowOf(
    name: string,
    seconds: number,
    all: number,
    colors: ReadonlyMap<string, number>,
  ): HTMLElement {
    const share = `${length(seconds)} · ${percent(seconds / all)}`;
    const color = colors.get(name) ?? null;
    const row = element("li", { "data-name": name });
    const { remember } = events;
    row.append(
      element("div", { class: "heading" }, who(name, color), element("span", { class: "muted" }, share)),
      element(
        "div",
        { class: "buttons" },
        button("Rename", () => void rename(name, row), { "aria-label": `Rename ${name}` }),
        speakers.length > 1 &&
          button("Merge…", () => void merge(name), { "aria-label": `Merge ${name} with another speaker` }),
        button("Next turn", () => events.play(name), { "aria-label": `Play the next turn of ${name}` }),
        remember &&
          button("Remember", () => remember(name), { "aria-label": `Remember ${name} in the store` }),
      ),
    );
    return row;
  }

  return { node, show };
}

const mergeText = (speaker: string, name: string): HTMLElement =>
  element("p", {}, `Merge ${speaker} with ${name}? All turns of both become turns of ${name}.`);

/** A name that is entered in place of a row; null if the user gives up. */
function nameFrom(row: HTMLElement, speaker: string): Promise<string | null> {
  return new Promise((resolve) => {
    const before = [...row.childNodes];
    const input = element("input", {
      list: "names", value: speaker, "aria-label": `New name of ${speaker}`, maxlength: 200, autocomplete: "off",
    });
    const end = (name: string | null): void => {
      row.replaceChildren(...before);
      resolve(name);
    };
    const form = element(
      "form",
      {
        class: "inline",
        onsubmit: (event) => {
          event.preventDefault();
          end(input.value.trim() || null);
        },
        onkeydown: (event) => {
          if ((event as KeyboardEvent).key === "Escape") end(null);
        },
      },
      input,
      element("button", { class: "primary" }, "Save"),
      button("Cancel", () => end(null)),
    );
    row.replaceChildren(form);
    input.select();
  });
}
