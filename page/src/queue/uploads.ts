/** Files on their way to the service, one after the other. They outlast the view. */

import { Refusal, upload } from "../api.js";
import { textOf } from "../dom.js";
import { count, percent } from "../text.js";
import type { Job } from "../types.js";

const RETRIED = new Set([429, 503]);
const SECOND_MS = 1000;

export type Options = Readonly<Record<string, string>>;

export interface Upload {
  id: number;
  file: File;
  options: Options;
  state: string;
  share: number | null;
  hasFailed: boolean;
  control: AbortController;
}

let last = 0;
let waiting: readonly Upload[] = [];
let isSending = false;
const listeners = new Set<(uploads: readonly Upload[]) => void>();

/** Follow the uploads until the returned function is called. */
export function followUploads(listener: (uploads: readonly Upload[]) => void): () => void {
  listeners.add(listener);
  listener(waiting);
  return () => void listeners.delete(listener);
}

/** Send files, each as a job with these options. */
export function submit(files: Iterable<File>, options: Options): void {
  const added = [...files].map((file) => ({
    id: ++last,
    file,
    options,
    state: "Waiting to be sent",
    share: null,
    hasFailed: false,
    control: new AbortController(),
  }));
  change([...waiting, ...added]);
  void sendAll();
}

/** End an upload, or take a failed one off the list. */
export function drop(id: number): void {
  waiting.find((each) => each.id === id)?.control.abort();
  change(waiting.filter((each) => each.id !== id));
}

/** Send a failed upload once more. */
export function retry(id: number): void {
  update(id, { hasFailed: false, state: "Waiting to be sent", share: null });
  void sendAll();
}

function change(next: readonly Upload[]): void {
  waiting = next;
  window.onbeforeunload = next.some((each) => !each.hasFailed)
    ? (event) => event.preventDefault()
    : null;
  for (const listener of listeners) listener(next);
}

function update(id: number, values: Partial<Upload>): void {
  change(waiting.map((each) => (each.id === id ? { ...each, ...values } : each)));
}

async function sendAll(): Promise<void> {
  if (isSending) return;
  isSending = true;
  for (let next = first(); next; next = first()) await sendOne(next);
  isSending = false;
}

const first = (): Upload | undefined => waiting.find((each) => !each.hasFailed);

async function sendOne({ id, file, options, control }: Upload): Promise<void> {
  try {
    await sendFile(id, file, options, control.signal);
    drop(id);
  } catch (error) {
    if (control.signal.aborted) return;
    if (error instanceof Refusal && RETRIED.has(error.status))
      return await pause(id, error.retryAfter, control.signal);
    update(id, { hasFailed: true, state: textOf(error), share: null });
  }
}

function sendFile(id: number, file: File, options: Options, signal: AbortSignal): Promise<Job> {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  form.append("file", file, file.name);
  update(id, { state: "Sending", share: 0 });
  const onProgress = (share: number): void =>
    update(id, { state: share < 1 ? `Sending, ${percent(share)}` : "Sent, being accepted", share });
  return upload<Job>("v1/jobs", form, onProgress, signal);
}

/** Wait, and show how long it still takes; ends early if the upload is dropped. */
async function pause(id: number, seconds: number, signal: AbortSignal): Promise<void> {
  for (let left = Math.ceil(seconds); left > 0 && !signal.aborted; left--) {
    update(id, {
      state: `The service has no room now. Trying again in ${count(left, "second")}.`,
      share: null,
    });
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
  }
}
