/** The sound of a recording, and its position. */

import { tell } from "../dom.js";

const EARLY_S = 0.03; // a frame is drawn about this often

/** Plays an address, or another one if the browser cannot play the first. */
export class Player {
  readonly audio = new Audio();
  private resting: number | null = null; // wanted position while the sound cannot tell its own
  private stop: number | null = null;
  private frame = 0;

  /** `onMove` is called at each frame while the sound plays, and after each jump. */
  constructor(
    address: string,
    other: string,
    private readonly duration: number,
    private readonly onMove: (time: number, isPlaying: boolean) => void,
  ) {
    const { audio } = this;
    audio.preload = "metadata";
    audio.src = address;
    audio.addEventListener("loadedmetadata", () => {
      if (this.resting !== null) audio.currentTime = this.resting;
      this.resting = null;
    });
    audio.addEventListener("error", () => {
      if (audio.src && !audio.src.endsWith(other)) audio.src = other;
    });
    for (const kind of ["play", "pause", "ended", "seeked"])
      audio.addEventListener(kind, () => this.animate());
  }

  get time(): number {
    return this.resting ?? this.audio.currentTime;
  }

  get isPlaying(): boolean {
    return !this.audio.paused;
  }

  go(time: number): void {
    const at = Math.max(0, Math.min(this.duration, time));
    this.stop = null;
    if (this.audio.readyState >= HTMLMediaElement.HAVE_METADATA) this.audio.currentTime = at;
    else this.resting = at;
    this.onMove(this.time, this.isPlaying);
  }

  playFrom(time: number): void {
    this.go(time);
    this.play();
  }

  playSpan(start: number, end: number): void {
    this.playFrom(start);
    this.stop = end;
  }

  toggle(): void {
    this.stop = null;
    if (this.isPlaying) this.audio.pause();
    else this.play();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
  }

  private play(): void {
    this.audio.play().catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === "AbortError"))
        tell("The browser cannot play the recording.", true);
    });
  }

  private animate(): void {
    cancelAnimationFrame(this.frame);
    if (this.stop !== null && this.audio.currentTime >= this.stop - EARLY_S) {
      this.audio.pause();
      this.stop = null;
    }
    this.onMove(this.time, this.isPlaying);
    if (this.isPlaying) this.frame = requestAnimationFrame(() => this.animate());
  }
}
