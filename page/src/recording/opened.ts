/** A recording with its result: what is selected in it, and what is done with that. */

import { address, get, send } from "../api.js";
import { announce, attempt, tell } from "../dom.js";
import { THEME_CHANGED } from "../theme.js";
import { clock, fineClock } from "../text.js";
import type { Action, Edge, Job, Peaks, Review, Session, Span, State, Turn } from "../types.js";
import { Check } from "./check.js";
import { Chosen } from "./chosen.js";
import { moveEdges, type Editor } from "./editor.js";
import { exportsOf } from "./exports.js";
import { carryOut } from "./commands.js";
import { onCommands, showKeys } from "./keys.js";
import { lanesOf } from "./lanes.js";
import { layout, showNotices, type Layout } from "./layout.js";
import * as model from "./model.js";
import type { Selection } from "./model.js";
import { Player } from "./player.js";
import { Rows, type Shown } from "./rows.js";
import { pixelOf, zoomShare, zoomed } from "./scale.js";
import { Speakers } from "./speakers.js";
import { Toolbar } from "./toolbar.js";
import { Wave } from "./wave.js";

const MOST_PIXELS_PER_S = 250;
const AGAIN_S = 1; // of playing a turn, in which a step back leads to the turn before
const REVIEW_S = 90;

export interface Loaded {
  job: Job;
  outline: Peaks | null;
  people: readonly string[];
  session: Session;
  editor: Editor;
}

export class OpenedRecording {
  readonly node: HTMLElement;
  private readonly parts: Layout;
  private readonly control = new AbortController();
  private readonly duration: number;
  private colors: ReadonlyMap<string, number> = new Map();
  private selection: Selection | null = null;
  private draft: Span | null = null;
  private review: Review | null = null;
  private wave: Wave | null = null;
  private isBusy = false;
  private shown: Shown;

  readonly player: Player;
  private readonly lanes;
  private readonly rows;
  private readonly chosen;
  private readonly speakers;
  readonly check: Check;
  private readonly toolbar;

  constructor(readonly loaded: Loaded) {
    const { job, editor, outline } = loaded;
    const { result } = editor.state;
    this.duration = Math.max(0.01, outline?.duration ?? result.duration);
    this.shown = result.segments?.length ? "words" : "turns";
    const [sound, audio] = [address("jobs", job.id, "sound"), address("jobs", job.id, "audio")];
    this.player = new Player(sound, audio, this.duration, (...at) => this.move(...at));
    this.lanes = this.makeLanes();
    this.rows = new Rows({
      select: (row) => this.select(this.selectionFrom(row)),
      play: (time) => this.player.playFrom(time),
    });
    this.chosen = this.makeChosen();
    this.speakers = this.makeSpeakers();
    this.check = new Check({
      visit: (segment) => {
        this.select({ ...segment, isTurn: false });
        this.player.playSpan(segment.start, segment.end);
      },
      assign: ({ start, end, speaker: found }, speaker) => {
        const action = { kind: "assign", start, end, speaker } as const;
        void editor.edit(action, `Assigned to ${speaker}.`, speaker === found);
      },
    });
    this.toolbar = this.makeToolbar();
    this.parts = layout({
      toolbar: this.toolbar.node,
      lanes: this.lanes,
      chosen: this.chosen.node,
      rows: this.rows.node,
      side: [this.check.node, this.speakers.node],
      hasWords: this.shown === "words",
      onShown: (shown) => this.showRows(shown),
    });
    this.node = this.parts.node;
  }

  /** Draw; to be called once the node is part of the page. */
  start(): void {
    const outline = this.loaded.outline ?? { duration: this.duration, peaks: [[0, 0]] };
    const onScale = (): void => this.redraw();
    this.wave = new Wave(this.parts.wave, this.player.audio, outline, onScale, (time) =>
      this.player.playFrom(time),
    );
    const { signal } = this.control;
    addEventListener(THEME_CHANGED, () => this.wave?.recolor(), { signal });
    addEventListener("resize", onScale, { signal });
    onCommands((command) => carryOut(this, command), signal);
    this.show(this.loaded.editor.state);
    this.move(0, false);
  }

  close(): void {
    this.control.abort();
    this.player.close();
    this.lanes.close();
    this.wave?.close();
  }

  setBusy(isBusy: boolean): void {
    this.isBusy = isBusy;
    this.node.setAttribute("aria-busy", String(isBusy));
    this.toolbar.showEdits(this.state, isBusy);
  }

