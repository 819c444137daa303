/** How times and pixels of the visible part of a recording relate. Pure. */

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const LABEL_PX = 72; // that a time of the axis takes at most, with the space around it

export interface Scale {
  /** Time at the left edge, in seconds. */
  start: number;
  pixelsPerSecond: number;
  /** Of what is visible, in pixels. */
  width: number;
}

/** Where a time is, in pixels from the left edge. */
export const pixelOf = (scale: Scale, time: number): number =>
  (time - scale.start) * scale.pixelsPerSecond;

/** The time at a pixel. */
export const timeAt = (scale: Scale, pixel: number): number =>
  scale.start + pixel / scale.pixelsPerSecond;

/** The time at the right edge. */
export const endOf = (scale: Scale): number => timeAt(scale, scale.width);

/** Times of the axis, and whether they need tenths. */
export function ticks(scale: Scale, duration: number): { times: number[]; isFine: boolean } {
  const least = LABEL_PX / scale.pixelsPerSecond;
  const step = STEPS_S.find((each) => each >= least) ?? Math.ceil(least / 3600) * 3600;
  const last = Math.min(duration, endOf(scale));
  const times: number[] = [];
  for (let n = Math.max(0, Math.floor(scale.start / step)); n * step <= last; n++)
    times.push(n * step);
  return { times, isFine: step < 1 };
}

/** Pixels per second at a position of the zoom's slider, 0 (all is visible) to 1. */
export function zoomed(share: number, fit: number, most: number): number {
  return fit * (Math.max(most, fit) / fit) ** share;
}

/** The position of the zoom's slider at so many pixels per second. */
export function zoomShare(pixelsPerSecond: number, fit: number, most: number): number {
  const range = Math.log(Math.max(most, fit) / fit);
  return range > 0 ? Math.max(0, Math.min(1, Math.log(pixelsPerSecond / fit) / range)) : 0;
}
