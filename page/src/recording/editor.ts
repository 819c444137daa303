/** The state of a recording's edits; every change goes through the service. */

import { Refusal, address, get, send } from "../api.js";
import { announce, tell, textOf } from "../dom.js";
import type { Action, Span, State } from "../types.js";
import { bestTurn, type Selection } from "./model.js";

export interface Editor {
  state: () => State;
  edit: (action: Action, done?: string) => Promise<boolean>;
  undo: () => Promise<boolean>;
  redo: () => Promise<boolean>;
}

/** Edits of a job, one after the other; `onState` is called with each new state. */
export async function editorOf(
  id: string,
  onState: (state: State) => void,
  onBusy: (isBusy: boolean) => void,
): Promise<Editor> {
  const path = address("jobs", id, "edits");
  let state = await get<State>(path);
  let last: Promise<unknown> = Promise.resolve();

  function accept(next: State): void {
    state = next;
    onState(next);
  }

  async function change(target: string, body: object, done: string): Promise<boolean> {
    onBusy(true);
    try {
      accept(await send<State>("POST", target, { revision: state.revision, ...body }));
      announce(done);
      for (const notice of state.notices) tell(notice);
      return true;
    } catch (error) {
      await explain(error);
      return false;
    } finally {
      onBusy(false);
    }
  }

  async function explain(error: unknown): Promise<void> {
    if (error instanceof Refusal && error.code === "edited_elsewhere") {
      accept(await get<State>(path));
      tell("The recording was edited elsewhere and is loaded again. Repeat your change.", true);
    } else tell(textOf(error), true);
  }

  function next(target: string, body: object, done: string): Promise<boolean> {
    const result = last.then(() => change(target, body, done));
    last = result.catch(() => false);
    return result;
  }

  return {
    state: () => state,
    edit: (action, done = "Done.") => next(path, { action }, done),
    undo: () =>
      state.can_undo
        ? next(address("jobs", id, "undo"), {}, `Undone: ${state.undo_label ?? "the last edit"}`)
        : Promise.resolve(false),
    redo: () =>
      state.can_redo
        ? next(address("jobs", id, "redo"), {}, `Redone: ${state.redo_label ?? "the edit"}`)
        : Promise.resolve(false),
  };
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
  const now = bestTurn(editor.state().result.turns, { start: to.start, end }, speaker) ?? turn;
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
