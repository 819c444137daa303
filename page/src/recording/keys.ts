/** Keys that are pressed, and the dialog that lists them. */

import { asked, element } from "../dom.js";
import { KEYS, commandOf, type Command } from "./keymap.js";

/** Have keys do something, except where they belong to a field or a button. */
export function onCommands(act: (command: Command) => boolean, signal: AbortSignal): void {
  document.addEventListener(
    "keydown",
    (event) => {
      const target = event.target instanceof Element ? event.target : document.body;
      if (target.closest("dialog, input:not([type=range]), select, textarea") || event.isComposing)
        return;
      const isCharacter = event.getModifierState("AltGraph");
      const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
      const command = commandOf({ key, ctrlKey, metaKey, altKey, shiftKey, isCharacter });
      const isPress = command === "toggle" || command === "play-selection";
      if (!command || (isPress && target.closest("button, a, summary"))) return;
      if (target.matches("input[type=range]") && key.startsWith("Arrow")) return;
      if (act(command)) event.preventDefault();
    },
    { signal },
  );
}

/** Show the keys. */
export async function showKeys(): Promise<void> {
  const rows = KEYS.map(([keys, text]) =>
    element("div", {}, element("dt", {}, element("kbd", {}, keys)), element("dd", {}, text)),
  );
  await asked("Keys", "", element("dl", { class: "keys" }, ...rows));
}
