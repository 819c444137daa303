/** Light or dark: as the system has it, unless the user chooses. */

import { button, element, icon } from "./dom.js";

const KEY = "hocket-theme";
export const THEME_CHANGED = "theme-changed";

type Theme = "light" | "dark";

const system = (): MediaQueryList => matchMedia("(prefers-color-scheme: dark)");

function stored(): Theme | null {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : null;
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

const current = (): Theme => stored() ?? (system().matches ? "dark" : "light");

function apply(): void {
  const chosen = stored();
  if (chosen) document.documentElement.dataset["theme"] = chosen;
  else delete document.documentElement.dataset["theme"];
  window.dispatchEvent(new Event(THEME_CHANGED));
}

function choose(theme: Theme): void {
  const isSystem = theme === (system().matches ? "dark" : "light");
  try {
    if (isSystem) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    document.documentElement.dataset["theme"] = theme;
  }
  apply();
}

/** Apply the theme now and whenever the system's changes. */
export function startTheme(): void {
  apply();
  system().addEventListener("change", apply);
}

/** The switch. */
export function themeSwitch(): HTMLElement {
  const text = element("span", { class: "unseen" });
  const label = (): void => {
    text.textContent = current() === "dark" ? "Light colors" : "Dark colors";
  };
  const made = button(
    icon("theme"),
    () => {
      choose(current() === "dark" ? "light" : "dark");
      label();
    },
    { class: "plain", title: "Light or dark colors" },
  );
  made.append(text);
  label();
  return made;
}

/** The color that a custom property of the style sheet has now. */
export function colorOf(property: string): string {
  const probe = element("i", { hidden: true });
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
