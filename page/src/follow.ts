/** Changes of jobs, as the service sends them. */

import { Refusal, get, noteRefusal } from "./api.js";
import { jobsOf, withJob, withoutJob, type Jobs } from "./jobs.js";
import type { Job } from "./types.js";

const LIMIT = 500;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

interface Listing {
  jobs: Job[];
  total: number;
}

/**
 * Keep a list of jobs current until the returned function is called.
 *
 * The list is loaded again at each connection, so nothing that happened without one is missed.
 */
export function followJobs(
  onJobs: (jobs: Jobs, total: number) => void,
  onConnection: (problem: string) => void,
): () => void {
  let jobs: Jobs = new Map();
  let hidden = 0;
  let source: EventSource | null = null;
  let timer = 0;
  let wait = FIRST_WAIT_MS;
  let isOver = false;

  const show = (next: Jobs): void => onJobs((jobs = next), jobs.size + hidden);
  const read = <T>(event: Event): T => JSON.parse((event as MessageEvent<string>).data) as T;

  async function load(): Promise<void> {
    const list = await get<Listing>(`v1/jobs?limit=${LIMIT}`);
    hidden = Math.max(0, list.total - list.jobs.length);
    if (!isOver) show(jobsOf(list.jobs));
    onConnection("");
  }

  function connect(): void {
    const opened = new EventSource("v1/events");
    source = opened;
    opened.addEventListener("open", () => {
      wait = FIRST_WAIT_MS;
      load().catch(again);
    });
    opened.addEventListener("job", (event) => show(withJob(jobs, read<Job>(event))));
    opened.addEventListener("removed", (event) =>
      show(withoutJob(jobs, read<{ id: string }>(event).id)),
    );
    opened.addEventListener("error", () => again());
  }

  function again(error?: unknown): void {
    source?.close();
    if (isOver) return;
    if (error instanceof Refusal && error.status === 401) return void noteRefusal(error);
    onConnection("The connection to the service broke. Trying again.");
    clearTimeout(timer);
    timer = window.setTimeout(connect, wait);
    wait = Math.min(LONGEST_WAIT_MS, wait * 2);
  }

  load().then(connect, again);
  return () => {
    isOver = true;
    clearTimeout(timer);
    source?.close();
  };
}
