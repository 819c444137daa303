/** The state of a recording's edits; every change goes through the service. */

import { Refusal, address, get, send } from "../api.js";
import { announce, tell, textOf } from "../dom.js";
import type { Action, State } from "../types.js";

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
