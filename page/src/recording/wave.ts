/** The waveform: wavesurfer.js with a style sheet of its own. */

import WaveSurfer from "wavesurfer.js/dist/wavesurfer.js";

import { colorOf } from "../theme.js";
import type { Peaks } from "../types.js";
import type { Scale } from "./scale.js";

const HEIGHT = 88;
const NARROW_HEIGHT = 64;
const NARROW_PX = 640;

/**
 * The rules that wavesurfer.js 8 has in a <style> of its shadow tree, which the build leaves out
 * because the page's policy forbids inline styles.
 */
const RULES = `
:host { user-select: none; min-width: 1px; }
.scroll { overflow-x: auto; overflow-y: hidden; width: 100%; position: relative; scrollbar-width: thin; }
.wrapper { position: relative; overflow: visible; z-index: 2; }
.canvases { min-height: var(--wave-height); pointer-events: none; }
.canvases > div, .progress > div { position: relative; }
canvas { display: block; position: absolute; top: 0; image-rendering: pixelated; }
.progress { pointer-events: none; position: absolute; z-index: 2; top: 0; left: 0; width: 0;
  height: 100%; overflow: hidden; }
.cursor { pointer-events: none; position: absolute; z-index: 5; top: 0; left: 0; height: 100%;
  border-radius: 2px; }
`;

/** The outline of a recording; its progress is that of an audio element. */
export class Wave {
  private readonly surfer: WaveSurfer;
  private wanted = 0; // pixels per second; 0 shows all

  /** `onScale` is called when another part becomes visible. */
  constructor(
    container: HTMLElement,
    media: HTMLAudioElement,
    private readonly outline: Peaks,
    onScale: () => void,
    onClick: (time: number) => void,
  ) {
    const height = innerWidth < NARROW_PX ? NARROW_HEIGHT : HEIGHT;
    container.style.setProperty("--wave-height", `${height}px`);
    this.surfer = drawn({ container, media, height }, outline);
    const wrapper = this.surfer.getWrapper();
    wrapper.addEventListener("click", ({ clientX }) => {
      const box = wrapper.getBoundingClientRect();
      onClick(((clientX - box.left) / box.width) * outline.duration);
    });
    for (const kind of ["scroll", "redraw", "zoom", "resize", "ready"] as const)
      this.surfer.on(kind, onScale);
  }

  get scale(): Scale {
    const { surfer } = this;
    const pixelsPerSecond = Math.max(this.fit, this.wanted);
    const start = surfer.getScroll() / pixelsPerSecond;
    return { start, pixelsPerSecond, width: surfer.getWidth() };
  }

  /** Pixels per second at which all is visible. */
  get fit(): number {
    return Math.max(1, this.surfer.getWidth()) / this.outline.duration;
  }

  zoom(pixelsPerSecond: number): void {
    this.wanted = pixelsPerSecond <= this.fit * 1.001 ? 0 : pixelsPerSecond;
    if (this.surfer.getDecodedData()) this.surfer.zoom(this.wanted);
  }

  scrollBy(pixels: number): void {
    this.surfer.setScroll(this.surfer.getScroll() + pixels);
  }

  /** Make a time visible if it is not. */
  reveal(time: number): void {
    const { start, pixelsPerSecond, width } = this.scale;
    const at = (time - start) * pixelsPerSecond;
    if (at < 0 || at > width) this.surfer.setScroll(time * pixelsPerSecond - width / 5);
  }

  recolor(): void {
    this.surfer.setOptions(colors());
  }

  close(): void {
    this.surfer.destroy();
  }
}

function drawn(
  place: { container: HTMLElement; media: HTMLAudioElement; height: number },
  { peaks, duration }: Peaks,
): WaveSurfer {
  const surfer = WaveSurfer.create({
    ...place,
    ...colors(),
    peaks: [peaks.map(([, high]) => high), peaks.map(([low]) => low)],
    duration,
    normalize: true,
    interact: false,
    cursorWidth: 0,
    autoScroll: false,
  });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(RULES);
  (surfer.getWrapper().getRootNode() as ShadowRoot).adoptedStyleSheets = [sheet];
  return surfer;
}

const colors = (): { waveColor: string; progressColor: string } => ({
  waveColor: colorOf("--wave"),
  progressColor: colorOf("--accent"),
});
