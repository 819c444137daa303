/** Jobs as the page keeps them, and what it writes about one. Pure. */

import type { Job } from "./types.js";
import { capital, length, percent } from "./text.js";

export type Jobs = ReadonlyMap<string, Job>;

const STAGES: Readonly<Record<string, string>> = {
  segmentation: "Finding speech",
  embedding: "Comparing voices",
  recognition: "Recognizing words",
};

/** All jobs of a list. */
export const jobsOf = (list: readonly Job[]): Jobs => new Map(list.map((job) => [job.id, job]));

/** Jobs with one that is new or has changed. */
export const withJob = (jobs: Jobs, job: Job): Jobs => new Map([...jobs, [job.id, job]]);

/** Jobs without the one of an id. */
export const withoutJob = (jobs: Jobs, id: string): Jobs =>
  new Map([...jobs].filter(([other]) => other !== id));

/** Jobs, the newest first. */
export const newestFirst = (jobs: Jobs): Job[] =>
  [...jobs.values()].sort((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1));

/** Whether nothing more will be done. */
export const hasEnded = (job: Job): boolean =>
  job.status === "done" || job.status === "failed" || job.status === "cancelled";

/** How far the stage of a running job is, 0 to 1; null if that is unknown. */
export function shareDone(job: Job): number | null {
  const { done, total } = job.progress;
  return job.status === "running" && total > 0 ? Math.min(1, done / total) : null;
}

/** What happens to a job, in words. */
export function statusText(job: Job): string {
  if (job.is_cancelling) return "Cancelling";
  if (job.status === "queued") return job.position ? `Waiting, number ${job.position}` : "Waiting";
  if (job.status !== "running") return capital(job.status);
  const share = shareDone(job);
  const stage = STAGES[job.progress.stage] ?? (capital(job.progress.stage) || "Starting");
  return share === null ? stage : `${stage}, ${percent(share)}`;
}

/** Options and times of a job, in words. */
export function details(job: Job): string[] {
  const found: string[] = [];
  const { num_speakers: number, preset, transcribe, language } = job.options;
  if (typeof number === "number") found.push(`${number} speakers`);
  if (typeof preset === "string") found.push(preset);
  if (transcribe) found.push(language ? `words (${String(language)})` : "words");
  if (job.status === "done" && job.started !== null && job.finished !== null)
    found.push(`took ${length(job.finished - job.started)}`);
  return found;
}
