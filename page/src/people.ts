/** The store of known speakers: rename, merge, forget, enroll, identify. */

import { address, get, send } from "./api.js";
import { asked, attempt, button, element, field, select, tell } from "./dom.js";
import { ago, count, length, percent } from "./text.js";
import type { Match, Person } from "./types.js";
import type { View } from "./view.js";

/** The people view. */
export function openPeople(): View {
  const known = new KnownPeople();
  const heading = element("h1", { tabindex: -1 }, "People");
  const enroll = enrollment(() => known.load());
  const forms = element("div", { class: "columns even" }, enroll, identification());
  attempt(() => known.load());
  return { title: "People", node: element("main", { id: "main" }, heading, known.node, forms) };
}

const COLUMNS = ["Name", "Speech", "From", "Changed", "Actions"];

class KnownPeople {
  readonly node: HTMLElement;
  private people: Person[] = [];
  private readonly body = element("tbody", {});
  private readonly wide: HTMLElement;
  private readonly empty = element(
    "p",
    { class: "muted empty", hidden: true },
    "The store has no speakers yet.",
  );

  constructor() {
    const heads = COLUMNS.map((each) => element("th", { scope: "col" }, each));
    const caption = element("caption", { class: "unseen" }, "Known speakers");
    const head = element("thead", {}, element("tr", {}, ...heads));
    this.wide = element("div", { class: "wide" }, element("table", {}, caption, head, this.body));
    this.node = element("section", { "aria-label": "Known speakers" }, this.wide, this.empty);
  }

  async load(): Promise<void> {
    this.people = (await get<{ speakers: Person[] }>("v1/speakers")).speakers;
    const { body } = this;
    const focused = document.activeElement?.getAttribute("aria-label");
    body.replaceChildren(...this.people.map((person) => this.row(person)));
    this.wide.hidden = !this.people.length;
    this.empty.hidden = this.people.length > 0;
    if (focused) body.querySelector<HTMLElement>(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  private row(person: Person): HTMLElement {
    const { name, seconds, exemplars, updated } = person;
    const others = this.people.filter(({ id }) => id !== person.id);
    const action = (text: string, label: string, work: () => Promise<boolean>): HTMLElement =>
      button(text, () => attempt(() => this.after(work)), { "aria-label": label });
    const merging = `Merge ${name} with another person`;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      element("td", {}, length(seconds)),
      element("td", {}, count(exemplars, "sample")),
      element("td", {}, ago(updated, Date.now() / 1000)),
      element(
        "td",
        { class: "buttons" },
        action("Rename", `Rename ${name}`, () => rename(person)),
        others.length > 0 && action("Merge…", merging, () => merge(person, others)),
        action("Forget", `Forget ${name}`, () => forget(person)),
      ),
    );
  }

  private async after(work: () => Promise<boolean>): Promise<void> {
    if (await work()) await this.load();
  }
}

async function rename({ id, name }: Person): Promise<boolean> {
  const input = element("input", {
    value: name,
    required: true,
    maxlength: 200,
    autocomplete: "off",
  });
  if (!(await asked(`Rename ${name}`, "Rename", field("New name", input)))) return false;
  await send("PATCH", address("speakers", id), { name: input.value.trim() });
  return true;
}

async function merge({ id, name }: Person, others: readonly Person[]): Promise<boolean> {
  const into = select(Object.fromEntries(others.map((each) => [each.id, each.name])));
  const text = element(
    "p",
    { class: "muted" },
    `All samples of ${name} are given to the other person.`,
  );
  if (!(await asked(`Merge ${name}`, "Merge", text, field("Into", into)))) return false;
  await send("POST", "v1/speakers/merge", { from: id, into: into.value });
  return true;
}

async function forget({ id, name }: Person): Promise<boolean> {
  const text = element(
    "p",
    {},
    `The voice of ${name} is deleted from the store. This cannot be undone.`,
  );
  if (!(await asked(`Forget ${name}?`, "Forget", text))) return false;
  await send("DELETE", address("speakers", id));
  tell(`${name} is forgotten.`);
  return true;
}

function enrollment(onDone: () => Promise<void>): HTMLElement {
  const name = element("input", { required: true, maxlength: 200, autocomplete: "off" });
  const files = element("input", {
    type: "file",
    accept: "audio/*,video/*",
    required: true,
    multiple: true,
  });
  const submit = element("button", { class: "primary" }, "Enroll");
  const enroll = async (): Promise<void> => {
    const content = new FormData();
    content.append("name", name.value.trim());
    for (const file of files.files ?? []) content.append("file", file, file.name);
    await whileBusy(submit, () => send("POST", "v1/speakers", content));
    tell(`${name.value.trim()} is enrolled.`);
    form.reset();
    await onDone();
  };
  const form = element(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        attempt(enroll);
      },
    },
    field("Name", name),
    field("Recordings of this person alone", files),
    element("div", { class: "buttons" }, submit),
  );
  return element("section", { "aria-label": "Enroll" }, element("h2", {}, "Enroll a person"), form);
}

function identification(): HTMLElement {
  const file = element("input", { type: "file", accept: "audio/*,video/*", required: true });
  const submit = element("button", { class: "primary" }, "Identify");
  const found = element("ol", { class: "matches" });
  const status = element("div", { role: "status" }, found);
  const identify = async (): Promise<void> => {
    const content = new FormData();
    for (const each of file.files ?? []) content.append("file", each, each.name);
    const { matches } = await whileBusy(submit, () =>
      send<{ matches: Match[] }>("POST", "v1/speakers/identify", content),
    );
    found.replaceChildren(...matches.map(matchRow));
    if (!matches.length)
      found.replaceChildren(element("li", {}, "Nobody in the store is similar."));
  };
  const form = element(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        attempt(identify);
      },
    },
    field("A recording of one person", file),
    element("div", { class: "buttons" }, submit),
    status,
  );
  return element("section", { "aria-label": "Identify" }, element("h2", {}, "Who is this?"), form);
}

const matchRow = ({ name, probability, certain }: Match): HTMLElement =>
  element(
    "li",
    {},
    element("strong", {}, name),
    ` ${percent(probability)} likely${certain ? "" : ", not certain"}`,
  );

async function whileBusy<T>(node: HTMLButtonElement, work: () => Promise<T>): Promise<T> {
  node.disabled = true;
  try {
    return await work();
  } finally {
    node.disabled = false;
  }
}
