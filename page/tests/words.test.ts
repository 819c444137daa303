import assert from "node:assert/strict";
import { test } from "node:test";

import { placed, rowFor, wordFrom } from "../src/recording/words.js";

const words = (...all: string[]): { word: string }[] => all.map((word) => ({ word }));
const written = (text: string, ...all: string[]): string =>
  placed(text, words(...all))
    .map((part) => (part.isWord ? `[${part.text}]` : part.text))
    .join("");

test("the text between words is kept", () => {
  assert.equal(
    written("Well, yes – I do.", "Well,", "yes", "I", "do."),
    "[Well,] [yes] – [I] [do.]",
  );
  assert.equal(written("你好吗", "你好", "吗"), "[你好][吗]");
});

test("the same word twice is found twice", () => {
  assert.equal(written("no no", "no", "no"), "[no] [no]");
});

test("a word that the text lacks is shown all the same", () => {
  assert.equal(written("two words", "two", "other", "words"), "[two] [other] [words]");
});

test("the row of a selection is the one that has most of it", () => {
  const rows = [
    { start: 0, end: 5, speaker: "A" },
    { start: 4, end: 9, speaker: "A" },
    { start: 4, end: 9, speaker: "B" },
  ];
  assert.equal(rowFor(rows, { start: 4.5, end: 8, speaker: "A", isTurn: false }), 1);
  assert.equal(rowFor(rows, { start: 4.5, end: 8, speaker: "C", isTurn: false }), -1);
});

test("words are passed in order of time, also where segments overlap", () => {
  const segment = (...starts: number[]) => ({
    start: 0,
    end: 9,
    speaker: "A",
    text: "",
    words: starts.map((start) => ({ start, end: start + 0.5, word: "x" })),
  });
  const rows = [segment(1, 3), segment(2)];
  assert.equal(wordFrom(rows, 1, 1), 2);
  assert.equal(wordFrom(rows, 3, -1), 2);
  assert.equal(wordFrom(rows, 3, 1), null);
});
