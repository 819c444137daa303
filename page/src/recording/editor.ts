/** The state of a recording's edits; every change goes through the service. */

import { Refusal, address, get, send } from "../api.js";
import { announce, clearMessages, tell, textOf } from "../dom.js";
import { capital } from "../text.js";
import type { Action, Span, State } from "../types.js";
import { bestTurn, inOrder, type Selection } from "./model.js";

/** Edits of a job, one after the other. */
export class Editor {
  private last: Promise<unknown> = Promise.resolve();

  /** `onState` is called with each new state. */
  private constructor(
    private readonly id: string,
    private current: State,
    private readonly onState: (state: State) => void,
    private readonly onBusy: (isBusy: boolean) => void,
  ) {}

  /** The editor of a job, once its state is loaded. */
  static async load(
    id: string,
    onState: (state: State) => void,
    onBusy: (isBusy: boolean) => void,
  ): Promise<Editor> {
    return new Editor(id, await get<State>(address("jobs", id, "edits")), onState, onBusy);
  }

  get state(): State {
    return this.current;
  }

  /** Make an edit. A confirmation changes nothing, and its notices that say so are not shown. */
  edit(action: Action, done = "Done.", isConfirmation = false): Promise<boolean> {
    return this.next("edits", { action }, done, isConfirmation);
  }

  /** Undo the last edit; whether there was one. */
  async undo(): Promise<boolean> {
    const { can_undo: isPossible, undo_label: label } = this.state;
    return isPossible && this.next("undo", {}, `Undone: ${label ?? "the last edit"}`);
  }

  /** Redo what was undone last; whether there was anything. */
  async redo(): Promise<boolean> {
    const { can_redo: isPossible, redo_label: label } = this.state;
    return isPossible && this.next("redo", {}, `Redone: ${label ?? "the edit"}`);
  }

  private next(what: string, body: object, done: string, isQuiet = false): Promise<boolean> {
    const result = this.last.then(() => this.change(what, body, done, isQuiet));
    this.last = result;
    return result;
  }

  private async change(
    what: string,
    body: object,
    done: string,
    isQuiet: boolean,
  ): Promise<boolean> {
    this.onBusy(true);
    clearMessages();
    try {
      const content = { revision: this.state.revision, ...body };
      this.accept(await send<State>("POST", address("jobs", this.id, what), content));
      announce(done);
      if (!isQuiet) for (const notice of this.state.notices) tell(capital(notice));
      return true;
    } catch (error) {
      await this.explain(error).catch((next: unknown) => tell(textOf(next), true));
      return false;
    } finally {
      this.onBusy(false);
    }
  }

  /** Speakers keep their order, so that lanes and digits stay whose they are. */
  private accept(state: State): void {
    const speakers = inOrder(state.result.speakers, this.state.result.speakers);
    this.current = { ...state, result: { ...state.result, speakers } };
    this.onState(this.current);
  }

  private async explain(error: unknown): Promise<void> {
    if (error instanceof Refusal && error.code === "edited_elsewhere") {
      this.accept(await get<State>(address("jobs", this.id, "edits")));
      tell("The recording was edited elsewhere and is loaded again. Repeat your change.", true);
    } else tell(textOf(error), true);
  }
}

/** Move the edges of a turn that have changed, one edit each. */
export async function moveEdges(editor: Editor, turn: Selection, to: Span): Promise<void> {
  const { speaker, start, end } = turn;
  const kind = "boundary";
  if (to.start !== start) {
    const action = { kind, speaker, start, end, edge: "start", to: to.start } as const;
    if (!(await editor.edit(action, "The start is moved."))) return;
  }
  if (to.end === end) return;
  const now = bestTurn(editor.state.result.turns, { start: to.start, end }, speaker) ?? turn;
  const action = {
    kind,
    speaker,
    start: now.start,
    end: now.end,
    edge: "end",
    to: to.end,
  } as const;
  await editor.edit(action, "The end is moved.");
}
