/** Elements, and messages to the user. */

type Listener = (event: Event) => void;
type Attribute = string | number | boolean | null | undefined | Listener;
export type Child = Node | string | null | undefined | false;

const SVG = "http://www.w3.org/2000/svg";
const SHOWN_MS = 6000;

/** An element; attributes whose names begin with "on" are listeners. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(name, String(value));
  }
  made.append(...children.filter(isThere));
  return made;
}

function isThere(child: Child): child is Node | string {
  return child !== null && child !== undefined && child !== false;
}

const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  undo: "M9 4 4 9l5 5v-3.5h5.5a3.5 3.5 0 0 1 0 7H8v3h6.5a6.5 6.5 0 0 0 0-13H9z",
  redo: "m15 4 5 5-5 5v-3.5H9.5a3.5 3.5 0 0 0 0 7H16v3H9.5a6.5 6.5 0 0 1 0-13H15z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  minus: "M5 11h14v2H5z",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3v2a7 7 0 0 1 0 14v2a9 9 0 0 0 0-18z",
  microphone:
    "M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3z" +
    "M6 11h2v1a4 4 0 0 0 8 0v-1h2v1a6 6 0 0 1-5 5.9V21h-2v-3.1A6 6 0 0 1 6 12z",
  stop: "M6 6h12v12H6z",
} as const;

/** A picture beside or instead of a text. */
export function icon(name: keyof typeof ICONS): SVGSVGElement {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  made.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  made.append(path);
  return made;
}

/** A button with a text. */
export function button(
  text: Child,
  onclick: Listener,
  attributes: Readonly<Record<string, Attribute>> = {},
): HTMLButtonElement {
  return element("button", { type: "button", ...attributes, onclick }, text);
}

/** A field with its label. */
export function field(label: string, input: HTMLElement, note = ""): HTMLLabelElement {
  const small = note ? element("small", {}, note) : null;
  return element("label", { class: "field" }, element("span", {}, label), input, small);
}

/** A speaker's name with the dot of its color. */
export const who = (name: string, color: number | null): HTMLElement =>
  element("span", { class: color === null ? "who" : `who s${color}` }, name || "nobody");

const messages = element("div", { id: "messages" });
const polite = element("div", { role: "status" });
const urgent = element("div", { role: "alert" });
messages.append(polite, urgent);
const announced = element("div", { class: "unseen", "aria-live": "polite" });

/** Where messages appear; to be added to the page once. */
export const messageArea = (): Node[] => [messages, announced];

/** Show a message for some seconds; a problem stays until it is closed. */
export function tell(text: string, isProblem = false): void {
  const note = element("p", { class: isProblem ? "problem" : "" }, text);
  const close = (): void => note.remove();
  note.append(button("×", close, { class: "plain", "aria-label": "Close message" }));
  (isProblem ? urgent : polite).replaceChildren(note);
  if (isProblem) polite.replaceChildren();
  else setTimeout(close, SHOWN_MS);
}

/** Close what is shown. */
export function clearMessages(): void {
  polite.replaceChildren();
  urgent.replaceChildren();
}

/** Tell screen readers alone. */
export function announce(text: string): void {
  announced.textContent = text;
}

/** What an error says, as one line. */
export const textOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Have something done, and show why it failed. */
export function attempt(work: () => Promise<void>): void {
  work().catch((error: unknown) => {
    if (!(error instanceof DOMException && error.name === "AbortError")) tell(textOf(error), true);
  });
}

/**
 * A dialog with a form.
 *
 * Returns whether the user chose the action; the content's fields hold what was entered.
 */
export function asked(title: string, action: string, ...content: Child[]): Promise<boolean> {
  return new Promise((resolve) => {
    const heading = element("h2", { id: "dialog-title" }, title);
    const cancel = action ? button("Cancel", () => dialog.close()) : null;
    const confirm = element("button", { class: "primary", value: "yes" }, action || "Close");
    const buttons = element("div", { class: "buttons" }, cancel, confirm);
    const form = element("form", { method: "dialog" }, heading, ...content, buttons);
    const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A choice among values. */
export function select(
  options: Readonly<Record<string, string>>,
  chosen = "",
  attributes: Readonly<Record<string, Attribute>> = {},
): HTMLSelectElement {
  const made = element("select", attributes);
  for (const [value, text] of Object.entries(options))
    made.append(element("option", { value, selected: value === chosen }, text));
  return made;
}
