/** One recording: loaded, or what keeps it from being shown. */

import { address, get } from "../api.js";
import { attempt, button, element, textOf } from "../dom.js";
import { statusText } from "../jobs.js";
import { deleteJob } from "../queue/view.js";
import type { Job, Peaks, Person, Session, State } from "../types.js";
import type { View } from "../view.js";
import { Editor } from "./editor.js";
import { OpenedRecording } from "./opened.js";

/** The recording of a job. */
export function openRecording(session: Session, id: string): View {
  const heading = element("h1", { tabindex: -1 }, "Recording");
  const body = element("div", {}, element("p", { class: "muted", role: "status" }, "Loading…"));
  const back = element("a", { href: "#/", class: "back" }, "All recordings");
  const node = element(
    "main",
    { id: "main", class: "recording" },
    element("div", { class: "title" }, back, heading),
    body,
  );
  let opened: OpenedRecording | null = null;
  let isClosed = false;

  async function load(): Promise<void> {
    const job = await get<Job>(address("jobs", id));
    heading.textContent = job.name;
    document.title = `${job.name} · hocket`;
    if (job.status !== "done") return body.replaceChildren(unfinished(job));
    const [outline, people] = await Promise.all([
      get<Peaks>(address("jobs", id, "peaks")).catch(() => null),
      session.store ? peopleOf() : [],
    ]);
    const editor = await Editor.load(id, onState, (isBusy) => opened?.setBusy(isBusy));
    if (isClosed) return;
    opened = new OpenedRecording({ job, outline, people, session, editor });
    body.replaceChildren(opened.node);
    opened.start();
  }

  const onState = (state: State): void => opened?.show(state);
  load().catch((error: unknown) => {
    body.replaceChildren(element("p", { class: "problem", role: "alert" }, textOf(error)));
  });
  return {
    title: "Recording",
    node,
    close: () => {
      isClosed = true;
      opened?.close();
    },
  };
}

async function peopleOf(): Promise<string[]> {
  try {
    const { speakers } = await get<{ speakers: Person[] }>("v1/speakers");
    return speakers.map(({ name }) => name);
  } catch {
    return []; // names are only offered; without them everything works
  }
}

function unfinished(job: Job): HTMLElement {
  const text = `${statusText(job)}. ${job.problem ?? "The result is shown here once it is done."}`;
  const leave = async (): Promise<void> => {
    if (await deleteJob(job.id, job.name)) location.hash = "#/";
  };
  return element(
    "section",
    {},
    element("p", { class: job.problem ? "problem" : "" }, text),
    element(
      "div",
      { class: "buttons" },
      button("Delete", () => attempt(leave)),
    ),
  );
}
