/** Runs beside the page: takes the microphone's sound to 16 kHz in blocks. A module of its own. */

import { Resampler, toIntegers } from "./resample.js";

declare const sampleRate: number;
declare const registerProcessor: (name: string, processor: unknown) => void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

const RATE = 16_000;
const BLOCK = 1600; // samples, a tenth of a second

class Microphone extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(Math.round(sampleRate), RATE);
  private block = new Float32Array(BLOCK);
  private filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0] ?? [];
    if (channels[0])
      this.take(sampleRate === RATE ? mix(channels) : this.resampler.next(mix(channels)));
    return true;
  }

  private take(samples: Float32Array): void {
    for (const sample of samples) {
      this.block[this.filled++] = sample;
      if (this.filled === BLOCK) this.send();
    }
  }

  private send(): void {
    const sound = toIntegers(this.block).buffer;
    const level = Math.sqrt(this.block.reduce((sum, each) => sum + each * each, 0) / BLOCK);
    this.port.postMessage({ sound, level }, [sound]);
    this.filled = 0;
  }
}

function mix(channels: Float32Array[]): Float32Array {
  const [first] = channels;
  if (!first || channels.length === 1) return first ?? new Float32Array(0);
  return first.map(
    (_, n) => channels.reduce((sum, each) => sum + (each[n] ?? 0), 0) / channels.length,
  );
}

registerProcessor("microphone", Microphone);