  /** Show a new state of the edits. */
  show(state: State): void {
    const { result } = state;
    this.colors = model.colorsOf(result.speakers, this.colors);
    this.selection = model.reselected(result.turns, this.selection);
    this.draft = null;
    this.toolbar.showEdits(state, this.isBusy);
    this.speakers.show(result, this.colors);
    this.lanes.relabel();
    this.parts.showNames([...new Set([...result.speakers, ...this.loaded.people])]);
    showNotices(this.parts.notices, result.notices ?? []);
    this.showRows(this.shown);
    this.redraw();
    attempt(() => this.loadReview(state));
  }

  private get state(): State {
    return this.loaded.editor.state;
  }

  private get turns(): readonly Turn[] {
    return this.state.result.turns;
  }

  private async loadReview(state: State): Promise<void> {
    const path = `${address("jobs", this.loaded.job.id, "review")}?seconds=${REVIEW_S}`;
    this.review = await get<Review>(path, this.control.signal);
    if (this.state.revision === state.revision)
      this.check.show(this.review, state.constraints, this.colors);
  }

  private showRows(shown: Shown): void {
    this.shown = shown;
    this.rows.show(this.state.result, this.colors, shown);
    this.rows.move(this.player.time);
    this.showSelection();
  }

  private select(selection: Selection | null): void {
    if (this.draft) announce("The moved edges are discarded.");
    this.selection = selection;
    this.draft = null;
    this.showSelection();
  }

  private showSelection(): void {
    this.chosen.show(this.state, this.colors, this.selection, this.draft);
    this.rows.select(this.selection);
    this.lanes.draw();
  }

  private setDraft(draft: Span | null): void {
    this.draft = draft;
    this.chosen.show(this.state, this.colors, this.selection, draft);
    this.lanes.draw();
  }

  /** The turn that a row stands for; where a turn holds more than the row, the row's stretch. */
  private selectionFrom(row: Turn): Selection {
    const turn = model.bestTurn(this.turns, row, row.speaker);
    if (turn?.speaker === row.speaker && model.overlap(turn, row) > 0.8 * (turn.end - turn.start))
      return model.selectionOf(turn);
    const { start, end, speaker } = row;
    return { start, end, speaker, isTurn: false };
  }

  private move(time: number, isPlaying: boolean): void {
    this.toolbar.showTime(time, this.duration);
    this.toolbar.showPlaying(isPlaying);
    this.rows.move(time);
    if (isPlaying) this.wave?.reveal(time);
    this.showPlayhead(time);
  }

  private showPlayhead(time: number): void {
    if (!this.wave) return;
    const scale = this.wave.scale;
    this.parts.showPlayhead(pixelOf(scale, time), scale.width, time, this.duration);
  }

  private redraw(): void {
    if (!this.wave) return;
    this.lanes.draw();
    this.showPlayhead(this.player.time);
    const { pixelsPerSecond } = this.wave.scale;
    this.toolbar.showZoom(zoomShare(pixelsPerSecond, this.wave.fit, MOST_PIXELS_PER_S));
  }

  zoomBy(factor: number): void {
    if (!this.wave) return;
    const wanted = this.wave.scale.pixelsPerSecond * factor;
    this.wave.zoom(Math.min(MOST_PIXELS_PER_S, wanted));
    this.redraw();
  }

  private edit(action: Action, done = "Done."): void {
    void this.loaded.editor.edit(action, done);
  }

  assignNumber(number: number): void {
    const name = this.state.result.speakers[number - 1];
    if (name) this.assign(name);
  }

  private assign(name: string): void {
    if (!this.selection) return void tell("Select a turn or a stretch first.");
    const { start, end } = this.selection;
    this.edit({ kind: "assign", start, end, speaker: name }, `Assigned to ${name}.`);
  }

  silence(): void {
    if (!this.selection) return void tell("Select a turn or a stretch first.");
    const { start, end } = this.selection;
    this.edit({ kind: "silence", start, end }, "Nobody speaks there.");
  }

  split(): void {
    const at = Math.round(this.player.time * 1000) / 1000;
    const turn = this.selection?.isTurn ? this.selection : null;
    if (!turn) return void tell("Select a turn first.");
    if (at <= turn.start || at >= turn.end)
      return void tell("Move the playhead into the selected turn, then split it there.");
    const { speaker, start, end } = turn;
    this.edit({ kind: "split", speaker, start, end, at }, `Split at ${fineClock(at)}.`);
  }

