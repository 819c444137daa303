import assert from "node:assert/strict";
import { test } from "node:test";

import { commandOf, type Pressed } from "../src/recording/keymap.js";

const pressed = (key: string, more: Partial<Pressed> = {}): Pressed => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  isCharacter: false,
  ...more,
});

test("undo and redo are where editors have them", () => {
  assert.equal(commandOf(pressed("z", { ctrlKey: true })), "undo");
  assert.equal(commandOf(pressed("Z", { metaKey: true, shiftKey: true })), "redo");
  assert.equal(commandOf(pressed("y", { ctrlKey: true })), "redo");
});

test("keys of the browser are left alone", () => {
  for (const key of ["s", "p", "1", "ArrowLeft", "+"])
    assert.equal(commandOf(pressed(key, { ctrlKey: true })), null);
  assert.equal(commandOf(pressed("ArrowLeft", { altKey: true })), null);
});

test("brackets that AltGr makes count", () => {
  const altGr = { ctrlKey: true, altKey: true, isCharacter: true };
  assert.equal(commandOf(pressed("[", altGr)), "start-earlier");
});

test("digits assign, and letters work with caps lock", () => {
  assert.equal(commandOf(pressed("9")), "assign-9");
  assert.equal(commandOf(pressed("0")), "silence");
  assert.equal(commandOf(pressed("S")), "split");
  assert.equal(commandOf(pressed("ArrowRight", { shiftKey: true })), "turn-after");
});
