/** The form in which a token is entered. */

import { Refusal, logIn } from "./api.js";
import { element, field, textOf } from "./dom.js";
import type { View } from "./view.js";

/** Shown while the service wants a token; afterwards the page starts again. */
export function openLogin(onLogin: () => void): View {
  const problem = element("p", { class: "problem", role: "alert" });
  const token = element("input", {
    type: "password",
    name: "token",
    autocomplete: "current-password",
    required: true,
    id: "token",
  });
  const submit = element("button", { class: "primary" }, "Log in");
  const form = element(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        void enter();
      },
    },
    element("p", { class: "muted" }, "This service needs a token. Its operator has one for you."),
    field("Token", token),
    problem,
    element("div", { class: "buttons" }, submit),
  );

  async function enter(): Promise<void> {
    problem.textContent = "";
    try {
      await logIn(token.value.trim());
      onLogin();
    } catch (error) {
      const isWrong = error instanceof Refusal && [401, 403].includes(error.status);
      problem.textContent = isWrong ? "The service does not accept this token." : textOf(error);
      token.select();
    }
  }

  const heading = element("h1", { tabindex: -1 }, "Log in");
  const node = element(
    "main",
    { id: "main", class: "login" },
    heading,
    element("section", {}, form),
  );
  return { title: "Log in", node };
}