  nudge(edge: Edge, seconds: number): void {
    const turn = this.selection?.isTurn ? this.selection : null;
    if (!turn) return void tell("Select a turn first.");
    const span = this.draft ?? turn;
    this.setDraft(model.moved(span, edge, span[edge] + seconds, this.duration));
  }

  private apply(): void {
    const { selection, draft } = this;
    if (!selection || !draft) return;
    this.selection = { ...selection, ...draft };
    void moveEdges(this.loaded.editor, selection, draft);
  }

  mark(edge: Edge): void {
    const span = model.marked(this.selection, edge, this.player.time, this.duration);
    this.select({ ...span, speaker: this.selection?.speaker ?? "", isTurn: false });
  }

  selectStep(step: 1 | -1): void {
    const turn = model.neighbor(this.turns, this.selection ?? this.player.time, step);
    if (!turn) return;
    this.select(model.selectionOf(turn));
    if (!this.player.isPlaying) this.player.go(turn.start);
    announce(`${turn.speaker}, ${clock(turn.start)}`);
  }

  goTurn(step: 1 | -1): void {
    const back = this.player.isPlaying ? AGAIN_S : 0.02;
    const time = this.player.time + (step > 0 ? 0.02 : -back);
    const turn = model.neighbor(this.turns, time, step);
    if (turn) this.player.go(turn.start);
  }

  goWord(step: 1 | -1): void {
    const time = this.rows.wordFrom(this.player.time, step);
    if (time !== null) this.player.go(time);
  }

  enter(): void {
    if (this.draft) this.apply();
    else if (this.selection) this.player.playSpan(this.selection.start, this.selection.end);
  }

  discard(): void {
    if (this.draft) this.setDraft(null);
    else this.select(null);
  }

  private makeLanes(): ReturnType<typeof lanesOf> {
    const scale = () => this.wave?.scale ?? { start: 0, pixelsPerSecond: 1, width: 1 };
    const now = () => ({
      result: this.state.result,
      colors: this.colors,
      selection: this.selection,
      draft: this.draft,
      scale: scale(),
    });
    return lanesOf(now, {
      select: (selection) => this.select(selection),
      go: (time) => this.player.go(time),
      play: (time) => this.player.playFrom(time),
      drag: (span, isOver) => {
        this.setDraft(span);
        if (isOver) this.apply();
      },
      scroll: (pixels) => this.wave?.scrollBy(pixels),
      zoom: (factor) => this.zoomBy(factor),
    });
  }

  private makeChosen(): Chosen {
    return new Chosen({
      play: () => this.selection && this.player.playSpan(this.selection.start, this.selection.end),
      assign: (name) => this.assign(name),
      split: () => this.split(),
      silence: () => this.silence(),
      nudge: (edge, seconds) => this.nudge(edge, seconds),
      apply: () => this.apply(),
      discard: () => this.setDraft(null),
    });
  }

  private makeSpeakers(): Speakers {
    const { editor, session, job } = this.loaded;
    const canRemember = session.store && session.scopes.includes("speakers");
    const remember = async (speaker: string): Promise<void> => {
      await send("POST", "v1/speakers", { name: speaker, job: job.id, speaker });
      tell(`${speaker} is in the store.`);
    };
    return new Speakers({
      rename: (speaker, name) =>
        editor.edit({ kind: "rename", speaker, name }, `${speaker} is now ${name}.`),
      merge: (from, into) =>
        editor.edit({ kind: "merge", speakers: [from, into] }, `${from} is merged into ${into}.`),
      remember: canRemember ? (speaker) => attempt(() => remember(speaker)) : null,
      play: (speaker) => this.playNext(speaker),
    });
  }

  private playNext(speaker: string): void {
    const own = this.turns.filter((turn) => turn.speaker === speaker);
    const turn = model.neighbor(own, this.player.time + 0.02, 1) ?? own[0];
    if (!turn) return;
    this.select(model.selectionOf(turn));
    this.player.playSpan(turn.start, turn.end);
  }

  private makeToolbar(): Toolbar {
    const { editor, job } = this.loaded;
    return new Toolbar(
      {
        toggle: () => this.player.toggle(),
        rate: (rate) => void (this.player.audio.playbackRate = rate),
        zoom: (share) => {
          if (this.wave) this.wave.zoom(zoomed(share, this.wave.fit, MOST_PIXELS_PER_S));
          this.redraw();
        },
        zoomBy: (factor) => this.zoomBy(factor),
        undo: () => void editor.undo(),
        redo: () => void editor.redo(),
        keys: () => void showKeys(),
      },
      exportsOf(job, this.control.signal),
    );
  }
}
