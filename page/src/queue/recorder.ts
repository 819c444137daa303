/** Record the microphone into a file. */

import { button, element, icon, tell, textOf } from "../dom.js";
import { clock } from "../text.js";

const KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const TICK_MS = 250;

/** Why there is no microphone, in words. */
export function microphoneProblem(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError")
    return "The browser refused the microphone. Allow it for this page in the address bar, and try again.";
  if (name === "NotFoundError") return "No microphone is connected.";
  if (name === "NotReadableError") return "Another program uses the microphone.";
  if (!navigator.mediaDevices)
    return "The browser offers no microphone to this page. Open it as localhost or by https.";
  return `The microphone cannot be used: ${textOf(error)}`;
}

/** A name such as recording-2026-05-01-1430.webm. */
export function recordingName(at: Date, kind: string): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  const suffix = kind.includes("mp4") ? "m4a" : kind.includes("ogg") ? "ogg" : "webm";
  return `recording-${day}-${two(at.getHours())}${two(at.getMinutes())}.${suffix}`;
}

/** A control that records, and what ends it. */
export function recorder(onFile: (file: File) => void): { node: HTMLElement; close: () => void } {
  const node = element("div", { class: "recorder" });
  let close = (): void => {};

  async function begin(): Promise<void> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      close = recordFrom(stream, node, (file) => {
        rest();
        if (file) onFile(file);
      });
    } catch (error) {
      tell(microphoneProblem(error), true);
    }
  }

  function rest(): void {
    close = () => {};
    const start = button(icon("microphone"), () => void begin());
    start.append("Record");
    const hadFocus = node.contains(document.activeElement);
    node.replaceChildren(start);
    if (hadFocus) start.focus();
  }

  rest();
  return { node, close: () => close() };
}

function recordFrom(
  stream: MediaStream,
  node: HTMLElement,
  onEnd: (file: File | null) => void,
): () => void {
  const kind = KINDS.find((each) => MediaRecorder.isTypeSupported(each)) ?? "";
  const recording = new MediaRecorder(stream, kind ? { mimeType: kind } : {});
  const chunks: Blob[] = [];
  const began = new Date();
  const time = element("span", { class: "clock", role: "timer" }, "0:00");
  let isKept = true;

  const timer = setInterval(() => {
    time.textContent = clock((Date.now() - began.getTime()) / 1000);
  }, TICK_MS);
  recording.addEventListener("dataavailable", ({ data }) => chunks.push(data));
  recording.addEventListener("stop", () => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    const type = recording.mimeType;
    onEnd(isKept ? new File(chunks, recordingName(began, type), { type }) : null);
  });
  const stop = button(icon("stop"), () => recording.stop(), { class: "primary" });
  stop.append("Stop and submit");
  const discard = (): void => {
    isKept = false;
    if (recording.state !== "inactive") recording.stop();
  };
  node.replaceChildren(
    element("span", { class: "on-air" }, "Recording"),
    time,
    stop,
    button("Discard", discard),
  );
  stop.focus();
  recording.start(1000);
  return discard;
}
