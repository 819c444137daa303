/** All recordings: those being sent, those that wait, and those that are done. */

import { address, send } from "../api.js";
import { announce, asked, attempt, button, element } from "../dom.js";
import { followJobs } from "../follow.js";
import { details, hasEnded, newestFirst, shareDone, statusText, type Jobs } from "../jobs.js";
import { ago, count, fileSize } from "../text.js";
import type { Job, Session } from "../types.js";
import type { View } from "../view.js";
import { submission } from "./form.js";
import { drop, followUploads, retry, type Upload } from "./uploads.js";

/** The queue. */
export function openQueue(session: Session): View {
  const form = submission(session);
  const trouble = element("p", { class: "trouble", role: "status" });
  const uploads = element("ul", { class: "jobs", "aria-label": "Being sent" });
  const list = element("ul", { class: "jobs", "aria-label": "Recordings" });
  const empty = element(
    "p",
    { class: "muted empty", hidden: true },
    "There are no recordings yet.",
  );
  const more = element("p", { class: "note", hidden: true });
  const heading = element("h1", { tabindex: -1 }, "Recordings");
  const shown = element(
    "section",
    { "aria-label": "All recordings" },
    trouble,
    uploads,
    list,
    empty,
    more,
  );
  const rows = new Map<string, Row>();

  const endUploads = followUploads((all) => showUploads(uploads, all));
  const endJobs = followJobs(
    (jobs, total) => {
      showJobs(list, rows, jobs);
      empty.hidden = jobs.size > 0;
      more.hidden = total <= jobs.size;
      more.textContent = `${count(total - jobs.size, "older recording")} not listed.`;
    },
    (problem) => void (trouble.textContent = problem),
  );
  return {
    title: "Recordings",
    node: element("main", { id: "main" }, heading, form.node, shown),
    close: () => {
      form.close();
      endUploads();
      endJobs();
    },
  };
}

interface Row {
  node: HTMLElement;
  show: (job: Job) => void;
}

function showJobs(list: HTMLElement, rows: Map<string, Row>, jobs: Jobs): void {
  for (const [id, row] of rows) {
    if (jobs.has(id)) continue;
    row.node.remove();
    rows.delete(id);
  }
  newestFirst(jobs).forEach((job, place) => {
    const row = rows.get(job.id) ?? rowOf(job);
    rows.set(job.id, row);
    row.show(job);
    if (list.children[place] !== row.node)
      list.insertBefore(row.node, list.children[place] ?? null);
  });
}

/** A row that changes in place, so that the focus stays where it is. */
function rowOf(first: Job): Row {
  const { id, name } = first;
  const title = element("span", { class: "name" });
  const meta = element("span", { class: "meta muted" });
  const status = element("span", { class: "status" });
  const bar = element("progress", { "aria-label": `Progress of ${name}`, max: 1 });
  const problem = element("p", { class: "problem" });
  const cancel = button(
    "Cancel",
    () => attempt(() => send<void>("POST", address("jobs", id, "cancel"))),
    { "aria-label": `Cancel ${name}` },
  );
  const remove = button("Delete", () => attempt(async () => void (await deleteJob(id, name))), {
    "aria-label": `Delete ${name}`,
  });
  const node = element(
    "li",
    { class: "job" },
    element("div", { class: "what" }, title, meta),
    element("div", { class: "state" }, status, bar),
    element("div", { class: "buttons" }, cancel, remove),
    problem,
  );
  let shown: Job | null = null;
  const show = (job: Job): void => {
    if (shown && shown.status !== job.status) announce(`${job.name}: ${statusText(job)}`);
    if (shown?.status !== job.status) title.replaceChildren(titleOf(job));
    shown = job;
    node.dataset["status"] = job.status;
    meta.textContent = [
      fileSize(job.size),
      ago(job.created, Date.now() / 1000),
      ...details(job),
    ].join(" · ");
    status.textContent = statusText(job);
    const share = shareDone(job);
    bar.hidden = job.status !== "running";
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    problem.textContent = job.problem ?? "";
    cancel.hidden = hasEnded(job);
    cancel.disabled = job.is_cancelling;
    remove.hidden = !hasEnded(job);
  };
  return { node, show };
}

const titleOf = (job: Job): Node =>
  job.status === "done"
    ? element("a", { href: `#/jobs/${job.id}` }, job.name)
    : document.createTextNode(job.name);

/** Delete a job once the user has confirmed it. */
export async function deleteJob(id: string, name: string): Promise<boolean> {
  const text = `${name}, its result and all edits are deleted from the service. This cannot be undone.`;
  if (!(await asked("Delete this recording?", "Delete", element("p", {}, text)))) return false;
  await send("DELETE", address("jobs", id));
  announce(`${name} is deleted.`);
  return true;
}

function showUploads(list: HTMLElement, uploads: readonly Upload[]): void {
  const known = new Map(
    [...list.children].map((each) => [(each as HTMLElement).dataset["id"], each]),
  );
  for (const [id, node] of known)
    if (!uploads.some((each) => String(each.id) === id)) node.remove();
  for (const each of uploads) {
    const node = known.get(String(each.id)) ?? list.appendChild(uploadRow(each));
    node.toggleAttribute("data-failed", each.hasFailed);
    const status = node.querySelector(".status");
    if (status && status.textContent !== each.state) status.textContent = each.state;
    const bar = node.querySelector("progress");
    if (bar) {
      bar.hidden = each.share === null;
      bar.value = each.share ?? 0;
    }
    const again = node.querySelector<HTMLButtonElement>(".again");
    if (again) again.hidden = !each.hasFailed;
  }
}

function uploadRow({ id, file }: Upload): HTMLElement {
  const { name } = file;
  return element(
    "li",
    { class: "job", "data-id": id, "data-status": "sending" },
    element(
      "div",
      { class: "what" },
      element("span", { class: "name" }, name),
      element("span", { class: "meta muted" }, fileSize(file.size)),
    ),
    element(
      "div",
      { class: "state" },
      element("span", { class: "status" }),
      element("progress", { max: 1, "aria-label": `Upload of ${name}` }),
    ),
    element(
      "div",
      { class: "buttons" },
      button("Try again", () => retry(id), { class: "again", "aria-label": `Try ${name} again` }),
      button("Remove", () => drop(id), { "aria-label": `Remove ${name}` }),
    ),
  );
}
