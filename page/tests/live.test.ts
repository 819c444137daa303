import assert from "node:assert/strict";
import { test } from "node:test";

import { Resampler, toIntegers } from "../src/live/resample.js";
import { NOTHING, after, joined, rowsOf } from "../src/live/transcript.js";

const sine = (hertz: number, rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: rate * seconds }, (_, n) =>
    Math.sin((2 * Math.PI * hertz * n) / rate),
  );

function resampled(sound: Float32Array, rate: number, block: number): Float32Array {
  const resampler = new Resampler(rate, 16_000);
  const parts: number[] = [];
  for (let n = 0; n < sound.length; n += block)
    parts.push(...resampler.next(sound.subarray(n, n + block)));
  return Float32Array.from(parts);
}

for (const rate of [8000, 22_050, 44_100, 48_000, 96_000])
  test(`a tone at ${rate} Hz is the same tone at 16000 Hz`, () => {
    const made = resampled(sine(1000, rate, 1), rate, 128);
    const wanted = sine(1000, 16_000, 1);
    assert.ok(made.length > 15_900 && made.length <= 16_000);
    for (let n = 400; n < made.length - 400; n++)
      assert.ok(Math.abs((made[n] ?? 0) - (wanted[n] ?? 0)) < 2e-3, `sample ${n}`);
  });

test("blocks of any length give the same samples", () => {
  const sound = sine(440, 44_100, 0.5);
  assert.deepEqual(resampled(sound, 44_100, 128), resampled(sound, 44_100, 4999));
});

test("what 16000 Hz cannot hold is taken away, not folded down", () => {
  const made = resampled(sine(12_000, 48_000, 0.5), 48_000, 128).slice(200, -200);
  assert.ok(Math.max(...made.map(Math.abs)) < 2e-3);
});

test("samples that are too loud are cut off", () => {
  assert.deepEqual(
    [...toIntegers(Float32Array.of(-2, -1, 0, 1, 2))],
    [-32_767, -32_767, 0, 32_767, 32_767],
  );
});

const turn = (start: number, end: number, speaker: string) => ({ start, end, speaker });

test("a final turn that goes on is one turn", () => {
  const turns = joined(joined([turn(0, 2, "A")], [turn(1, 2, "B")]), [
    turn(2, 4, "A"),
    turn(9, 10, "A"),
  ]);
  assert.deepEqual(turns, [turn(0, 4, "A"), turn(1, 2, "B"), turn(9, 10, "A")]);
});

test("words stand with the turn in which they are spoken", () => {
  const update = {
    type: "update" as const,
    time: 5,
    final: [turn(0, 2, "A"), turn(2, 4, "B")],
    tentative: [turn(4, 5, "A")],
  };
  const segment = { ...turn(2.1, 3.9, "B"), text: "good morning" };
  const live = after(after(NOTHING, update), { type: "segments", segments: [segment] });
  assert.deepEqual(
    rowsOf(live).map(({ speaker, text, isTentative }) => [speaker, text, isTentative]),
    [
      ["A", "", false],
      ["B", "good morning", false],
      ["A", "", true],
    ],
  );
  assert.equal(rowsOf(after(live, { type: "end", duration: 5 })).length, 2);
});

test("tentative turns are those of the last update alone", () => {
  const update = (tentative: ReturnType<typeof turn>[]) => ({
    type: "update" as const,
    time: 1,
    final: [],
    tentative,
  });
  const live = after(after(NOTHING, update([turn(0, 1, "A")])), update([turn(0, 1, "B")]));
  assert.deepEqual(
    rowsOf(live).map(({ speaker }) => speaker),
    ["B"],
  );
});
