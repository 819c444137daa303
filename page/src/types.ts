/** What the service sends and accepts, as its interface has it. */

export type Status = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  status: Status;
  name: string;
  size: number;
  created: number;
  started: number | null;
  finished: number | null;
  progress: { stage: string; done: number; total: number };
  options: Readonly<Record<string, unknown>>;
  problem: string | null;
  is_cancelling: boolean;
  position: number | null;
}

export interface Session {
  scopes: string[];
  needs_token: boolean;
  recognizer: boolean;
  store: boolean;
}

export interface Span {
  start: number;
  end: number;
}

export interface Turn extends Span {
  speaker: string;
  confidence?: number | null;
  id?: string | null;
}

export interface Word extends Span {
  word: string;
  speaker?: string;
  score?: number;
}

export interface Segment extends Span {
  speaker: string;
  text: string;
  words?: Word[];
}

export interface Notice {
  kind: string;
  text: string;
  start?: number | null;
  end?: number | null;
}

export interface Result {
  uri: string;
  duration: number;
  speakers: string[];
  turns: Turn[];
  uncertain?: (Turn & { alternatives: string[] })[];
  segments?: Segment[];
  notices?: Notice[];
  language?: string;
}

export type Pair = [number, number];

export type Constraint =
  { same: Pair[] } | { different: Pair[] } | { is: string; at: Pair } | { nobody: Pair };

export interface State {
  revision: number;
  can_undo: boolean;
  can_redo: boolean;
  undo_label: string | null;
  redo_label: string | null;
  constraints: Constraint[];
  notices: string[];
  result: Result;
}

export type Edge = "start" | "end";

export type Action =
  | { kind: "rename"; speaker: string; name: string }
  | { kind: "merge"; speakers: string[] }
  | { kind: "split"; speaker: string; start: number; end: number; at: number }
  | { kind: "boundary"; speaker: string; start: number; end: number; edge: Edge; to: number }
  | { kind: "assign"; start: number; end: number; speaker: string }
  | { kind: "silence"; start: number; end: number };

export interface ReviewSegment extends Span {
  speaker: string;
  alternatives: string[];
  confidence: number;
  expected_error: number;
}

export interface Review {
  seconds: number;
  expected_error: number;
  remaining_error: number;
  segments: ReviewSegment[];
}

export interface Peaks {
  duration: number;
  peaks: Pair[];
}

export interface Format {
  name: string;
  suffix: string;
}

export interface Person {
  id: string;
  name: string;
  seconds: number;
  exemplars: number;
  created: number;
  updated: number;
}

export interface Match {
  id: string;
  name: string;
  distance: number;
  probability: number;
  certain: boolean;
}

export interface ServiceError {
  message: string;
  type: string;
  code: string;
  param: string | null;
}

export type LiveMessage =
  | { type: "ready"; rate: number; words: boolean }
  | {
      type: "update";
      time: number;
      final: Turn[];
      tentative: Turn[];
      notices?: (string | Notice)[];
    }
  | { type: "segments"; segments: Segment[] }
  | { type: "error"; error: ServiceError }
  | { type: "end"; duration: number };
