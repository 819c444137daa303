/** Files and options of new jobs. */

import { button, element, field, select } from "../dom.js";
import type { Session } from "../types.js";
import { recorder } from "./recorder.js";
import { submit, type Options } from "./uploads.js";

const PRESETS = { balanced: "Balanced", accurate: "Accurate, slower", fast: "Fast" };

interface Fields {
  speakers: HTMLInputElement;
  preset: HTMLSelectElement;
  transcribe: HTMLInputElement;
  language: HTMLInputElement;
}

/** Where recordings are dropped, chosen or recorded. */
export function submission(session: Session): { node: HTMLElement; close: () => void } {
  const fields = fieldsOf();
  const give = (files: Iterable<File>): void => submit(files, optionsOf(fields));
  const chooser = element("input", {
    type: "file",
    multiple: true,
    id: "files",
    class: "unseen",
    tabindex: -1,
    "aria-label": "Recordings",
    accept: "audio/*,video/*,.flac,.opus,.mka,.mkv,.sph",
    onchange: () => {
      give(chooser.files ?? []);
      chooser.value = "";
    },
  });
  const recording = recorder((file) => give([file]));
  const choose = button("Choose recordings", () => chooser.click(), { class: "primary" });
  const hint = element("span", { class: "muted hint" }, "or drop files anywhere on this page");
  const options = element(
    "div",
    { class: "options" },
    field("Speakers", fields.speakers),
    field("Preset", fields.preset),
    session.recognizer &&
      element("label", { class: "check" }, fields.transcribe, "Recognize words"),
    session.recognizer && field("Language", fields.language),
  );
  const node = element(
    "section",
    { class: "submission", "aria-label": "New recordings" },
    element("div", { class: "give" }, choose, recording.node, hint, chooser),
    options,
  );
  const endDrops = acceptDrops(give);
  return {
    node,
    close: () => {
      endDrops();
      recording.close();
    },
  };
}

function fieldsOf(): Fields {
  const language = element("input", {
    placeholder: "found by itself",
    size: 14,
    maxlength: 20,
    disabled: true,
    autocomplete: "off",
    spellcheck: "false",
  });
  const transcribe = element("input", {
    type: "checkbox",
    onchange: () => void (language.disabled = !transcribe.checked),
  });
  const speakers = element("input", {
    type: "number",
    min: 1,
    max: 99,
    placeholder: "found by itself",
    inputmode: "numeric",
  });
  return { speakers, preset: select(PRESETS, "balanced"), transcribe, language };
}

function optionsOf(fields: Fields): Options {
  const found: Record<string, string> = { preset: fields.preset.value };
  if (fields.speakers.value) found["num_speakers"] = fields.speakers.value;
  if (fields.transcribe.checked) {
    found["transcribe"] = "true";
    if (fields.language.value.trim()) found["language"] = fields.language.value.trim();
  }
  return found;
}

function acceptDrops(give: (files: Iterable<File>) => void): () => void {
  const control = new AbortController();
  const { signal } = control;
  const mark = (isOver: boolean): void => void document.body.classList.toggle("dropping", isOver);
  const holdsFiles = (event: DragEvent): boolean =>
    event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener(
    "dragover",
    (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      mark(true);
    },
    { signal },
  );
  document.addEventListener(
    "dragleave",
    (event) => {
      if (!event.relatedTarget) mark(false);
    },
    { signal },
  );
  document.addEventListener(
    "drop",
    (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      mark(false);
      give(event.dataTransfer?.files ?? []);
    },
    { signal },
  );
  return () => {
    control.abort();
    mark(false);
  };
}
