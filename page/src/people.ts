/** The store of known speakers: rename, merge, forget, enroll, identify. */

import { address, get, send } from "./api.js";
import { asked, attempt, button, element, field, select, tell } from "./dom.js";
import { ago, length, percent } from "./text.js";
import type { Match, Person } from "./types.js";
import type { View } from "./view.js";

/** The people view. */
export function openPeople(): View {
  const body = element("tbody", {});
  const heads = ["Name", "Speech", "Samples", "Changed", "Actions"].map((each) => element("th", { scope: "col" }, each));
  const table = element("table", {}, element("caption", { class: "unseen" }, "Known speakers"), element("thead", {}, element("tr", {}, ...heads)), body);
  const wide = element("div", { class: "wide" }, table);
  const empty = element("p", { class: "muted empty", hidden: true }, "The store has no speakers yet.");
  const heading = element("h1", { tabindex: -1 }, "People");
  let people: Person[] = [];

  async function load(): Promise<void> {
    people = (await get<{ speakers: Person[] }>("v1/speakers")).speakers;
    const focused = document.activeElement?.getAttribute("aria-label");
    body.replaceChildren(...people.map((person) => row(person)));
    wide.hidden = !people.length;
    empty.hidden = people.length > 0;
    if (focused) body.querySelector<HTMLElement>(`[aria-label=${CSS.escape(focused)}]`)?.focus();
  }

  function row(person: Person): HTMLElement {
    const { name } = person;
    const others = people.filter(({ id }) => id !== person.id);
    const then = (work: () => Promise<boolean>): (() => void) => () =>
      attempt(async () => {
        if (await work()) await load();
      });
    return element(
      "tr", {},
      element("th", { scope: "row" }, name),
      element("td", {}, length(person.seconds)),
      element("td", {}, String(person.exemplars)),
      element("td", {}, ago(person.updated, Date.now() / 1000)),
      element(
        "td", { class: "buttons" },
        button("Rename", then(() => rename(person)), { "aria-label": `Rename ${name}` }),
        others.length > 0 &&
          button("Merge…", then(() => merge(person, others)), { "aria-label": `Merge ${name} with another person` }),
        button("Forget", then(() => forget(person)), { "aria-label": `Forget ${name}` }),
      ),
    );
  }

  attempt(load);
  const forms = element("div", { class: "columns even" }, enrollment(load), identification());
  const node = element(
    "main", { id: "main" }, heading,
    element("section", { "aria-label": "Known speakers" }, wide, empty), forms,
  );
  return { title: "People", node };
}

async function rename({ id, name }: Person): Promise<boolean> {
  const input = element("input", { value: name, required: true, maxlength: 200, autocomplete: "off" });
  if (!(await asked(`Rename ${name}`, "Rename", field("New name", input)))) return false;
  await send("PATCH", address("speakers", id), { name: input.value.trim() });
  return true;
}

async function merge({ id, name }: Person, others: readonly Person[]): Promise<boolean> {
  const into = select(Object.fromEntries(others.map((each) => [each.id, each.name])));
  const text = element("p", { class: "muted" }, `All samples of ${name} are given to the other person.`);
  if (!(await asked(`Merge ${name}`, "Merge", text, field("Into", into)))) return false;
  await send("POST", "v1/speakers/merge", { from: id, into: into.value });
  return true;
}

async function forget({ id, name }: Person): Promise<boolean> {
  const text = element("p", {}, `The voice of ${name} is deleted from the store. This cannot be undone.`);
  if (!(await asked(`Forget ${name}?`, "Forget", text))) return false;
  await send("DELETE", address("speakers", id));
  tell(`${name} is forgotten.`);
  return true;
}

function enrollment(onDone: () => Promise<void>): HTMLElement {
  const name = element("input", { required: true, maxlength: 200, autocomplete: "off" });
  const files = element("input", { type: "file", accept: "audio/*,video/*", required: true, multiple: true });
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
  const found = element("ol", { class: "matches", role: "status" });
  const identify = async (): Promise<void> => {
    const content = new FormData();
    for (const each of file.files ?? []) content.append("file", each, each.name);
    const { matches } = await whileBusy(submit, () =>
      send<{ matches: Match[] }>("POST", "v1/speakers/identify", content),
    );
    found.replaceChildren(...matches.map(matchRow));
    if (!matches.length) found.replaceChildren(element("li", {}, "Nobody in the store is similar."));
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
    found,
  );
  return element("section", { "aria-label": "Identify" }, element("h2", {}, "Who is this?"), form);
}

const matchRow = ({ name, probability, certain }: Match): HTMLElement =>
  element(
    "li", {},
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
