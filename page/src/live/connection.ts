/** The microphone, and the service that gets its sound. */

import type { LiveMessage } from "../types.js";

const RATE = 16_000;
const MOST_WAITING = 2_000_000; // bytes that the network has not taken yet, about a minute

export interface Connection {
  /** No more sound; the last messages still come. */
  finish: () => void;
  /** Break off. */
  close: () => void;
}

export interface ConnectionEvents {
  message: (message: LiveMessage) => void;
  level: (level: number) => void;
  /** The connection has ended; the problem is empty if all went well. */
  ended: (problem: string) => void;
}

function addressOf(options: Readonly<Record<string, string>>): string {
  const found = new URL("v1/live", document.baseURI);
  found.protocol = found.protocol === "https:" ? "wss:" : "ws:";
  found.search = new URLSearchParams({
    format: "s16le",
    rate: String(RATE),
    ...options,
  }).toString();
  found.hash = "";
  return found.href;
}

/** Send the microphone's sound; fails if there is no microphone. */
export async function connected(
  options: Readonly<Record<string, string>>,
  events: ConnectionEvents,
): Promise<Connection> {
  const audio = {
    channelCount: 1,
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: true,
  };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const context = new AudioContext();
  const silence = (): void => {
    for (const track of stream.getTracks()) track.stop();
    if (context.state !== "closed") void context.close();
  };
  try {
    await context.audioWorklet.addModule(new URL("assets/microphone.js", document.baseURI));
  } catch (error) {
    silence();
    throw error;
  }
  const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
  context.createMediaStreamSource(stream).connect(node);
  const socket = socketOf(options, events, silence);
  node.port.addEventListener(
    "message",
    ({ data }: MessageEvent<{ sound: ArrayBuffer; level: number }>) => {
      events.level(data.level);
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount < MOST_WAITING) socket.send(data.sound);
      else socket.close(4000, "too slow");
    },
  );
  node.port.start();
  return {
    finish: () => {
      silence();
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "end" }));
      else socket.close();
    },
    close: () => {
      silence();
      socket.close();
    },
  };
}

function socketOf(
  options: Readonly<Record<string, string>>,
  events: ConnectionEvents,
  silence: () => void,
): WebSocket {
  const socket = new WebSocket(addressOf(options));
  let [problem, isOver, wasOpen] = ["", false, false];
  socket.addEventListener("open", () => void (wasOpen = true));
  socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
    const message = JSON.parse(data) as LiveMessage;
    if (message.type === "error") problem = message.error.message;
    if (message.type === "end") isOver = true;
    events.message(message);
  });
  socket.addEventListener("close", ({ code }) => {
    silence();
    if (problem || isOver || code === 1000) return events.ended(problem);
    if (code === 4000) return events.ended("The connection is too slow for the sound.");
    events.ended(
      wasOpen ? "The connection to the service broke." : "The service refused the connection.",
    );
  });
  return socket;
}
