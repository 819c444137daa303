/** Requests to the service. Addresses are relative, so that it may stand below a path. */

import type { ServiceError } from "./types.js";

export const LOGIN_NEEDED = "login-needed";
export const SESSION = "v1/session";
const RETRY_S = 5;

/** An answer other than the one that was wanted. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter: number = RETRY_S,
  ) {
    super(message);
  }
}

/** The address of a resource below /v1. */
export const address = (...parts: string[]): string =>
  ["v1", ...parts.map(encodeURIComponent)].join("/");

/** The refusal that an answer stands for. */
export function refusalOf(status: number, body: string, retryAfter: string | null): Refusal {
  const seconds = Number(retryAfter) > 0 ? Number(retryAfter) : RETRY_S;
  const error = errorIn(body);
  const text = error?.message ?? `The service answered with status ${status}.`;
  return new Refusal(status, error?.code ?? "unknown", text, seconds);
}

function errorIn(body: string): ServiceError | null {
  try {
    const content = JSON.parse(body) as { error?: ServiceError };
    return content.error ?? null;
  } catch {
    return null;
  }
}

/** Tell the page that a token is needed where that was the reason. */
export function noteRefusal(refusal: Refusal): Refusal {
  if (refusal.status === 401) window.dispatchEvent(new Event(LOGIN_NEEDED));
  return refusal;
}

async function answered(method: string, path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { method, credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException) throw error;
    throw new Refusal(0, "unreachable", "The service cannot be reached. Is it running?");
  }
  if (response.ok) return response;
  const retry = response.headers.get("Retry-After");
  const refusal = refusalOf(response.status, await response.text(), retry);
  throw path === SESSION ? refusal : noteRefusal(refusal); // the form itself tells of a wrong token
}

async function read<T>(response: Response): Promise<T> {
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** What is at an address. */
export const get = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  read<T>(await answered("GET", path, signal ? { signal } : {}));

/** Send JSON, or a form. */
export async function send<T>(method: string, path: string, body?: object): Promise<T> {
  if (body === undefined) return read<T>(await answered(method, path, {}));
  if (body instanceof FormData) return read<T>(await answered(method, path, { body }));
  const headers = { "Content-Type": "application/json" };
  return read<T>(await answered(method, path, { body: JSON.stringify(body), headers }));
}

/** Exchange a token for a session. */
export async function logIn(token: string): Promise<void> {
  await answered("POST", SESSION, { headers: { Authorization: `Bearer ${token}` } });
}

/** Send a form and report how much of it is sent; fetch cannot. */
export function upload<T>(
  path: string,
  form: FormData,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
      if (lengthComputable) onProgress(loaded / total);
    });
    request.addEventListener("load", () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as T);
      const retry = request.getResponseHeader("Retry-After");
      reject(noteRefusal(refusalOf(request.status, request.responseText, retry)));
    });
    request.addEventListener("error", () =>
      reject(new Refusal(0, "unreachable", "The connection broke while the file was sent.")),
    );
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
