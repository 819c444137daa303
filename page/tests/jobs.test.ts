import assert from "node:assert/strict";
import { test } from "node:test";

import { refusalOf } from "../src/api.js";
import {
  details,
  jobsOf,
  newestFirst,
  shareDone,
  statusText,
  withJob,
  withoutJob,
} from "../src/jobs.js";
import type { Job } from "../src/types.js";

const job = (id: string, more: Partial<Job> = {}): Job => ({
  id,
  status: "queued",
  name: `${id}.wav`,
  size: 1,
  created: 0,
  started: null,
  finished: null,
  progress: { stage: "", done: 0, total: 0 },
  options: {},
  problem: null,
  is_cancelling: false,
  position: null,
  ...more,
});

test("changes leave the other jobs and the old list as they are", () => {
  const old = jobsOf([job("a", { created: 1 }), job("b", { created: 2 })]);
  const next = withoutJob(withJob(old, job("c", { created: 3 })), "a");
  assert.deepEqual(
    newestFirst(next).map(({ id }) => id),
    ["c", "b"],
  );
  assert.equal(old.size, 2);
});

test("progress is told where it is known", () => {
  const progress = { stage: "embedding", done: 3, total: 4 };
  const running = job("a", { status: "running", progress });
  assert.equal(statusText(running), "Comparing voices, 75 %");
  assert.equal(shareDone({ ...running, status: "done" }), null);
  assert.equal(statusText(job("a", { status: "running" })), "Starting");
  assert.equal(statusText(job("a", { position: 2 })), "Waiting, number 2");
  assert.equal(statusText({ ...running, is_cancelling: true }), "Cancelling");
});

test("only unusual options are named", () => {
  assert.deepEqual(details(job("a")), []);
  const options = { num_speakers: 3, transcribe: true, language: "de" };
  assert.deepEqual(details(job("a", { options })), ["3 speakers", "words (de)"]);
});

test("a refusal has a message, whatever the body is", () => {
  const body = JSON.stringify({ error: { message: "the queue is full", code: "queue_full" } });
  const full = refusalOf(429, body, "7");
  assert.deepEqual(
    [full.message, full.code, full.retryAfter],
    ["the queue is full", "queue_full", 7],
  );
  const broken = refusalOf(502, "<html>Bad gateway</html>", null);
  assert.match(broken.message, /502/);
  assert.ok(broken.retryAfter > 0);
});
