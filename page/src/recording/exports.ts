/** Files of the result, in every format of the service. */

import { address, get } from "../api.js";
import { element } from "../dom.js";
import type { Format, Job } from "../types.js";

const NAMES: Readonly<Record<string, string>> = {
  json: "JSON, everything",
  rttm: "RTTM",
  srt: "SubRip subtitles",
  vtt: "WebVTT subtitles",
  txt: "Text",
  csv: "CSV table",
  tsv: "TSV table",
  textgrid: "Praat TextGrid",
  eaf: "ELAN",
  audacity: "Audacity labels",
  lab: "Labels (lab)",
  kaldi: "Kaldi folder",
  lhotse: "lhotse supervisions",
  seglst: "SegLST",
  labelstudio: "Label Studio",
  md: "Markdown",
  docx: "Word document",
  whisperx: "whisperX JSON",
  diarized_json: "OpenAI diarized JSON",
  jsonl: "JSON lines",
};

/** A menu of downloads. */
export function exportsOf(job: Job, signal: AbortSignal): HTMLElement {
  const list = element("ul", {});
  const menu = element(
    "details",
    { class: "menu" },
    element("summary", { class: "button" }, "Export"),
    element("div", { class: "sheet" }, list),
  );
  const link = ({ name, suffix }: Format): HTMLElement => {
    const href = `${address("jobs", job.id, "result")}?format=${encodeURIComponent(name)}`;
    const text = NAMES[name] ?? name;
    return element(
      "li",
      {},
      element(
        "a",
        { href, download: "" },
        text,
        " ",
        element("span", { class: "muted" }, `.${suffix}`),
      ),
    );
  };
  get<{ formats: Format[] }>("v1/formats").then(
    ({ formats }) => list.replaceChildren(...formats.map(link)),
    () => list.replaceChildren(element("li", {}, "The formats cannot be loaded.")),
  );
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
  const closeOutside = ({ target }: Event): void => {
    if (target instanceof Node && !menu.contains(target)) menu.open = false;
  };
  document.addEventListener("pointerdown", closeOutside, { signal });
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !menu.contains(relatedTarget)) menu.open = false;
  });
  return menu;
}
