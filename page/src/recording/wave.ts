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

export interface Wave {
  scale: () => Scale;
  fit: () => number;
  zoom: (pixelsPerSecond: number) => void;
  scrollBy: (pixels: number) => void;
  reveal: (time: number) => void;
  recolor: () => void;
  close: () => void;
}

/** Draw the outline of a recording; `onScale` is called when another part becomes visible. */
export function waveOf(
  container: HTMLElement,
  audio: HTMLAudioElement,
  outline: Peaks,
  onScale: () => void,
  onClick: (time: number) => void,
): Wave {
  const { duration } = outline;
  const height = innerWidth < NARROW_PX ? NARROW_HEIGHT : HEIGHT;
  container.style.setProperty("--wave-height", `${height}px`);
  const surfer = WaveSurfer.create({
    container,
    media: audio,
    height,
    peaks: [outline.peaks.map(([, high]) => high), outline.peaks.map(([low]) => low)],
    duration,
    normalize: true,
    interact: false,
    cursorWidth: 0,
    autoScroll: false,
    ...colors(),
  });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(RULES);
  const wrapper = surfer.getWrapper();
  const shadow = wrapper.getRootNode() as ShadowRoot;
  shadow.adoptedStyleSheets = [sheet];

  const fit = (): number => Math.max(1, surfer.getWidth()) / duration;
  let wanted = 0; // pixels per second; 0 shows all
  const scale = (): Scale => {
    const pixelsPerSecond = Math.max(fit(), wanted);
    return { start: surfer.getScroll() / pixelsPerSecond, pixelsPerSecond, width: surfer.getWidth() };
  };
  wrapper.addEventListener("click", ({ clientX }) => {
    const box = wrapper.getBoundingClientRect();
    onClick(((clientX - box.left) / box.width) * duration);
  });
  for (const kind of ["scroll", "redraw", "zoom", "resize", "ready"] as const) surfer.on(kind, onScale);
  return {
    scale,
    fit,
    zoom: (pixelsPerSecond) => {
      wanted = pixelsPerSecond <= fit() * 1.001 ? 0 : pixelsPerSecond;
      if (surfer.getDecodedData()) surfer.zoom(wanted);
    },
    scrollBy: (pixels) => surfer.setScroll(surfer.getScroll() + pixels),
    reveal: (time) => {
      const { start, pixelsPerSecond, width } = scale();
      const at = (time - start) * pixelsPerSecond;
      if (at < 0 || at > width) surfer.setScroll(time * pixelsPerSecond - width / 5);
    },
    recolor: () => surfer.setOptions(colors()),
    close: () => surfer.destroy(),
  };
}

const colors = (): { waveColor: string; progressColor: string } => ({
  waveColor: colorOf("--wave"),
  progressColor: colorOf("--accent"),
});
