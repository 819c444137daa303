/** The sound of a recording, and its position. */

import { tell } from "../dom.js";

export interface Player {
  audio: HTMLAudioElement;
  time: () => number;
  isPlaying: () => boolean;
  go: (time: number) => void;
  playFrom: (time: number) => void;
  playSpan: (start: number, end: number) => void;
  toggle: () => void;
  close: () => void;
}

const EARLY_S = 0.03; // a frame is drawn about this often

/** Plays an address; `onMove` is called at each frame while it plays, and after each jump. */
export function playerOf(
  address: string,
  other: string,
  duration: () => number,
  onMove: (time: number, isPlaying: boolean) => void,
): Player {
  const audio = new Audio();
  audio.preload = "metadata";
  audio.src = address;
  let resting: number | null = null; // wanted position while the sound cannot tell its own
  let stop: number | null = null;
  let frame = 0;

  const time = (): number => resting ?? audio.currentTime;
  const show = (): void => onMove(time(), !audio.paused);

  function animate(): void {
    cancelAnimationFrame(frame);
    if (stop !== null && audio.currentTime >= stop - EARLY_S) {
      audio.pause();
      stop = null;
    }
    show();
    if (!audio.paused) frame = requestAnimationFrame(animate);
  }

  function go(to: number): void {
    const at = Math.max(0, Math.min(duration(), to));
    stop = null;
    if (audio.readyState >= HTMLMediaElement.HAVE_METADATA) audio.currentTime = at;
    else resting = at;
    show();
  }

  function play(): void {
    audio.play().catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === "AbortError"))
        tell("The browser cannot play the recording.", true);
    });
  }

  function playFrom(from: number): void {
    go(from);
    play();
  }

  audio.addEventListener("loadedmetadata", () => {
    if (resting !== null) audio.currentTime = resting;
    resting = null;
  });
  audio.addEventListener("error", () => {
    if (!audio.src.endsWith(other)) audio.src = other;
  });
  for (const kind of ["play", "pause", "ended", "seeked"]) audio.addEventListener(kind, animate);
  return {
    audio,
    time,
    isPlaying: () => !audio.paused,
    go,
    playFrom,
    playSpan: (start, end) => {
      playFrom(start);
      stop = end;
    },
    toggle: () => {
      stop = null;
      if (audio.paused) play();
      else audio.pause();
    },
    close: () => {
      cancelAnimationFrame(frame);
      audio.pause();
      audio.removeAttribute("src");
      audio.load();
    },
  };
}
