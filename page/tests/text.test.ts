import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, clock, count, fileSize, fineClock, length } from "../src/text.js";

test("times are written as people write them", () => {
  assert.deepEqual([0, 59.99, 60, 3723.5].map(clock), ["0:00", "0:59", "1:00", "1:02:03"]);
  assert.equal(clock(-3), "0:00");
});

test("tenths are rounded into the next second", () => {
  assert.deepEqual([1.04, 59.96, 3599.97].map(fineClock), ["0:01.0", "1:00.0", "1:00:00.0"]);
});

test("lengths never show 60 s or 60 min", () => {
  const lengths = [0.04, 9.94, 9.96, 59.6, 3599.6, 7199].map(length);
  assert.deepEqual(lengths, ["0.0 s", "9.9 s", "10 s", "1 min 0 s", "1 h 0 min", "2 h 0 min"]);
});

test("sizes have at most three digits", () => {
  assert.deepEqual([999, 999_600, 5_240_000, 1e15].map(fileSize), [
    "999 B",
    "1.0 MB",
    "5.2 MB",
    "1000 TB",
  ]);
});

test("what is in the future happens now", () => {
  assert.equal(ago(200, 100), "just now");
  assert.equal(ago(0, 3600), "1 hour ago");
  assert.equal(count(2, "turn"), "2 turns");
});
