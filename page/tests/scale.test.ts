import assert from "node:assert/strict";
import { test } from "node:test";

import { pixelOf, ticks, timeAt, zoomShare, zoomed } from "../src/recording/scale.js";

const SCALE = { start: 100, pixelsPerSecond: 20, width: 800 };

test("pixels and times are each other's inverse", () => {
  assert.equal(timeAt(SCALE, pixelOf(SCALE, 123.4)), 123.4);
});

test("labels of the axis do not touch, at any zoom", () => {
  for (let pixelsPerSecond = 0.01; pixelsPerSecond < 1000; pixelsPerSecond *= 1.7) {
    const { times } = ticks({ start: 0, pixelsPerSecond, width: 800 }, 36_000);
    assert.ok(times.length <= 13);
    for (const [n, time] of times.slice(1).entries())
      assert.ok((time - (times[n] ?? 0)) * pixelsPerSecond >= 72 - 1e-9);
  }
});

test("no label is after the end of the recording", () => {
  assert.ok(ticks(SCALE, 110).times.every((time) => time <= 110));
});

test("the slider and the zoom agree", () => {
  for (const share of [0, 0.3, 1])
    assert.ok(Math.abs(zoomShare(zoomed(share, 2, 200), 2, 200) - share) < 1e-9);
  assert.equal(zoomShare(500, 500, 200), 0); // a short recording needs no zoom
});
