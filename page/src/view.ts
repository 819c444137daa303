/** What the page shows at one address. */

import type { Session } from "./types.js";

export interface View {
  title: string;
  node: HTMLElement;
  /** Ends what the view has begun. */
  close?: () => void;
}

export type Opener = (session: Session, id: string) => View;
