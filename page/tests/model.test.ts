import assert from "node:assert/strict";
import { test } from "node:test";

import * as model from "../src/recording/model.js";
import type { ReviewSegment, Turn } from "../src/types.js";

const turn = (start: number, end: number, speaker: string): Turn => ({ start, end, speaker });
const TURNS = [turn(0, 10, "A"), turn(2, 3, "B"), turn(4, 5, "A"), turn(12, 14, "B")];

test("a long turn goes on under shorter ones", () => {
  const latest = model.latestEnds(TURNS);
  assert.deepEqual(model.goingOn(TURNS, latest, 4.5), [0, 2]);
  assert.deepEqual(model.goingOn(TURNS, latest, 11), []);
  assert.deepEqual(model.goingOn(TURNS, latest, 3), [0]); // the end is not part of a turn
});

test("steps go from the selected turn, or from the time", () => {
  const [first, second] = TURNS.map(model.selectionOf);
  assert.ok(first && second);
  assert.equal(model.neighbor(TURNS, first, 1), TURNS[1]);
  assert.equal(model.neighbor(TURNS, first, -1), null);
  assert.equal(model.neighbor(TURNS, 11, 1), TURNS[3]);
  assert.equal(model.neighbor(TURNS, 11, -1), TURNS[2]);
  assert.equal(model.neighbor([], 1, 1), null);
});

test("the selection survives an edit of its turn", () => {
  const old = model.selectionOf(turn(2, 3, "B"));
  const assigned = [turn(0, 10, "A"), turn(2, 3, "C"), turn(12, 14, "B")];
  assert.deepEqual(model.reselected(assigned, old), model.selectionOf(turn(0, 10, "A")));
  assert.deepEqual(
    model.reselected([turn(2.1, 3.2, "B")], old),
    model.selectionOf(turn(2.1, 3.2, "B")),
  );
  assert.equal(model.reselected([], old), null);
});

test("a speaker keeps the color when renamed and when others come and go", () => {
  const before = model.colorsOf(["A", "B", "C"]);
  assert.deepEqual([...before.values()], [0, 1, 2]);
  const renamed = model.colorsOf(["A", "Anna", "C"], before);
  assert.equal(renamed.get("Anna"), 1);
  const merged = model.colorsOf(["A", "C"], before);
  assert.deepEqual(
    [...merged],
    [
      ["A", 0],
      ["C", 2],
    ],
  );
  assert.equal(model.colorsOf(["D", "A", "C"], merged).get("D"), 1);
});

test("lanes and digits stay whose they are", () => {
  assert.deepEqual(model.inOrder(["C", "B", "A"], ["A", "B"]), ["A", "B", "C"]);
  assert.deepEqual(model.inOrder(["B", "Anna"], ["A", "B"]), ["Anna", "B"]);
  assert.deepEqual(model.inOrder(["B"], ["A", "B"]), ["B"]);
});

test("more speakers than colors share them evenly", () => {
  const names = Array.from({ length: 15 }, (_, n) => `S${n}`);
  const counts = Array.from({ length: model.COLORS }, () => 0);
  for (const color of model.colorsOf(names).values()) counts[color] = (counts[color] ?? 0) + 1;
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
});

test("an edge neither passes the other nor leaves the recording", () => {
  const span = { start: 1, end: 2 };
  assert.deepEqual(model.moved(span, "start", -1, 10), { start: 0, end: 2 });
  assert.deepEqual(model.moved(span, "start", 5, 10), { start: 1.95, end: 2 });
  assert.deepEqual(model.moved(span, "end", 99, 10), { start: 1, end: 10 });
  assert.deepEqual(model.moved(span, "end", 0, 10), { start: 1, end: 1.05 });
});

test("marks make a stretch with the other edge where that is possible", () => {
  const old = { start: 4, end: 6 };
  assert.deepEqual(model.marked(old, "start", 5, 10), { start: 5, end: 6 });
  assert.deepEqual(model.marked(old, "end", 3, 10), { start: 2, end: 3 });
  assert.deepEqual(model.marked(null, "start", 9.5, 10), { start: 9.5, end: 10 });
});

test("answered segments are not asked again", () => {
  const segment = (start: number, end: number): ReviewSegment => ({
    ...turn(start, end, "A"),
    alternatives: [],
    confidence: 0.5,
    expected_error: 1,
  });
  const all = [segment(0, 2), segment(10, 12), segment(20, 22), segment(30, 32)];
  const left = model.unchecked(all, [
    { is: "A", at: [0, 2] },
    { nobody: [9, 11.9] },
    { is: "A", at: [21, 25] },
    {
      different: [
        [30, 31],
        [31, 32],
      ],
    },
  ]);
  assert.deepEqual(
    left.map(({ start }) => start),
    [20, 30],
  );
});
