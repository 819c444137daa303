/** Starts the page: the session, the frame around the views, and the way between them. */

import { LOGIN_NEEDED, SESSION, get, send } from "./api.js";
import { attempt, button, element, messageArea, textOf } from "./dom.js";
import { openLive } from "./live/view.js";
import { openLogin } from "./login.js";
import { openPeople } from "./people.js";
import { openQueue } from "./queue/view.js";
import { openRecording } from "./recording/view.js";
import { startTheme, themeSwitch } from "./theme.js";
import type { Session } from "./types.js";
import type { Opener, View } from "./view.js";

interface Place {
  name: string;
  path: RegExp;
  open: Opener;
  link: string;
  isThere: (session: Session) => boolean;
}

const may = (session: Session, scope: string): boolean => session.scopes.includes(scope);

const PLACES: readonly Place[] = [
  {
    name: "Recordings",
    link: "#/",
    path: /^#?\/?$/,
    open: openQueue,
    isThere: (s) => may(s, "jobs"),
  },
  {
    name: "",
    link: "",
    path: /^#\/jobs\/([\w-]+)$/,
    open: openRecording,
    isThere: (s) => may(s, "jobs"),
  },
  {
    name: "Live",
    link: "#/live",
    path: /^#\/live$/,
    open: openLive,
    isThere: (s) => may(s, "live"),
  },
  {
    name: "People",
    link: "#/people",
    path: /^#\/people$/,
    open: openPeople,
    isThere: (s) => s.store && may(s, "speakers"),
  },
];

const header = element("header", { class: "bar" });
const outlet = element("div", { id: "outlet" });
let view: View | null = null;
let session: Session | null = null;

function show(next: View, isFirst: boolean): void {
  view?.close?.();
  view = next;
  document.title = `${next.title} · hocket`;
  outlet.replaceChildren(next.node);
  if (isFirst) return;
  scrollTo(0, 0);
  next.node.querySelector<HTMLElement>("h1")?.focus();
}

function route(isFirst = false): void {
  if (!session) return;
  const now = session;
  const hash = location.hash.replace(/\?.*$/, "");
  const place = PLACES.find((each) => each.path.test(hash) && each.isThere(now));
  const fallback = PLACES.find((each) => each.link && each.isThere(now));
  if (!place && fallback) return location.replace(fallback.link);
  if (!place)
    return show(
      openLogin(() => attempt(start)),
      isFirst,
    );
  header.replaceChildren(...frame(now, hash));
  show(place.open(now, place.path.exec(hash)?.[1] ?? ""), isFirst);
}

function frame(now: Session, hash: string): Node[] {
  const links = PLACES.filter((each) => each.link && each.isThere(now)).map((each) => {
    const isHere = each.path.test(hash);
    const isAbove = each.link === "#/" && hash.startsWith("#/jobs/");
    const current = isHere ? "page" : isAbove ? "true" : null;
    return element("li", {}, element("a", { href: each.link, "aria-current": current }, each.name));
  });
  const out = now.needs_token ? button("Log out", () => attempt(logOut), { class: "plain" }) : null;
  const nav = element("nav", { "aria-label": "Views" }, element("ul", {}, ...links));
  const tools = element("div", { class: "tools" }, themeSwitch(), out);
  return [element("a", { class: "brand", href: "#/" }, "hocket"), nav, tools];
}

async function logOut(): Promise<void> {
  await send("DELETE", SESSION);
  await start();
}

function login(): void {
  header.replaceChildren(
    element("span", { class: "brand" }, "hocket"),
    element("div", { class: "tools" }, themeSwitch()),
  );
  show(
    openLogin(() => attempt(start)),
    true,
  );
  document.querySelector<HTMLElement>("#token")?.focus();
}

async function start(): Promise<void> {
  session = await get<Session>(SESSION);
  if (session.needs_token && !session.scopes.length) login();
  else route(true);
}

function begin(): void {
  const skip = element("a", { class: "skip", href: "#main" }, "Skip to content");
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    outlet.querySelector<HTMLElement>("h1")?.focus();
  });
  document.body.append(skip, header, outlet, ...messageArea());
  startTheme();
  addEventListener("hashchange", () => route());
  addEventListener(LOGIN_NEEDED, login);
  start().catch((error: unknown) => {
    const again = button("Try again", () => location.reload(), { class: "primary" });
    const heading = element("h1", {}, "hocket");
    outlet.replaceChildren(
      element(
        "main",
        { id: "main" },
        heading,
        element("p", { class: "problem" }, textOf(error)),
        again,
      ),
    );
  });
}

begin();
