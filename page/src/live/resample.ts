/** Sound at another rate: a windowed sinc, computed once for each phase. Pure. */

const CROSSINGS = 16; // of zero, on each side of the kernel
const PASSED = 0.92; // of the lower rate's band

const divisor = (a: number, b: number): number => (b ? divisor(b, a % b) : a);

/** Resamples a stream, block by block; what two blocks share is kept between them. */
export class Resampler {
  private readonly step: number;
  private readonly phases: number;
  private readonly reach: number;
  private readonly kernels = new Map<number, Float32Array>();
  private rest = new Float32Array(0);
  private place = 0; // of the next output in `rest`, in 1 / phases samples

  /**
   * @param from - samples per second of the input, whole.
   * @param to - samples per second of the output, whole.
   */
  constructor(
    private readonly from: number,
    private readonly to: number,
  ) {
    const common = divisor(from, to);
    this.step = from / common;
    this.phases = to / common;
    this.reach = Math.ceil(CROSSINGS * Math.max(1, from / to));
    this.rest = new Float32Array(this.reach); // silence before the first sample
    this.place = this.reach * this.phases;
  }

  /** The samples that a block completes. */
  next(block: Float32Array): Float32Array {
    const input = new Float32Array(this.rest.length + block.length);
    input.set(this.rest);
    input.set(block, this.rest.length);
    const last = input.length - this.reach - 1;
    const made: number[] = [];
    for (; Math.floor(this.place / this.phases) <= last; this.place += this.step)
      made.push(this.sample(input, Math.floor(this.place / this.phases), this.place % this.phases));
    const drop = Math.max(0, Math.floor(this.place / this.phases) - this.reach);
    const dropped = Math.min(drop, input.length);
    this.rest = input.slice(dropped);
    this.place -= dropped * this.phases;
    return Float32Array.from(made);
  }

  private sample(input: Float32Array, at: number, phase: number): number {
    const kernel = this.kernel(phase);
    let sum = 0;
    for (let n = 0; n < kernel.length; n++)
      sum += (kernel[n] ?? 0) * (input[at - this.reach + 1 + n] ?? 0);
    return sum;
  }

  private kernel(phase: number): Float32Array {
    const known = this.kernels.get(phase);
    if (known) return known;
    const cutoff = PASSED * Math.min(1, this.to / this.from);
    const made = new Float32Array(2 * this.reach);
    for (let n = 0; n < made.length; n++) {
      const x = n + 1 - this.reach - phase / this.phases;
      const window =
        Math.abs(x) < this.reach ? 0.5 + 0.5 * Math.cos((Math.PI * x) / this.reach) : 0;
      made[n] = cutoff * sinc(cutoff * x) * window;
    }
    this.kernels.set(phase, made);
    return made;
  }
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Samples as 16-bit integers; what is too loud is cut off. */
export function toIntegers(samples: Float32Array): Int16Array<ArrayBuffer> {
  const made = new Int16Array(samples.length);
  for (let n = 0; n < samples.length; n++)
    made[n] = Math.round(Math.max(-1, Math.min(1, samples[n] ?? 0)) * 32_767);
  return made;
}
